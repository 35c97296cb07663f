"""mup2's stacked trials on a GPU against PyTorch, one trial after the other on the same card.

    python gpu.py                                     vulkan against cuda, under ten minutes on a card
    python gpu.py --device wgpu --peer-device cpu --trials 4 --peer-steps 20     to try the script

For the three-layer MLP of the paper's figure 1 on images of CIFAR-10's size, at each width: a sweep of `--trials`
cells of learning rate and radius by mup2, stacked and one by one, timed as a command, its start included; and
SAM steps of PyTorch in eager mode, its data on the card. Prints a Markdown table, and how long the paper's
figure would take: 4 schemes, a 9 × 9 grid, 3 seeds, 20 epochs of 50,000 images.
"""

import argparse
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from images import TRAIN_IMAGES, make_images
from machine import description
from rows import BATCH_SIZE, Row, row_named

ROOT = Path(__file__).resolve().parent.parent
WIDTHS = ["mlp-64", "mlp-256", "mlp-1024"]
TARGET = 20.0
STEPS_PER_EPOCH = TRAIN_IMAGES // BATCH_SIZE
FIGURE_TRIALS = 4 * 9 * 9 * 3
FIGURE_STEPS = 20 * (50_000 // BATCH_SIZE)


def main() -> int:
    arguments = parse()
    try:
        print(measure(arguments))
    except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Stacked trials on a GPU against PyTorch.")
    parser.add_argument("--device", default="vulkan", help="mup2's device (vulkan)")
    parser.add_argument("--peer-device", default="cuda", help="PyTorch's device (cuda)")
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/mup2")
    parser.add_argument("--only", action="append", choices=WIDTHS, help="a row; may be repeated")
    parser.add_argument("--stack", type=int, help="trials at once (what fits into memory)")
    parser.add_argument("--trials", type=int, default=81, help="trials of a sweep (81)")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of a trial (4)")
    parser.add_argument("--peer-steps", type=int, default=1000, help="steps of PyTorch (1000)")
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> str:
    """The page."""
    head = "| network | mup2, stacked | mup2, one by one | PyTorch, one by one | ratio | the figure's share, minutes |"
    lines = ["", f"SAM steps a second, all trials together. Target of the ratio: {TARGET:g}.", ""]
    lines += [head, "| --- | --- | --- | --- | --- | --- |"]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        make_images(data)
        # Drivers keep compiled kernels; and this finds out what is missing.
        _, card = ours(arguments, row_named(WIDTHS[0]), data, 2, None)
        about = {**description(arguments.binary), "Card": card}
        about["Peer's device"] = arguments.peer_device
        title = ["# Stacked trials on a GPU", ""]
        lines = title + [f"- {name}: {value}" for name, value in about.items()] + lines
        for name in arguments.only or WIDTHS:
            row = row_named(name)
            stacked, _ = ours(arguments, row, data, arguments.trials, arguments.stack)
            alone, _ = ours(arguments, row, data, 2, 1)
            peer = theirs(arguments, row, data)
            minutes = FIGURE_TRIALS * FIGURE_STEPS / stacked / 60.0
            cells = [f"{stacked:.0f}", f"{alone:.0f}", f"{peer:.0f}", f"**{stacked / peer:.1f}**"]
            lines.append("| " + " | ".join([row.title, *cells, f"{minutes:.0f}"]) + " |")
            print(lines[-1], file=sys.stderr)
    return "\n".join(lines)


def ours(
    arguments: argparse.Namespace, row: Row, data: Path, trials: int, stack: int | None
) -> tuple[float, str]:
    """SAM steps a second of a sweep of so many trials, from the command's start to its end, and what
    mup2 says of the device.
    """
    rates = math.isqrt(trials)
    radii = math.ceil(trials / rates)
    rate = [2.0 ** (-14 + 0.5 * place) for place in range(rates)]
    radius = [2.0 ** (-8 + 0.5 * place) for place in range(radii)]
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder) / "sweep.toml"
        sweep.write_text(sweep_file(row, data, rate, radius, arguments.epochs))
        command = [str(arguments.binary), "sweep", "run", str(sweep)]
        command += ["--out", str(Path(folder) / "out"), "--device", arguments.device]
        command += [] if stack is None else ["--stack", str(stack)]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise RuntimeError(f"`{' '.join(command)}` failed:\n{done.stderr[-2000:]}")
    found = re.search(r"(\d+) runs trained in .*\((\d+) completed", done.stderr)
    if found is None or {int(count) for count in found.groups()} != {rates * radii}:
        raise RuntimeError(f"not every trial was completed:\n{done.stderr[-2000:]}")
    card = re.search(r"^device (.*)$", done.stderr, re.MULTILINE)
    steps = rates * radii * arguments.epochs * STEPS_PER_EPOCH
    return steps / seconds, card.group(1) if card else arguments.device


def sweep_file(
    row: Row, data: Path, rate: list[float], radius: list[float], epochs: int
) -> str:
    """The sweep of a row over learning rate and radius."""
    return (
        'name = "gpu"\nselection = "best-test"\n'
        f'[grid]\nscheme = ["mup2"]\nwidth = [{row.width}]\nlr = {rate}\nrho = {radius}\n'
        f"[run.data]\ndataset = \"folder\"\npath = '{data}'\nstorage = \"memory\"\n"
        "validation_fraction = 0.0\n"
        f"[run.model]\nbase_width = {row.base_width}\n"
        f"[run.optimizer]\nmomentum = 0.9\n"
        f"[run.train]\nbatch_size = {BATCH_SIZE}\nepochs = {epochs}\n"
        f"evaluate_every = {epochs}\n"
    )


def theirs(arguments: argparse.Namespace, row: Row, data: Path) -> float:
    """SAM steps a second of one trial of PyTorch after another, after a warm-up."""
    import torch

    from trainer import Trainer

    if arguments.peer_device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("PyTorch finds no CUDA device; --peer-device names another")
    trainer = Trainer(row.name, data, 0, False, arguments.peer_device)
    for _ in range(arguments.peer_steps // 10):
        trainer.step()
    trainer.mean_loss()
    start = time.perf_counter()
    for _ in range(arguments.peer_steps):
        trainer.step()
    # Waits for what the card still computes.
    trainer.mean_loss()
    return arguments.peer_steps / (time.perf_counter() - start)


if __name__ == "__main__":
    sys.exit(main())
