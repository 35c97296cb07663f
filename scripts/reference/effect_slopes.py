#!/usr/bin/env python3
"""Measures how every layer's perturbation acts as the width grows (section 8 of the method).

    python3 scripts/reference/effect_slopes.py               # widths 64 … 1024, 4 seeds: half a minute
    python3 scripts/reference/effect_slopes.py --base 64     # multipliers of n/64 in place of n
    python3 scripts/reference/effect_slopes.py --quick       # widths 64 … 512, 2 seeds: seconds

Needs NumPy only. A 3-layer ReLU MLP without biases in µP (base width 1: powers of n itself) takes 5 SAM steps, each
on a fresh random batch; on a further batch it then measures, for every layer, the RMS of
ε^l x^(l-1): the change of the layer's preactivations (for the readout, of the logits) by its own
perturbation, x^(l-1) being the unperturbed layer input. The slope of the log RMS against log n
(geometric mean over seeds) must be 0 in every layer for a perturbation that is effective
everywhere; the exponents p_l of the theory stand beside it. The script prints a Markdown table
and names the rows that are more than a tolerance away from the theory.

The base width changes constants only, so it does not move the exponents of the limit; but with a
coupled denominator it decides which layer's part of the norm dominates at the widths measured,
and `--base 64` shows slopes far from the limit there. The decoupled denominator has no such drift.

Exponents come from `derive` in mlp_sam_trajectories.py, where they are checked against sections
3 and 4; nothing of the Rust code is used.
"""

import argparse
import math
import time

import numpy as np
from mlp_sam_trajectories import derive

NAMES = ["input.weight", "hidden.0.weight", "readout.weight"]
INPUTS, CLASSES, BATCH, STEPS = 32, 10, 64, 5
LEARNING_RATE = 0.1
TOLERANCE = 0.1

# label, perturbation, rule, denominator, ρ, METHOD section 8 (None: not in its table)
VARIANTS = [
    ("naive", "naive", "sam", "coupled", 0.05, (-1.35, -0.45, 0.39)),
    ("global", "global", "sam", "coupled", 0.05, (-1.99, -0.99, -0.02)),
    ("gradient-balanced", "balanced", "sam", "coupled", 0.05, None),
    ("first-layer-only", "first-layer", "sam", "coupled", 0.05, None),
    ("µP², coupled", "mup2", "sam", "coupled", 0.05, (0.00, 0.01, -0.03)),
    ("µP², DP", "mup2", "sam", "decoupled", 0.05, (0.00, 0.01, -0.03)),
    ("elementwise ASAM, d=−½", "mup2", "asam", "coupled", 0.5, (0.00, -0.02, 0.00)),
    ("elementwise ASAM, DP", "mup2", "asam", "decoupled", 0.5, None),
    ("elementwise ASAM, d=0", "naive", "asam", "coupled", 0.5, (-0.50, -0.52, -0.50)),
    ("elementwise ASAM, d=+½", "global", "asam", "coupled", 0.5, None),
    ("layerwise ASAM, d=0, (0,1,0)", "mup2", "asam-layer", "coupled", 0.01, (0.00, 0.01, -0.03)),
    ("layerwise ASAM, DP", "mup2", "asam-layer", "decoupled", 0.01, None),
    ("layerwise ASAM, unscaled", "naive", "asam-layer", "coupled", 0.01, (-0.42, 0.54, -0.54)),
    ("random, derived, coupled", "mup2", "random", "coupled", 0.5, None),
    ("random, derived, DP", "mup2", "random", "decoupled", 0.5, None),
    ("random, unscaled", "naive", "random", "coupled", 0.5, None),
]


def forward_backward(w, x, labels):
    """Gradients of the mean cross-entropy, and every layer's input."""
    w1, w2, w3 = (w[name] for name in NAMES)
    x1 = np.maximum(x @ w1, 0)
    x2 = np.maximum(x1 @ w2, 0)
    logits = x2 @ w3
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    p[np.arange(len(x)), labels] -= 1
    delta3 = p / len(x)
    delta2 = (delta3 @ w3.T) * (x2 > 0)
    delta1 = (delta2 @ w2.T) * (x1 > 0)
    gradients = dict(zip(NAMES, (x.T @ delta1, x1.T @ delta2, x2.T @ delta3)))
    return gradients, dict(zip(NAMES, (x, x1, x2)))


