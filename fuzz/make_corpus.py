#!/usr/bin/env python3
"""Makes the seeds of corpus/ that nobody writes by hand: files of bytes, and tables with their first byte."""

import gzip
import io
import json
import struct
import tarfile
import zlib
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"


def write(target: str, name: str, data: bytes) -> None:
    path = CORPUS / target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def gzipped(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def idx() -> None:
    images = struct.pack(">4I", 0x803, 2, 2, 3) + bytes(range(12))
    labels = struct.pack(">2I", 0x801, 2) + bytes([3, 9])

    def seed(how_images: int, how_labels: int, images: bytes, labels: bytes) -> bytes:
        return bytes([how_images, how_labels]) + struct.pack("<H", len(images)) + images + labels

    write("idx", "plain", seed(0, 0, images, labels))
    write("idx", "gzipped-by-the-target", seed(1, 1, images, labels))
    # Of gzip data, "how" is the length after decompression; both are 2 modulo 3.
    images = struct.pack(">4I", 0x803, 2, 2, 4) + bytes(range(16))
    labels = struct.pack(">2I", 0x801, 3) + bytes([3, 9, 1])
    assert len(images) % 3 == 2 and len(labels) % 3 == 2
    two = gzipped(images[:9]) + gzipped(images[9:])
    write("idx", "gzip-data", seed(len(images), 0, two, labels[:7] + bytes([2, 3, 9])))
    write("idx", "gzip-labels", seed(0, len(labels), struct.pack(">4I", 0x803, 3, 1, 1) + b"abc", gzipped(labels)))
    write("idx", "huge-header", seed(0, 0, struct.pack(">4I", 0x803, *[0xFFFFFFFF] * 3), labels))


def cifar() -> None:
    planes = bytes(index % 251 for index in range(3072))
    write("cifar", "ten", bytes([0, 7]) + planes)
    write("cifar", "hundred", bytes([1, 3, 99]) + planes)
    write("cifar", "label-too-large", bytes([0, 10]) + planes)


def tar() -> None:
    def archive(entries, form=tarfile.USTAR_FORMAT) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as tar:
            for name, content, kind in entries:
                info = tarfile.TarInfo(name)
                info.type = kind
                info.size = len(content)
                if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
                    info.linkname = "/etc/passwd"
                tar.addfile(info, io.BytesIO(content))
        # Two empty blocks end an archive; Python pads it to twenty.
        blocks = out.getvalue().rstrip(b"\0")
        return blocks + bytes(-len(blocks) % 512 + 1024)

    file, directory = tarfile.REGTYPE, tarfile.DIRTYPE
    wanted = [("set", b"", directory), ("set/one.bin", b"abc", file), ("set/two.bin", b"abcde", file)]
    write("tar_gz", "wanted", b"\0" + archive(wanted))
    write("tar_gz", "wanted-gzip", b"\1" + gzipped(archive(wanted)))
    write("tar_gz", "too-short", b"\0" + archive([("one.bin", b"ab", file), ("two.bin", b"abcde", file)]))
    write("tar_gz", "too-long", b"\0" + archive([("one.bin", b"abcd", file), ("two.bin", b"abcde", file)]))
    write("tar_gz", "twice", b"\0" + archive([("one.bin", b"abc", file), ("set/one.bin", b"abc", file)]))
    write("tar_gz", "leads-out", b"\0" + archive([("../one.bin", b"abc", file)]))
    write("tar_gz", "link", b"\0" + archive([("one.bin", b"", tarfile.SYMTYPE)]))
    write("tar_gz", "gnu-long-name", b"\0" + archive([("a" * 120, b"", file)], tarfile.GNU_FORMAT))
    write("tar_gz", "pax", b"\0" + archive([("ä" * 80, b"x", file)], tarfile.PAX_FORMAT))


def png(colour: int, depth: int, rows: bytes, extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2I5B", 4, 2, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def image() -> None:
    def rows(values: int) -> bytes:
        return b"".join(bytes([0]) + bytes(range(row, row + values)) for row in range(2))

    write("image_folder", "grey.png", png(0, 8, rows(4)))
    write("image_folder", "colour.png", png(2, 8, rows(12)))
    write("image_folder", "colour-with-alpha-16.png", png(6, 16, rows(32)))
    palette = bytes(range(12))
    chunk = struct.pack(">I", 12) + b"PLTE" + palette + struct.pack(">I", zlib.crc32(b"PLTE" + palette))
    write("image_folder", "palette.png", png(3, 2, rows(1), chunk))


def shapes() -> None:
    def entry(name: str, dtype: str, shape: list[int], first: int, last: int) -> str:
        return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{first},{last}]}}'

    def header(*entries: str) -> bytes:
        return ("{" + ",".join(entries) + "}").encode()

    def file(text: bytes, weights: int) -> bytes:
        return b"\0" + struct.pack("<Q", len(text)) + text + bytes(weights)

    two = header('"__metadata__":{"format":"pt"}', entry("a.w", "BF16", [2, 3], 0, 12), entry("b", "I64", [], 12, 20))
    write("tensor_shapes", "two", file(two, 20))
    write("tensor_shapes", "twice", file(header(entry("a", "U8", [1], 0, 1), entry("a", "U8", [1], 0, 1)), 1))
    write("tensor_shapes", "overlap", file(header(entry("a", "U8", [2], 0, 2), entry("b", "U8", [2], 1, 3)), 3))
    write("tensor_shapes", "huge-length", b"\0" + struct.pack("<Q", 2**63) + b"{}")
    large = header(entry("w", "F32", [1 << 20, 1 << 18], 0, 1 << 40), entry("empty", "F16", [0, 7], 1 << 40, 1 << 40))
    write("tensor_shapes", "terabyte", b"\1" + struct.pack("<Q", 1 << 40) + large)

    def width(n: int) -> str:
        sides = {"in": [n, 3], "h": [n, n], "out": [5, n], "t": [9, n], "bn.weight": [n], "bn.running_mean": [n]}
        lines = [f'"{name}" = {{ dtype = "F32", shape = {shape} }}' for name, shape in sides.items()]
        return "\n".join(["[tensors]", *lines])

    roles = "embedding = ['t']\nnorm = ['bn.*']\n[gain]\n'*' = 1.4\n[layout]\nh = 'in out'"
    write("tensor_shapes", "widths", f"\2{width(4)}\n---\n{width(12)}\n---\n{roles}".encode())
    write("tensor_shapes", "ambiguous", f"\2{width(4)}\n---\n{width(12)}\n---\n".encode())


