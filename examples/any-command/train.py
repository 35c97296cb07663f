"""A training that knows nothing of mup2: a small network on two spirals, in plain Python.

    python3 train.py --width=8 --lr=0.5 --rho=0.05 --seed=0 --epochs=20

prints its accuracies as one line of JSON. Sharpness-aware: the gradient of each step is taken at
w + rho * g / |g|. Where $MUP2_CHECKPOINTS names a directory, it goes on from what it has left there.
"""

import argparse
import json
import math
import os
import random


def spirals(count, seed):
    """Points of two spirals that wind around each other, with their classes -1 and 1."""
    noise = random.Random(seed)
    points = []
    for index in range(count):
        turn = 0.5 + 3.0 * noise.random()
        label = 1 if index % 2 else -1
        angle = turn * math.pi / 1.5 + (math.pi if label > 0 else 0.0)
        x = turn * math.cos(angle) / 3.5 + noise.gauss(0.0, 0.03)
        y = turn * math.sin(angle) / 3.5 + noise.gauss(0.0, 0.03)
        points.append((x, y, label))
    return points


BASE_WIDTH = 8


class Network:
    """tanh(x V + b) u. At the base width both schemes are the same network."""

    def __init__(self, width, scheme, seed):
        draw = random.Random(1000 + seed)
        ratio = width / BASE_WIDTH if scheme == "mup" else 1.0
        size = 1.0 / math.sqrt(width * ratio)
        self.hidden = [[draw.gauss(0.0, 2.0) for _ in range(3)] for _ in range(width)]
        self.readout = [draw.gauss(0.0, size) for _ in range(width)]
        # muP for SGD: the rate of the first layer rises with the width, that of the readout falls.
        self.rates = (ratio, 1.0 / ratio)

    def forward(self, x, y):
        units = [math.tanh(v[0] * x + v[1] * y + v[2]) for v in self.hidden]
        return sum(u * h for u, h in zip(self.readout, units)), units

    def gradient(self, batch):
        """The gradient of the mean logistic loss, and the loss."""
        hidden = [[0.0] * 3 for _ in self.hidden]
        readout = [0.0] * len(self.readout)
        loss = 0.0
        for x, y, label in batch:
            output, units = self.forward(x, y)
            margin = max(min(label * output, 50.0), -50.0)
            loss += math.log1p(math.exp(-margin))
            slope = -label / (1.0 + math.exp(margin)) / len(batch)
            for unit, (h, u) in enumerate(zip(units, self.readout)):
                readout[unit] += slope * h
                inner = slope * u * (1.0 - h * h)
                row = hidden[unit]
                row[0] += inner * x
                row[1] += inner * y
                row[2] += inner
        return hidden, readout, loss / len(batch)

    def move(self, hidden, readout, factors):
        for row, step in zip(self.hidden, hidden):
            for place, value in enumerate(step):
                row[place] += factors[0] * value
        for place, value in enumerate(readout):
            self.readout[place] += factors[1] * value


def norm(hidden, readout):
    return math.sqrt(sum(v * v for row in hidden for v in row) + sum(v * v for v in readout))


def sam_step(network, batch, lr, rho):
    hidden, readout, loss = network.gradient(batch)
    if rho > 0.0:
        size = rho / (norm(hidden, readout) + 1e-12)
        network.move(hidden, readout, (size, size))
        at = network.gradient(batch)
        network.move(hidden, readout, (-size, -size))
        hidden, readout = at[0], at[1]
    network.move(hidden, readout, tuple(-lr * rate for rate in network.rates))
    return loss


def accuracy(network, points):
    right = sum(1 for x, y, label in points if network.forward(x, y)[0] * label > 0.0)
    return right / len(points)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--scheme", choices=["sp", "mup"], default="sp")
    arguments.add_argument("--width", type=int, required=True)
    arguments.add_argument("--lr", type=float, required=True)
    arguments.add_argument("--rho", type=float, default=0.0)
    arguments.add_argument("--seed", type=int, default=0)
    arguments.add_argument("--epochs", type=int, default=10)
    options = arguments.parse_args()

    train, validation, test = spirals(96, 1), spirals(200, 2), spirals(200, 3)
    network = Network(options.width, options.scheme, options.seed)
    curve, start = [], 0
    kept = os.path.join(os.environ.get("MUP2_CHECKPOINTS", "."), "checkpoint.json")
    if "MUP2_CHECKPOINTS" in os.environ and os.path.exists(kept):
        with open(kept) as file:
            start, curve, network.hidden, network.readout = json.load(file)
        print(f"goes on after epoch {start}")
    for epoch in range(start, options.epochs):
        order = train[:]
        random.Random(7919 * options.seed + epoch).shuffle(order)
        losses = [
            sam_step(network, order[place : place + 16], options.lr, options.rho)
            for place in range(0, len(order), 16)
        ]
        curve.append(sum(losses) / len(losses))
        print(f"epoch {epoch + 1}: loss {curve[-1]:.4f}", flush=True)
        if not math.isfinite(curve[-1]):
            print(json.dumps({"status": "diverged"}))
            return
        if "MUP2_CHECKPOINTS" in os.environ:
            # Written aside and renamed, so that it is whole whenever we are killed.
            with open(kept + ".new", "w") as file:
                json.dump([epoch + 1, curve, network.hidden, network.readout], file)
            os.replace(kept + ".new", kept)
    print(
        json.dumps(
            {
                "val_acc": accuracy(network, validation),
                "test_acc": accuracy(network, test),
                "loss": curve[-1],
                "curves": {"loss": curve},
            }
        )
    )


if __name__ == "__main__":
    main()
