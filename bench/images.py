"""Random images that both sides train on: PNG files for mup2, the same pixels as arrays."""

from pathlib import Path

import numpy as np
from PIL import Image

from rows import CHANNELS, CLASSES, IMAGE_SIDE

TRAIN_IMAGES = 4096
TEST_IMAGES = 10


def make_images(folder: Path, seed: int = 0) -> None:
    """Writes `train` and `test` as `data.dataset = "folder"` reads them, `pixels.npy`
    `[4096, 3, 32, 32]` u8 and `labels.npy` `[4096]` int64, the training images again, and
    `normalization.npy` `[2, 3]`, mean and standard deviation of each channel of their bytes.
    """
    random = np.random.default_rng(seed)
    for split, count in (("train", TRAIN_IMAGES), ("test", TEST_IMAGES)):
        noise = random.normal(128.0, 48.0, (count, CHANNELS, IMAGE_SIDE, IMAGE_SIDE))
        pixels = noise.round().clip(0, 255).astype(np.uint8)
        # Every class has images in both splits.
        labels = random.permutation(np.arange(count, dtype=np.int64) % CLASSES)
        write_png_files(folder / split, pixels, labels)
        if split == "train":
            np.save(folder / "pixels.npy", pixels)
            np.save(folder / "labels.npy", labels)
            moments = pixels.mean(axis=(0, 2, 3)), pixels.std(axis=(0, 2, 3))
            np.save(folder / "normalization.npy", np.stack(moments))


def write_png_files(folder: Path, pixels: np.ndarray, labels: np.ndarray) -> None:
    """One file an image in a directory for its class."""
    for label in range(CLASSES):
        (folder / str(label)).mkdir(parents=True)
    for index, (image, label) in enumerate(zip(pixels, labels)):
        picture = Image.fromarray(image.transpose(1, 2, 0))
        # Noise does not compress.
        picture.save(folder / str(label) / f"{index:04}.png", compress_level=0)
