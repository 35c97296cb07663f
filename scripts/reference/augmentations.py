#!/usr/bin/env python3
"""Writes crates/mup2-train/tests/fixtures/augmentations.json: small images before and after each augmentation
operation, made by Pillow and NumPy without any of the Rust code.

    python3 scripts/reference/augmentations.py

Needs Pillow, NumPy and SciPy (`pip install pillow numpy scipy`; the file was made with the versions that
it names). Operations of RandAugment are Pillow's own, called as torchvision's RandAugment calls them for
PIL images: shear about the upper left corner and translation through a matrix, rotation about the middle,
nearest pixel, black outside; factors through ImageEnhance; the rest through ImageOps. Magnitudes are
torchvision's, 31 bins. Crops, Cutout, Random Erasing, mixup and CutMix are NumPy slices with given places
and shares. `data/augment/reference_tests.rs` reads the file.

The script also prints quantiles of Beta(a, a), for `data/augment/tests.rs`.
"""

import json
import math
from pathlib import Path

import numpy as np
import PIL
import scipy
from PIL import Image, ImageEnhance, ImageOps
from scipy.stats import beta

OUT = Path(__file__).resolve().parents[2] / "crates/mup2-train/tests/fixtures/augmentations.json"
BINS = 31


def images():
    """Channels first. Ranges differ by channel, so that AutoContrast has something to do."""
    random = np.random.default_rng(0)

    def noise(channels, height, width):
        ranges = [(0, 256), (60, 181), (17, 99)]
        planes = [random.integers(*ranges[c], size=(height, width)) for c in range(channels)]
        return np.array(planes, dtype=np.uint8)

    rows, columns = np.mgrid[0:24, 0:20]
    ramp = np.clip(10 * rows - 3 * columns + random.integers(-20, 21, size=(24, 20)), 0, 255)
    flat = noise(3, 5, 6)
    flat[1] = 77
    return {
        "colour": noise(3, 9, 7),
        "grey": noise(1, 7, 9),
        "large": noise(3, 24, 20),
        "ramp": ramp[None].astype(np.uint8),
        "flat": flat,
        "tiny": noise(3, 2, 2),
    }


def to_pillow(image):
    return Image.fromarray(image[0] if len(image) == 1 else np.moveaxis(image, 0, -1))


def from_pillow(image):
    array = np.asarray(image)
    return array[None] if array.ndim == 2 else np.moveaxis(array, -1, 0)


