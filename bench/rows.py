"""The rows of the comparison: one network each, and the ratio that is aimed at.

Standard library only: the driver and the parent of PyTorch's workers read it too.
"""

from dataclasses import dataclass
from pathlib import Path

BATCH_SIZE = 64
CLASSES = 10
CHANNELS = 3
IMAGE_SIDE = 32
# Small enough that nothing diverges on random labels; no time depends on them.
LEARNING_RATE = 2.0**-10
RADIUS = 2.0**-5
MOMENTUM = 0.9

VIT_PATCH = 4
VIT_DEPTH = 6
VIT_HEAD_DIM = 64


@dataclass(frozen=True)
class Row:
    """A network, how long it is measured, and the target."""

    name: str
    title: str
    kind: str
    width: int
    base_width: int
    steps: int
    warmup: int
    # Throughput of mup2 over PyTorch's, at least.
    target: float

    def run_file(self, data: Path) -> str:
        """The run as `mup2 bench` reads it, on the images in `data`."""
        vit = f"patch = {VIT_PATCH}\ndepth = {VIT_DEPTH}\nhead_dim = {VIT_HEAD_DIM}\n"
        return (
            "[data]\n"
            'dataset = "folder"\n'
            f"path = '{data}'\n"
            'storage = "memory"\n'
            "validation_fraction = 0.0\n"
            "[model]\n"
            f'kind = "{self.kind}"\n'
            f"width = {self.width}\n"
            f"base_width = {self.base_width}\n"
            + (f"[model.vit]\n{vit}" if self.kind == "vit" else "")
            + "[optimizer]\n"
            f"lr = {LEARNING_RATE}\n"
            f"momentum = {MOMENTUM}\n"
            "[sam]\n"
            f"rho = {RADIUS}\n"
            "[train]\n"
            f"batch_size = {BATCH_SIZE}\n"
            # More than any measurement takes.
            "epochs = 1000\n"
        )


ROWS = [
    Row("mlp-64", "MLP 3072-64-64-10", "mlp", 64, 64, 1000, 50, 2.0),
    Row("mlp-256", "MLP 3072-256-256-10", "mlp", 256, 64, 400, 20, 2.0),
    Row("mlp-1024", "MLP 3072-1024-1024-10", "mlp", 1024, 64, 80, 5, 2.0),
    Row("mlp-4096", "MLP 3072-4096-4096-10", "mlp", 4096, 64, 12, 2, 2.0),
    Row("resnet-16", "ResNet-18 × 0.25, 32×32", "resnet", 16, 16, 12, 2, 0.7),
    Row("resnet-64", "ResNet-18 × 1, 32×32", "resnet", 64, 16, 4, 1, 0.7),
    Row("vit-192", "ViT 192 wide, 6 deep, patch 4, 32×32", "vit", 192, 64, 6, 1, 0.9),
]


def row_named(name: str) -> Row:
    """The row of this name.

    Raises ValueError for any other.
    """
    for row in ROWS:
        if row.name == name:
            return row
    known = ", ".join(row.name for row in ROWS)
    raise ValueError(f"`{name}` is no row; allowed: {known}")