def perturbation(w, gradients, rule, mult, rho, rng):
    """ε_l = ρ rho_l T_l² ∇_l / ‖(norm_k T_k ∇_k)_k‖, ∇ replaced by Gaussians for `random`."""
    direction, t = gradients, {}
    if rule == "random":
        direction = {name: rng.standard_normal(w[name].shape) for name in NAMES}
    for name in NAMES:
        if rule == "asam":
            t[name] = np.abs(w[name]) + 0.01 * mult[name]["asam_eta"]
        elif rule == "asam-layer":
            t[name] = np.linalg.norm(w[name])
        else:
            t[name] = 1.0
    norm = math.sqrt(
        sum(np.sum((mult[name]["norm"] * t[name] * direction[name]) ** 2) for name in NAMES)
    )
    return {
        name: (rho * mult[name]["rho"] / norm) * t[name] ** 2 * direction[name] for name in NAMES
    }


def measure(width, base, seed, scheme, rho):
    """(effects, gradient norms) per layer, and the theory's p_l."""
    rng = np.random.default_rng([seed, width])
    data = np.random.default_rng([seed, 1])  # the same batches at every width
    r = width / base
    d, exponents = derive(scheme, NAMES)
    mult = {
        name: {
            "rho": r ** -(d + x["d"]),
            "norm": r ** -x["e"],
            "lr": r ** -x["c"],
            "init": r ** -x["b"],
            "asam_eta": r ** x["entries"],
        }
        for name, x in exponents.items()
    }
    shapes = {
        "input.weight": (INPUTS, width, math.sqrt(2 / INPUTS)),
        "hidden.0.weight": (width, width, math.sqrt(2 / base)),
        "readout.weight": (width, CLASSES, math.sqrt(1 / base)),
    }
    w = {
        name: std * mult[name]["init"] * rng.standard_normal((fan_in, fan_out))
        for name, (fan_in, fan_out, std) in shapes.items()
    }

    def batch():
        return data.standard_normal((BATCH, INPUTS)), data.integers(CLASSES, size=BATCH)

    for _ in range(STEPS):
        x, labels = batch()
        gradients, _ = forward_backward(w, x, labels)
        epsilon = perturbation(w, gradients, scheme["rule"], mult, rho, rng)
        gradients, _ = forward_backward({n: w[n] + epsilon[n] for n in NAMES}, x, labels)
        for name in NAMES:
            w[name] -= LEARNING_RATE * mult[name]["lr"] * gradients[name]
    x, labels = batch()
    gradients, inputs = forward_backward(w, x, labels)
    epsilon = perturbation(w, gradients, scheme["rule"], mult, rho, rng)
    effects = [np.sqrt(np.mean((inputs[n] @ epsilon[n]) ** 2)) for n in NAMES]
    norms = [np.linalg.norm(gradients[n]) for n in NAMES]
    return effects, norms, [exponents[n]["p"] for n in NAMES]


def slopes(widths, logs):
    return np.polyfit(np.log(widths), logs, 1)[0]


def numbers(values):
    return " ".join(f"{value + 0.0:+.2f}" for value in values)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--base", type=int, default=1, help="base width")
    parser.add_argument("--widest", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=4)
    options = parser.parse_args()
    widest, seeds = (512, range(2)) if options.quick else (options.widest, range(options.seeds))
    widths = [64 << k for k in range(16) if 64 << k <= widest]
    start = time.monotonic()
    print(f"Widths {widths[0]} … {widths[-1]}, {len(seeds)} seeds, {STEPS} steps, base {options.base}.\n")
    print("| variant (µP) | ε¹ξ | ε²x¹ | ε³x² | theory | ‖∇‖_F | METHOD §8 | largest difference |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    wrong = []
    for label, perturb, rule, denominator, rho, method in VARIANTS:
        scheme = {
            "parameterization": "mup",
            "perturbation": perturb,
            "denominator": denominator,
            "rule": rule,
            "asam_bias": "one",
        }
        logs, norms = [], []
        for width in widths:
            runs = [measure(width, options.base, seed, scheme, rho) for seed in seeds]
            logs.append(np.mean([np.log(run[0]) for run in runs], axis=0))
            norms.append(np.mean([np.log(run[1]) for run in runs], axis=0))
            theory = runs[0][2]
        assert np.isfinite(logs).all(), label
        found, gradient = slopes(widths, np.array(logs)), slopes(widths, np.array(norms))
        difference = "" if method is None else f"{np.abs(found - method).max():.2f}"
        cells = " | ".join(f"{value + 0.0:+.2f}" for value in found)
        given = "" if method is None else numbers(method)
        print(
            f"| {label} | {cells} | {numbers(theory)} | {numbers(gradient)} | {given} "
            f"| {difference} |",
            flush=True,
        )
        if np.abs(found - theory).max() > TOLERANCE:
            wrong.append(label)
    print(f"\nMore than {TOLERANCE} from the theory: {', '.join(wrong) or 'none'}.")
    print(f"{time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
