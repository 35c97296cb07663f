#!/usr/bin/env python3
"""Make crates/mup2-train/assets/fashion-mnist-subset.bin.gz, the dataset built into mup2.

    python3 scripts/make_embedded_dataset.py [--source DIRECTORY] [--output FILE]

It takes a stratified subset of Fashion-MNIST from the four IDX files of Debian's package
`dataset-fashion-mnist` (the default source, /usr/share/datasets/fashion-mnist): of each of the ten
classes 500 training and 200 validation images from the 60,000 training images, and 200 test
images from the 10,000 test images. Only Python's standard library is used.

Rule: within a class, images are ordered by SHA-256("mup2 embedded/SPLIT/INDEX"), where SPLIT is
`train` or `t10k` and INDEX the image's place in its file in decimal digits. The first 500 are for
training and the next 200 for validation; of the test file the first 200 are for testing. Within a
split, images keep the order of their file. The rule needs no random generator, so it never changes.

Output, gzipped without name or time: the 8 bytes `MUP2FM01`; five big-endian u32 (training,
validation and test images, height, width); then for each of the three splits its labels, one byte
each, and its pixels, height × width bytes an image.

The compressed bytes depend on zlib's version; the uncompressed ones depend on nothing. After
making the file anew, put the printed SHA-256 in crates/mup2-train/src/data/embedded.rs.
"""

import argparse
import gzip
import hashlib
import io
import pathlib
import struct

CLASSES = 10
TRAIN_PER_CLASS = 500
VALIDATION_PER_CLASS = 200
TEST_PER_CLASS = 200

# SHA-256 of the decompressed files. Debian compressed them anew, so the MD5 sums in the
# publisher's README, which are of the .gz files, do not apply to the package.
SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def read_genuine(source, name):
    """Return the decompressed bytes of one IDX file, after checking its SHA-256."""
    data = gzip.decompress((source / f"{name}.gz").read_bytes())
    found = hashlib.sha256(data).hexdigest()
    if found != SHA256[name]:
        raise SystemExit(f"{source / name}.gz: SHA-256 is {found}, not {SHA256[name]}")
    return data


def read_split(source, split):
    """Return (pixels, labels, height, width) of `train` or `t10k`."""
    images = read_genuine(source, f"{split}-images-idx3-ubyte")
    labels = read_genuine(source, f"{split}-labels-idx1-ubyte")
    _, count, height, width = struct.unpack(">IIII", images[:16])
    assert count == len(labels) - 8 and len(images) == 16 + count * height * width
    return images[16:], labels[8:], height, width


def indices_by_class(split, labels):
    """Return, for each class, its image indices in the order of the rule above."""

    def rank(index):
        return hashlib.sha256(f"mup2 embedded/{split}/{index}".encode()).digest()

    classes = [[] for _ in range(CLASSES)]
    for index, label in enumerate(labels):
        classes[label].append(index)
    for indices in classes:
        indices.sort(key=rank)
    return classes


def packed(pixels, labels, indices, size):
    """Return the labels and then the pixels of the images at `indices`, in file order."""
    indices = sorted(indices)
    return bytes(labels[index] for index in indices) + b"".join(
        pixels[index * size : (index + 1) * size] for index in indices
    )


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=pathlib.Path, default="/usr/share/datasets/fashion-mnist")
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        default=root / "crates/mup2-train/assets/fashion-mnist-subset.bin.gz",
    )
    arguments = parser.parse_args()

    pixels, labels, height, width = read_split(arguments.source, "train")
    test_pixels, test_labels, *test_shape = read_split(arguments.source, "t10k")
    assert test_shape == [height, width]
    size = height * width

    train, validation = [], []
    for indices in indices_by_class("train", labels):
        train += indices[:TRAIN_PER_CLASS]
        validation += indices[TRAIN_PER_CLASS : TRAIN_PER_CLASS + VALIDATION_PER_CLASS]
    test = [
        index
        for indices in indices_by_class("t10k", test_labels)
        for index in indices[:TEST_PER_CLASS]
    ]
    assert not set(train) & set(validation)

    data = b"MUP2FM01"
    data += struct.pack(">IIIII", len(train), len(validation), len(test), height, width)
    data += packed(pixels, labels, train, size)
    data += packed(pixels, labels, validation, size)
    data += packed(test_pixels, test_labels, test, size)

    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(data)
    arguments.output.write_bytes(buffer.getvalue())
    print(f"{arguments.output}: {len(buffer.getvalue())} bytes, {len(data)} uncompressed")
    print(f"SHA-256 of the file:    {hashlib.sha256(buffer.getvalue()).hexdigest()}")
    print(f"SHA-256 uncompressed:   {hashlib.sha256(data).hexdigest()}")


if __name__ == "__main__":
    main()
