#!/usr/bin/env python3
"""Exact Hessians of a small tanh network, in NumPy and float64: what mup2's sharpness is held against.

    python3 scripts/reference/sharpness.py                  # exact numbers, seconds
    python3 scripts/reference/sharpness.py --differences    # what differences cost, half a minute

Needs NumPy only (made with 2.4.6). Prints the numbers that crates/mup2-train/tests/sharpness.rs cites, and with
`--differences` the table of docs/concepts/sharpness.md: eigenvalue and trace of larger networks by
differences of float32 gradients, by the rule of the Rust code, against second derivatives in float64 (the
same complex-step derivative, for ReLU with the units' states held).

Independent of the Rust code and of its method: the Hessian is dense and exact, column by column by the
complex-step derivative of hand-written gradients (no difference is taken, so no digit is lost), and
eigenvalues and traces are those of LAPACK. The largest loss in a ball is found by gradient ascent
with many steps from many starts.

The network: x [6, 4] -> tanh(x W1 + b1) [6, 5] -> tanh(. W2) [6, 3] -> . W3 [6, 3] -> mean softmax
cross-entropy with labels 0, 1, 2, 0, 1, 2. Entries are a sin(s k + p), k = 0, 1, ... in row-major
order, so that both programs make them:

    x: a 1.5, s 1.7, p 0.1    W1: a 0.9, s 2.3, p 0.4    b1: a 0.3, s 0.9, p 0.2
    W2: a 1.1, s 1.3, p 0.7   W3: a 0.8, s 3.1, p 0.5

The second geometry has S² = (2, 2, 0.5, 0.25) for (W1, b1, W2, W3), as rho_mult would be.
"""

import sys

import numpy as np

NAMES = ["input.weight", "input.bias", "hidden.weight", "readout.weight"]
SHAPES = [(4, 5), (5,), (5, 3), (3, 3)]
WAVES = [(0.9, 2.3, 0.4), (0.3, 0.9, 0.2), (1.1, 1.3, 0.7), (0.8, 3.1, 0.5)]
SQUARED_STRETCHES = [2.0, 2.0, 0.5, 0.25]
LABELS = np.array([0, 1, 2, 0, 1, 2])
RADIUS = 0.3


def wave(shape, amplitude, step, phase):
    return (amplitude * np.sin(step * np.arange(np.prod(shape)) + phase)).reshape(shape)


X = wave((6, 4), 1.5, 1.7, 0.1)
SIZES = [int(np.prod(shape)) for shape in SHAPES]
ENDS = np.cumsum(SIZES)
WEIGHTS = np.concatenate([wave(shape, *w).ravel() for shape, w in zip(SHAPES, WAVES)])


def loss_and_gradient(flat):
    """Mean cross-entropy and its gradient; analytic, so that complex weights pass through."""
    w1, b1, w2, w3 = (part.reshape(s) for part, s in zip(np.split(flat, ENDS[:-1]), SHAPES))
    h1 = np.tanh(X @ w1 + b1)
    h2 = np.tanh(h1 @ w2)
    logits = h2 @ w3
    exponentials = np.exp(logits)
    sums = exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(LABELS))
    loss = np.mean(np.log(sums[:, 0]) - logits[rows, LABELS])
    d3 = exponentials / sums
    d3[rows, LABELS] -= 1.0
    d3 = d3 / len(LABELS)
    d2 = (d3 @ w3.T) * (1.0 - h2**2)
    d1 = (d2 @ w2.T) * (1.0 - h1**2)
    parts = [X.T @ d1, d1.sum(axis=0), h1.T @ d2, h2.T @ d3]
    return loss, np.concatenate([part.ravel() for part in parts])


def dense_hessian():
    tiny = 1e-30
    columns = []
    for index in range(len(WEIGHTS)):
        moved = WEIGHTS.astype(complex)
        moved[index] += 1j * tiny
        columns.append(loss_and_gradient(moved)[1].imag / tiny)
    hessian = np.array(columns)
    # The proof that gradient and complex step are right: the Hessian is symmetric, and the gradient is
    # that of the loss.
    assert np.abs(hessian - hessian.T).max() < 1e-14
    gradient = [
        loss_and_gradient(WEIGHTS + 1j * tiny * np.eye(len(WEIGHTS))[index])[0].imag / tiny
        for index in range(len(WEIGHTS))
    ]
    assert np.abs(gradient - loss_and_gradient(WEIGHTS)[1]).max() < 1e-15
    return hessian


def largest_rise(stretch, mask, radius):
    """max L(w + S u) - L(w), ‖u‖ <= radius, over u that are zero where mask is: 40 starts."""
    base, slope = loss_and_gradient(WEIGHTS)
    random = np.random.default_rng(0)
    best = 0.0
    for start in range(40):
        u = stretch * slope * mask if start == 0 else random.normal(size=len(WEIGHTS)) * mask
        u *= radius / np.linalg.norm(u)
        for _ in range(2000):
            g = stretch * loss_and_gradient(WEIGHTS + stretch * u)[1] * mask
            u = u + radius * g / np.linalg.norm(g)
            u *= radius / np.linalg.norm(u)
        best = max(best, loss_and_gradient(WEIGHTS + stretch * u)[0] - base)
    return best


# ------------------------------------------------------------------ differences of gradients