def weights() -> None:
    def file(header: str, weights: bytes) -> bytes:
        return struct.pack("<Q", len(header)) + header.encode() + weights

    def entry(name: str, dtype: str, shape: list[int], first: int, last: int) -> str:
        return f'"{name}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":[{first},{last}]}}'

    kinds = [("F64", 8, "d"), ("F32", 4, "f"), ("F16", 2, "e")]
    entries, data = ['"__metadata__":{"format":"pt"}'], b""
    for dtype, size, code in kinds:
        entries.append(entry(dtype, dtype, [2], len(data), len(data) + 2 * size))
        data += struct.pack(f"<2{code}", 1.5, -0.25)
    entries.append(entry("bf", "BF16", [1, 1], len(data), len(data) + 2))
    data += b"\x80\x3f"
    entries.append(entry("bn.num_batches_tracked", "I64", [], len(data), len(data) + 8))
    data += bytes(8)
    write("weights", "every-float", file("{" + ",".join(entries) + "}", data))
    write("weights", "empty", file("{}", b""))
    write("weights", "not-finite", file("{" + entry("w", "F32", [1], 0, 4) + "}", struct.pack("<f", float("nan"))))
    write("weights", "whole-number", file("{" + entry("w", "I8", [1], 0, 1) + "}", b"\1"))
    write("weights", "metadata-is-null", file('{"__metadata__":null}', b""))
    write("weights", "huge-length", struct.pack("<Q", 2**63) + b"{}")


def table() -> None:
    rows = [(width, lr, rho, seed) for width in (8, 32) for lr in (0.1, 0.2, 0.4) for rho in (0, 0.1) for seed in (0, 1)]
    accuracy = [(lr, 0.9 - abs(lr - 0.2) + rho / 10 + seed / 100) for _, lr, rho, seed in rows]
    names = ["scheme", "width", "lr", "rho", "seed", "status", "test", "accuracy"]
    cells = [
        ["mup2", *row, "finished", value - 0.01, value] for row, (_, value) in zip(rows, accuracy, strict=True)
    ]

    def separated(sign: str) -> bytes:
        return "\n".join(sign.join(map(str, row)) for row in [names, *cells]).encode()

    lines = "\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in cells).encode()
    # Bits 0 and 1: the name of the file. 2: rho, 3: test, 4: status, 5: less is better, 6: a threshold,
    # 7: a nested learning rate.
    write("table", "csv", bytes([0b0001_1100]) + separated(","))
    write("table", "tsv-less-is-better", bytes([0b0110_0001]) + separated("\t"))
    write("table", "json-lines", bytes([0b0001_1110]) + lines)
    write("table", "json-lines-gzip", bytes([0b0000_0111]) + gzipped(lines))
    nested = b'{"width":8,"optimizer":{"lr":0.1},"accuracy":NaN}\n{"width":16,"optimizer":{"lr":0.2},"accuracy":50}'
    write("table", "nested", bytes([0b1000_0010]) + nested)
    write("table", "odd-cells", b"\0\xef\xbb\xbfwidth,lr,accuracy\r\n1e3,-1,inf\r\n8,\"0.5\",12%,more\r\n,0,\n8.5,1,1\n")
    write("table", "extremes", b"\0width,lr,accuracy\n8000000000000000,5e-324,1\n1,1.7e308,0\n1,0,1e308\n")


if __name__ == "__main__":
    idx()
    cifar()
    tar()
    image()
    shapes()
    weights()
    table()