def affine(image, center, translate, shear):
    """Pillow's transform with the inverse of: move to `center`, shear by degrees, move back, translate."""
    shear_x, shear_y = (math.tan(math.radians(degrees)) for degrees in shear)

    def moved(x, y):
        return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])

    # torchvision: positive angles shift towards the upper left.
    sheared = np.array([[1.0, 0.0, 0.0], [-shear_y, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ np.array(
        [[1.0, -shear_x, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    )
    x, y = center
    matrix = np.linalg.inv(moved(*translate) @ moved(x, y) @ sheared @ moved(-x, -y))
    data = matrix[:2].flatten().tolist()
    return image.transform(image.size, Image.Transform.AFFINE, data, Image.Resampling.NEAREST)


def apply(operation, value, image):
    middle = [image.width / 2, image.height / 2]
    degrees = math.degrees(math.atan(value)) if value is not None else 0.0
    return {
        "shear-x": lambda: affine(image, [0, 0], [0, 0], [degrees, 0.0]),
        "shear-y": lambda: affine(image, [0, 0], [0, 0], [0.0, degrees]),
        "translate-x": lambda: affine(image, middle, [value, 0], [0.0, 0.0]),
        "translate-y": lambda: affine(image, middle, [0, value], [0.0, 0.0]),
        "rotate": lambda: image.rotate(value, Image.Resampling.NEAREST),
        "brightness": lambda: ImageEnhance.Brightness(image).enhance(value),
        "colour": lambda: ImageEnhance.Color(image).enhance(value),
        "contrast": lambda: ImageEnhance.Contrast(image).enhance(value),
        "sharpness": lambda: ImageEnhance.Sharpness(image).enhance(value),
        "posterize": lambda: ImageOps.posterize(image, value),
        "solarize": lambda: ImageOps.solarize(image, value),
        "auto-contrast": lambda: ImageOps.autocontrast(image),
        "equalize": lambda: ImageOps.equalize(image),
    }[operation]()


FACTORS = [0.1, 0.37, 0.73, 1.0, 1.27, 1.9]
VALUES = {
    "shear-x": [0.09, -0.09, 0.3, -0.3],
    "shear-y": [0.09, -0.09, 0.3, -0.3],
    "translate-x": [1, -2, 0],
    "translate-y": [2, -1],
    "rotate": [9.0, -9.0, 30.0, -30.0, 0.0],
    "brightness": FACTORS,
    "colour": FACTORS,
    "contrast": FACTORS,
    "sharpness": FACTORS,
    "posterize": [4, 5, 7, 8],
    "solarize": [255.0, 178.5, 0.0],
    "auto-contrast": [None],
    "equalize": [None],
}
# Where a larger image shows something that a small one does not.
LARGE = ["shear-x", "shear-y", "rotate", "contrast", "sharpness", "auto-contrast", "equalize"]


def operation_cases(named):
    for name, image in named.items():
        for operation, values in VALUES.items():
            if name in ("large", "ramp") and operation not in LARGE:
                continue
            for value in values[:2] if name in ("large", "ramp", "tiny", "flat") else values:
                yield name, operation, value, from_pillow(apply(operation, value, to_pillow(image)))


def magnitudes(height, width):
    """torchvision's table, as single precision where torchvision has tensors of it."""

    def line(first, last):
        return np.linspace(first, last, BINS).astype(np.float32).astype(float)

    factors = 1.0 + line(0.0, 0.9)
    bits = 8 - np.round(np.arange(BINS) / ((BINS - 1) / 4)).astype(int)
    table = {
        "shear-x": line(0.0, 0.3),
        "shear-y": line(0.0, 0.3),
        "translate-x": line(0.0, 150.0 / 331.0 * width).astype(int),
        "translate-y": line(0.0, 150.0 / 331.0 * height).astype(int),
        "rotate": line(0.0, 30.0),
        "brightness": factors,
        "colour": factors,
        "contrast": factors,
        "sharpness": factors,
        "posterize": bits,
        "solarize": line(255.0, 0.0),
    }
    return {name: column.tolist() for name, column in table.items()}


def crops(image):
    """Crops of the padded image; `down` and `right` are the place less the padding."""
    _, height, width = image.shape
    for padding, down, right in [(4, -4, 4), (4, 3, -2), (6, 0, 6), (6, -6, -6), (2, 1, 0)]:
        padded = np.pad(image, ((0, 0), (padding, padding), (padding, padding)))
        top, left = padding + down, padding + right
        crop = padded[:, top : top + height, left : left + width]
        for flip in (False, True):
            yield {"down": down, "right": right, "flip": flip}, crop[..., ::-1] if flip else crop


def mixed(batch, partners):
    """Each kind of mixing of a batch of normalized images, with a given share or box."""
    own_share = 0.3
    yield {"own_share": own_share}, own_share * batch + (1 - own_share) * batch[partners]
    top, left, height, width = 1, 2, 2, 3
    boxed = batch.copy()
    box = (slice(None), slice(None), slice(top, top + height), slice(left, left + width))
    boxed[box] = batch[partners][box]
    own_share = 1 - height * width / (batch.shape[2] * batch.shape[3])
    yield {"own_share": own_share, "box": [top, left, height, width]}, boxed


def hexadecimal(image):
    return np.ascontiguousarray(image).tobytes().hex()


def main():
    named = images()
    random = np.random.default_rng(1)
    batch = random.normal(size=(6, 2, 4, 6)).astype(np.float32).astype(float)
    partners = [2, 0, 1, 4, 3, 5]
    fixture = {
        "made_by": "scripts/reference/augmentations.py, "
        f"Pillow {PIL.__version__}, NumPy {np.__version__}",
        "images": {
            name: {"shape": list(image.shape), "pixels": hexadecimal(image)}
            for name, image in named.items()
        },
        "operations": [
            {"image": name, "operation": operation, "value": value, "pixels": hexadecimal(after)}
            for name, operation, value, after in operation_cases(named)
        ],
        "magnitudes": {"height": 28, "width": 32, "values": magnitudes(28, 32)},
        "crops": [
            {"image": "colour", **place, "pixels": hexadecimal(after)}
            for place, after in crops(named["colour"])
        ],
        "mixing": {
            "shape": list(batch.shape),
            "pixels": batch.flatten().tolist(),
            "partners": partners,
            "cases": [
                {**case, "pixels": np.round(after, 7).flatten().tolist()}
                for case, after in mixed(batch, partners)
            ],
        },
    }
    lines = [
        f" {json.dumps(key)}: "
        + (
            "[\n" + ",\n".join("  " + json.dumps(row) for row in value) + "\n ]"
            if isinstance(value, list)
            else json.dumps(value)
        )
        for key, value in fixture.items()
    ]
    OUT.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{OUT}: {len(fixture['operations'])} operations, {OUT.stat().st_size} bytes")
    print(f"SciPy {scipy.__version__}, quantiles of Beta(a, a) at 0.1, 0.25, 0.4:")
    for a in (0.2, 1.0, 4.0):
        print(f"    ({a}, {[float(f'{q:.9e}') for q in beta(a, a).ppf([0.1, 0.25, 0.4])]}),")


if __name__ == "__main__":
    main()