def network_gradient(weights, x, labels, activation):
    """Loss and gradients of a three-layer network without biases, in the weights' precision."""
    inputs, states = [x], []
    for weight in weights[:-1]:
        product = inputs[-1] @ weight
        on = product.real > 0 if activation == "relu" else None
        inputs.append(np.tanh(product) if on is None else product * on)
        states.append(on)
    logits = inputs[-1] @ weights[-1]
    exponentials = np.exp(logits - logits.real.max(axis=1, keepdims=True))
    slope = exponentials / exponentials.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.mean(np.log(slope[rows, labels].real))
    slope[rows, labels] -= 1
    slope = slope / slope.dtype.type(len(labels))
    gradients = []
    for layer in (2, 1, 0):
        gradients.insert(0, inputs[layer].T @ slope)
        if layer > 0:
            on = states[layer - 1]
            slope = (slope @ weights[layer].T) * (1 - inputs[layer] ** 2 if on is None else on)
    return loss, gradients


def dot(one, other):
    return sum(float(np.vdot(a.astype(float), b.astype(float))) for a, b in zip(one, other))


def unit(vector):
    norm = np.sqrt(dot(vector, vector))
    return [part / part.dtype.type(norm) for part in vector]


def exact_product(gradient, weights):
    return lambda v: [g.imag / 1e-30 for g in gradient([w + 1e-30j * d for w, d in zip(weights, v)])[1]]


def difference_product(gradient, weights, loss):
    """The rule of crates/mup2/src/sharpness/landscape.rs."""
    weights = [weight.astype(np.float32) for weight in weights]
    epsilon, norm = float(np.finfo(np.float32).eps), np.sqrt(dot(weights, weights))
    share, known = np.cbrt(epsilon), [0.0]

    def length():
        if known[0] == 0.0:
            return share * norm
        return np.clip(np.sqrt(2 * share * loss / known[0]), 64 * epsilon * norm, share * norm)

    def product(v):
        v = [part.astype(np.float32) for part in v]
        size, way = np.sqrt(dot(v, v)), length()
        while True:
            h = np.float32(way / size)
            ahead = gradient([w + h * d for w, d in zip(weights, v)])[1]
            behind = gradient([w - h * d for w, d in zip(weights, v)])[1]
            image = [(a - b) / (2 * h) for a, b in zip(ahead, behind)]
            known[0] = np.sqrt(dot(image, image)) / size
            if way <= 2 * length():
                return image
            way = length()

    return product


def top_eigenvalue(product, start, iterations, tolerance):
    vector, value = unit(start), 0.0
    for iteration in range(iterations):
        image = product(vector)
        previous, value = value, dot(vector, image)
        if iteration and abs(value - previous) <= tolerance * abs(value):
            break
        vector = unit(image)
    return value


def differences():
    print("| activation | width | samples | λ exact | λ by differences | trace exact | by differences |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for activation, width, samples in [
        (activation, width, samples)
        for activation in ("tanh", "relu")
        for width, samples in ((16, 100), (64, 100), (64, 512), (512, 512))
    ]:
        random = np.random.default_rng(0)
        centres = random.normal(size=(10, 196)) * 0.5
        labels = random.integers(0, 10, samples)
        x = centres[labels] + random.normal(size=(samples, 196))
        weights = [
            random.normal(size=(196, width)) * np.sqrt(2 / 196),
            random.normal(size=(width, width)) * np.sqrt(2 / width),
            random.normal(size=(width, 10)) * np.sqrt(64) / width,
        ]
        rates = [0.1 * width / 64, 0.1, 0.1 * 64 / width]
        for _ in range(30):
            gradients = network_gradient(weights, x, labels, activation)[1]
            weights = [w - rate * g for w, rate, g in zip(weights, rates, gradients)]
        weights = [weight.astype(np.float32).astype(float) for weight in weights]
        loss = network_gradient(weights, x, labels, activation)[0]
        single = x.astype(np.float32)
        start = [random.normal(size=weight.shape) for weight in weights]
        exact = exact_product(lambda w: network_gradient(w, x, labels, activation), weights)
        rough = lambda: difference_product(
            lambda w: network_gradient(w, single, labels, activation), weights, loss
        )
        signs = [[np.sign(random.normal(size=w.shape)) for w in weights] for _ in range(10)]
        traces = [np.mean([dot(v, product(v)) for v in signs]) for product in (exact, rough())]
        values = [
            top_eigenvalue(exact, start, 300, 1e-8),
            top_eigenvalue(rough(), start, 50, 1e-4),
        ]
        print(
            f"| {activation} | {width} | {samples} | {values[0]:.3f} | {values[1]:.3f} "
            f"| {traces[0]:.1f} | {traces[1]:.1f} |"
        )


def main():
    if "--differences" in sys.argv[1:]:
        differences()
        return
    hessian = dense_hessian()
    base, slope = loss_and_gradient(WEIGHTS)
    print(f"loss {base:.15f}  parameters {len(WEIGHTS)}")
    masks = {"whole": np.ones(len(WEIGHTS))}
    for name, end, size in zip(NAMES, ENDS, SIZES):
        masks[name] = np.zeros(len(WEIGHTS))
        masks[name][end - size : end] = 1.0
    stretches = {
        "euclidean": np.ones(len(WEIGHTS)),
        "stretched": np.repeat(np.sqrt(SQUARED_STRETCHES), SIZES),
    }
    for geometry, stretch in stretches.items():
        print(geometry)
        for part, mask in masks.items():
            scale = stretch * mask
            matrix = (scale[:, None] * hessian * scale)[np.ix_(mask > 0, mask > 0)]
            values = np.linalg.eigvalsh(matrix)
            largest = values[np.argmax(np.abs(values))]
            step = scale * slope
            step = scale * step * RADIUS / np.linalg.norm(step)
            one_step = loss_and_gradient(WEIGHTS + step)[0] - base
            rise = largest_rise(stretch, mask, RADIUS)
            print(
                f"  {part:15} largest {largest:+.12f}  most positive {values[-1]:+.12f}"
                f"  trace {np.trace(matrix):+.12f}  one step {one_step:.12f}  rise {rise:.9f}"
            )


if __name__ == "__main__":
    main()
