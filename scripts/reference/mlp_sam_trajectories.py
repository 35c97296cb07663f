#!/usr/bin/env python3
"""Reference trajectories of µP² / SAM on small MLPs, in NumPy and float64.

    python3 scripts/reference/mlp_sam_trajectories.py            # writes the fixture
    python3 scripts/reference/mlp_sam_trajectories.py --check    # compares with the fixture

Needs NumPy only (made with 2.4.6). Writes crates/mup2-train/tests/fixtures/mlp_sam_trajectories.json,
byte-identical when run again with the same NumPy on the same machine; `--check` recomputes and
compares with a tolerance (relative 1e-11), for other machines.

Independent of the Rust code: exponents, gradients and steps are derived here from the method
(`docs/concepts/method.md`; section numbers below are those of the method's page). A test that
runs the crate on the same configuration, weights and batch must land on the same losses,
denominators, first ε and final weights.

What the script asserts before it writes anything:
  * the derivation gives every row of the table in section 3 and the exponents of section 4;
  * the toy trajectories and perturbations of section 9 (optax's SAM; SAM and ASAM by hand);
  * gradients of every case against central differences, at the start and at the end;
  * the symmetry of section 5: plain SGD+SAM on a network with weight multipliers (√r, 1, 1/√r)
    is µP² with the decoupled denominator, step for step;
  * at the base width all multipliers are 1;
  * no ReLU input comes near 0 at any evaluation (so that rounding cannot flip a unit), losses
    move, clipping acts on some steps and not on others.

Conventions of the fixture: weights are [fan_in][fan_out], y = x W + b; the loss is the mean
softmax cross-entropy; `residual` adds a hidden-to-hidden layer's input to its activated output;
`norms` is the denominator of a step's last ascent, 0 on steps without a perturbation; each ascent
has the radius rho / ascent_steps; derived d_l are shifted so that the coupled denominator is
Θ(1), those of naive and global are 0; `r` = width / base_width enters every tensor's multiplier,
the readout bias's included (there only d + d_l and e_l differ from 0).
"""

import json
import math
import pathlib
import sys

import numpy as np

FIXTURE = (
    pathlib.Path(__file__).resolve().parents[2]
    / "crates/mup2-train/tests/fixtures/mlp_sam_trajectories.json"
)
COMMAND = "python3 scripts/reference/mlp_sam_trajectories.py"
RELU_MARGIN = 5e-4

# ---------------------------------------------------------------- exponents (sections 1 to 4)

FANS = {"input": (0, 1), "hidden": (1, 1), "output": (1, 0), "fixed": (0, 0)}
INIT = {  # b
    "sp": {"input": 0, "hidden": 0.5, "output": 0.5, "fixed": 0},
    "sp-stable": {"input": 0, "hidden": 0.5, "output": 0.5, "fixed": 0},
    "ntp": {"input": 0, "hidden": 0.5, "output": 0.5, "fixed": 0},
    "mup": {"input": 0, "hidden": 0.5, "output": 1, "fixed": 0},
}
RATE = {  # c, for SGD
    "sp": {"input": 0, "hidden": 0, "output": 0, "fixed": 0},
    "sp-stable": {"input": 1, "hidden": 1, "output": 1, "fixed": 0},
    "ntp": {"input": 0, "hidden": 1, "output": 1, "fixed": 0},
    "mup": {"input": -1, "hidden": 0, "output": 1, "fixed": 0},
}


def role_of(name):
    layer, kind = name.rsplit(".", 1)
    if kind == "bias":
        return "fixed" if layer == "readout" else "input"
    return {"input": "input", "readout": "output"}.get(layer, "hidden")


def derive(scheme, names):
    """(d, {name: dict of b, c, d, e, entries, p}) of a scheme for tensors, by name."""
    b, c = INIT[scheme["parameterization"]], RATE[scheme["parameterization"]]
    c_grad = min(b["output"], c["output"])
    size = {}
    for name in names:
        role = role_of(name)
        fan_in, fan_out = FANS[role]
        # Section 2: ‖∇_l‖_F.
        gradient = {"input": 0.5 - c_grad, "hidden": 1 - c_grad, "output": 0.5, "fixed": 0.0}[role]
        # Entries of the tensor: of the initialization, for the readout after one step.
        entries = -c_grad if role == "output" else -b[role]
        if scheme["rule"] in ("sam", "random"):
            t = 0.0
        elif scheme["rule"] == "asam":
            one = name.endswith("bias") and scheme["asam_bias"] == "one"
            t = 0.0 if one else entries
        elif scheme["rule"] == "asam-layer":
            t = entries + (fan_in + fan_out) / 2
        else:
            raise ValueError(scheme["rule"])
        if scheme["rule"] == "random":
            # ‖Gaussian‖_F, and incoherent sums over fan_in: RMS(ε x) = ‖ε‖_F / √fan_out.
            gradient = (fan_in + fan_out) / 2
            to_effect = -fan_out / 2
        else:
            # Aligned and low-rank: RMS(ε x) = ‖ε‖ ‖x‖ / √fan_out = ‖ε‖ √(fan_in / fan_out).
            to_effect = (fan_in - fan_out) / 2
        # Parts of ‖T∇‖, and the effect of T²∇ before multipliers and denominator.
        size[name] = (t + gradient, 2 * t + gradient + to_effect, entries)
    part = {name: s[0] for name, s in size.items()}
    raw = {name: s[1] for name, s in size.items()}

    perturbation = scheme["perturbation"]
    if perturbation == "naive":
        d, d_l = 0.0, {name: 0.0 for name in names}
    elif perturbation == "global":
        d, d_l = 0.5, {name: 0.0 for name in names}
    elif perturbation == "balanced":
        d, d_l = 0.5, dict(part)
    elif perturbation in ("mup2", "first-layer"):
        # p_l = raw_l − d − d_l = 0 with max_l(part_l − d_l) = 0, the coupled denominator's size.
        d = min(raw[name] - part[name] for name in names)
        d_l = {name: raw[name] - d for name in names}
        assert max(part[name] - d_l[name] for name in names) == 0
        if perturbation == "first-layer":
            d_l = {n: v + (role_of(n) != "input") for n, v in d_l.items()}
    else:
        raise ValueError(perturbation)
    e_l = dict(d_l) if scheme["denominator"] == "coupled" else dict(part)
    denominator = max(part[name] - e_l[name] for name in names)
    return d, {
        name: {
            "b": b[role_of(name)],
            "c": c[role_of(name)],
            "d": d_l[name],
            "e": e_l[name],
            "entries": size[name][2],
            "p": raw[name] - d - d_l[name] - denominator,
        }
        for name in names
    }


def multipliers(scheme, names, r):
    d, exponents = derive(scheme, names)
    return {
        name: {
            "init": r ** -x["b"],
            "lr": r ** -x["c"],
            "rho": r ** -(d + x["d"]),
            "norm": r ** -x["e"],
            "wd": 1.0 / r ** -x["c"],
            "asam_eta": r ** x["entries"],
        }
        for name, x in exponents.items()
    }


def check_derivation():
    names = ["input.weight", "hidden.0.weight", "readout.weight"]

    def exponents(perturbation, parameterization="mup", rule="sam", denominator="coupled"):
        scheme = {
            "parameterization": parameterization,
            "perturbation": perturbation,
            "denominator": denominator,
            "rule": rule,
            "asam_bias": "one",
        }
        d, rows = derive(scheme, names)
        return [d] + [[rows[n][key] for n in names] for key in ("d", "p", "e")]

    # Section 3 as printed, with c∇ = 1 for p and every c∇ for (d, d_l).
    table = {
        "naive": (0, lambda c: [0, 0, 0], [-1.5, -0.5, 0.5]),
        "global": (0.5, lambda c: [0, 0, 0], [-2, -1, 0]),
        "balanced": (0.5, lambda c: [0.5 - c, 1 - c, 0.5], [-1, -0.5, 0]),
        "first-layer": (-0.5, lambda c: [0.5 - c, 2.5 - c, 2.5], [0, -1, -1]),
        "mup2": (-0.5, lambda c: [0.5 - c, 1.5 - c, 1.5], [0, 0, 0]),
    }
    for perturbation, (d, d_l, p) in table.items():
        assert exponents(perturbation)[2] == p
        for parameterization, c_grad in (("sp", 0), ("sp-stable", 0.5), ("ntp", 0.5), ("mup", 1)):
            found = exponents(perturbation, parameterization)
            assert found[:2] == [d, d_l(c_grad)], (perturbation, parameterization)
            if perturbation == "mup2":
                assert found[2] == [0, 0, 0]
                decoupled = exponents(perturbation, parameterization, denominator="decoupled")
                assert decoupled[:3] == found[:3]
                assert decoupled[3] == [0.5 - c_grad, 1 - c_grad, 0.5]
    # Section 4: −d and the differences of d_l.
    for rule, d, differences in (("asam", -0.5, [0, 0, 0]), ("asam-layer", 0, [0, 1, 0])):
        found = exponents("mup2", rule=rule)
        assert found[0] == d and [x - found[1][0] for x in found[1]] == differences
        assert found[2] == [0, 0, 0]
    # Section 8's unscaled and wrongly scaled ASAM.
    assert exponents("naive", rule="asam")[2] == [-0.5, -0.5, -0.5]
    assert exponents("naive", rule="asam-layer")[2] == [-0.5, 0.5, -0.5]


# ---------------------------------------------------------------- network


def names_of(config):
    layers = ["input"] + [f"hidden.{i}" for i in range(config["depth"] - 2)] + ["readout"]
    return [f"{layer}.weight" for layer in layers] + (
        [f"{layer}.bias" for layer in layers] if config["bias"] else []
    )


def shape_of(name, config):
    width, layer = config["width"], name.rsplit(".", 1)[0]
    fan_in = config["inputs"] if layer == "input" else width
    fan_out = config["classes"] if layer == "readout" else width
    return (fan_in, fan_out) if name.endswith("weight") else (fan_out,)


class Network:
    """Loss and gradients by hand; records how near to 0 any ReLU input came."""

    def __init__(self, config, x, labels):
        self.config, self.x, self.labels = config, x, labels
        self.margin = math.inf

    def _activate(self, z):
        if self.config["activation"] == "relu":
            self.margin = min(self.margin, float(np.abs(z).min()))
            return np.maximum(z, 0.0), (z > 0).astype(float)
        h = np.tanh(z)
        return h, 1.0 - h * h

    def __call__(self, w):
        config = self.config
        layers = ["input"] + [f"hidden.{i}" for i in range(config["depth"] - 2)]
        tape, h = [], self.x
        for layer in layers:
            z = h @ w[f"{layer}.weight"]
            if config["bias"]:
                z = z + w[f"{layer}.bias"]
            y, slope = self._activate(z)
            skip = config["residual"] and layer != "input"
            tape.append((layer, h, slope, skip))
            h = h + y if skip else y
        logits = h @ w["readout.weight"]
        if config["bias"]:
            logits = logits + w["readout.bias"]
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        rows = np.arange(len(self.labels))
        loss = -log_p[rows, self.labels].mean()

        delta = np.exp(log_p)
        delta[rows, self.labels] -= 1.0
        delta /= len(self.labels)
        g = {"readout.weight": h.T @ delta}
        if config["bias"]:
            g["readout.bias"] = delta.sum(axis=0)
        back = delta @ w["readout.weight"].T
        for layer, h_in, slope, skip in reversed(tape):
            delta = back * slope
            g[f"{layer}.weight"] = h_in.T @ delta
            if config["bias"]:
                g[f"{layer}.bias"] = delta.sum(axis=0)
            through = delta @ w[f"{layer}.weight"].T
            back = back + through if skip else through
        return float(loss), {name: g[name] for name in w}


def check_gradients(network, w, step=1e-6):
    _, gradients = network(w)
    for name, tensor in w.items():
        for index in np.ndindex(tensor.shape):
            numeric = 0.0
            for sign in (1, -1):
                moved = {n: v.copy() for n, v in w.items()}
                moved[name][index] += sign * step
                numeric += sign * network(moved)[0] / (2 * step)
            error = abs(numeric - gradients[name][index])
            assert error < 2e-9 + 1e-7 * abs(numeric), (name, index, numeric, error)


# ---------------------------------------------------------------- SAM


def preconditioner(case, name, tensor, mult):
    scheme = case["scheme"]
    if scheme["rule"] == "sam":
        return np.ones_like(tensor)
    if scheme["rule"] == "asam-layer":
        return np.full_like(tensor, math.sqrt((tensor**2).sum()))
    if name.endswith("bias"):
        one = scheme["asam_bias"] == "one"
        return np.ones_like(tensor) if one else np.abs(tensor)
    return np.abs(tensor) + scheme["asam_eta"] * mult[name]["asam_eta"]


def ascend(case, w, gradients, radius, mult):
    """ε and the denominator: ε_l = ρ rho_l T_l²∇_l / ‖(norm_k T_k∇_k)_k‖."""
    t = {name: preconditioner(case, name, w[name], mult) for name in w}
    norm = math.sqrt(
        sum(float(((mult[n]["norm"] * t[n] * gradients[n]) ** 2).sum()) for n in w)
    )
    epsilon = {n: radius * mult[n]["rho"] * t[n] ** 2 * gradients[n] / norm for n in w}
    return epsilon, norm


def train(case, function, initial, mult):
    """Runs the case; `function(w)` returns (loss, gradients)."""
    w = {name: tensor.copy() for name, tensor in initial.items()}
    velocity = {name: np.zeros_like(tensor) for name, tensor in w.items()}
    record = {"losses": [], "norms": [], "first": None, "clipped": []}
    for step in range(case["steps"]):
        loss, gradients = function(w)
        record["losses"].append(loss)
        norm, perturbed = 0.0, w
        if step % case["every"] == 0:
            for _ in range(case["ascent_steps"]):
                radius = case["rho"] / case["ascent_steps"]
                epsilon, norm = ascend(case, perturbed, gradients, radius, mult)
                if record["first"] is None:
                    record["first"] = epsilon
                perturbed = {name: perturbed[name] + epsilon[name] for name in w}
                _, gradients = function(perturbed)
        record["norms"].append(norm)
        if case["clip_norm"] is not None:
            total = math.sqrt(sum(float((g**2).sum()) for g in gradients.values()))
            record["clipped"].append(total > case["clip_norm"])
            factor = min(1.0, case["clip_norm"] / total)
            gradients = {name: factor * g for name, g in gradients.items()}
        for name in w:
            g = gradients[name] + case["weight_decay"] * mult[name]["wd"] * w[name]
            velocity[name] = case["momentum"] * velocity[name] + g
            update = g + case["momentum"] * velocity[name] if case["nesterov"] else velocity[name]
            w[name] = w[name] - case["lr"] * mult[name]["lr"] * update
    record["final"] = w
    return record


# ---------------------------------------------------------------- checks of the step itself


def plain_case(**changes):
    case = {
        "scheme": {"rule": "sam", "asam_eta": 0.01, "asam_bias": "one"},
        "lr": 0.1,
        "rho": 0.1,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
        "ascent_steps": 1,
        "every": 1,
        "clip_norm": None,
        "steps": 1,
    }
    case.update(changes)
    return case


ONES = {"init": 1.0, "lr": 1.0, "rho": 1.0, "norm": 1.0, "wd": 1.0, "asam_eta": 1.0}


def check_published_numbers():
    """Section 9."""
    target = np.array([1.0, -1.0, 1.0])

    def quadratic(w):
        p = w["p.weight"]
        return float(((p - target) ** 2).sum()), {"p.weight": 2 * (p - target)}

    def quartic(w):
        p = w["p.weight"]
        g = p**3 + np.array([p[1], p[0], 0.0])
        return float((p**4).sum() / 4 + p[0] * p[1]), {"p.weight": g}

    for function, start, lr, rho, expected in (
        (quadratic, [-1.0, 10.0, 1.0], 0.01, 0.1, {
            1: [-0.9596422291236001, 9.7780322601798, 1.0],
            3: [-0.8813320105150336, 9.347326057832685, 1.0],
        }),
        (quartic, [0.5, -1.0, 2.0], 0.05, 0.3, {
            1: [0.5458232059775139, -0.9705295610871839, 1.393514728644878],
            3: [0.6356324196004481, -0.9176337317208763, 1.0122579706224428],
        }),
    ):
        for steps, values in expected.items():
            case = plain_case(lr=lr, rho=rho, steps=steps)
            found = train(case, function, {"p.weight": np.array(start)}, {"p.weight": ONES})
            assert np.abs(found["final"]["p.weight"] - values).max() < 1e-13

    w = {"l.weight": np.array([[0.5, -1.0], [2.0, 0.25]]), "l.bias": np.array([0.1, -0.2])}
    g = {"l.weight": np.array([[0.3, -0.1], [0.05, 0.4]]), "l.bias": np.array([-0.2, 0.6])}
    mult = {name: ONES for name in w}
    for rule, bias, weight_epsilon, bias_epsilon in (
        ("sam", "one", [[0.184288535, -0.061429512], [0.030714756, 0.245718047]],
         [-0.122859023, 0.368577070]),
        ("asam", "one", [[0.057869819, -0.075654239], [0.149814082, 0.020053824]],
         [-0.148327103, 0.444981310]),
        ("asam", "absolute", [[0.144551877, -0.192735836], [0.385471672, 0.048183959]],
         [-0.003854717, 0.046256601]),
    ):
        # The third line is ASAM with η = 0: T = |w| alone, for weights too.
        eta = 0.0 if bias == "absolute" else 0.01
        case = plain_case(scheme={"rule": rule, "asam_eta": eta, "asam_bias": bias})
        epsilon, _ = ascend(case, w, g, 0.5, mult)
        assert np.abs(epsilon["l.weight"] - weight_epsilon).max() < 1e-9, (rule, bias)
        assert np.abs(epsilon["l.bias"] - bias_epsilon).max() < 1e-9, (rule, bias)


def check_symmetry(case, initial, network, mult, final):
    """Section 5: weight multipliers in the forward pass, and nothing else, give µP² with DP."""
    r = case["config"]["width"] / case["config"]["base_width"]
    exponent = {"input": 0.5, "hidden": 0.0, "output": -0.5, "fixed": 0.0}
    forward = {name: r ** exponent[role_of(name)] for name in initial}

    def multiplied(stored):
        loss, g = network({name: forward[name] * stored[name] for name in stored})
        return loss, {name: forward[name] * g[name] for name in stored}

    stored = {name: initial[name] / forward[name] for name in initial}
    found = train(case, multiplied, stored, {name: ONES for name in initial})
    for name, tensor in final.items():
        assert np.abs(forward[name] * found["final"][name] - tensor).max() < 1e-13, name


# ---------------------------------------------------------------- cases


def cases():
    def case(name, width, parameterization="mup", perturbation="mup2", denominator=None,
             rule="sam", asam_bias="one", **changes):
        config = {
            "inputs": 5,
            "classes": 3,
            "width": width,
            "base_width": 4,
            "depth": changes.pop("depth", 3),
            "bias": changes.pop("bias", False),
            "activation": changes.pop("activation", "relu"),
            "residual": changes.pop("residual", False),
        }
        if denominator is None:
            denominator = "decoupled" if perturbation == "mup2" else "coupled"
        result = plain_case(lr=0.25, rho=0.2, steps=4)
        result["scheme"] = {
            "parameterization": parameterization,
            "perturbation": perturbation,
            "denominator": denominator,
            "rule": rule,
            "asam_eta": 0.01,
            "asam_bias": asam_bias,
            "optimizer": "sgd",
        }
        assert set(changes) <= set(result), changes
        result.update(changes)
        return {"name": name, "config": config, **result}

    return [
        case("base-width", 4),
        case("mup2-decoupled", 8),
        case("mup2-coupled", 12, denominator="coupled"),
        case("mup-naive", 8, perturbation="naive"),
        case("mup-global", 12, perturbation="global"),
        case("mup-balanced", 6, perturbation="balanced"),
        case("mup-first-layer", 8, perturbation="first-layer"),
        case("sp-naive", 8, "sp", "naive"),
        case("sp-stable-balanced", 10, "sp-stable", "balanced"),
        case("ntp-mup2", 12, "ntp"),
        case("mup2-biases", 10, bias=True),
        case("mup2-coupled-biases", 8, bias=True, denominator="coupled"),
        case("mup-global-biases", 8, perturbation="global", bias=True),
        case("mup2-residual-depth-4", 6, depth=4, residual=True, lr=0.125, rho=0.1),
        case("mup2-tanh-biases", 9, activation="tanh", bias=True),
        case("mup2-momentum", 8, momentum=0.75, lr=0.125),
        case("mup2-nesterov-weight-decay", 8, momentum=0.75, nesterov=True,
             weight_decay=0.0625, lr=0.125, bias=True),
        case("asam-bias-one", 8, rule="asam", bias=True, rho=0.5),
        case("asam-bias-absolute", 8, rule="asam", asam_bias="absolute", bias=True, rho=0.5),
        case("asam-coupled", 10, rule="asam", denominator="coupled", rho=0.5),
        case("asam-naive", 6, rule="asam", perturbation="naive", rho=0.5),
        case("asam-layer-biases", 8, rule="asam-layer", bias=True, rho=0.1),
        case("asam-layer-coupled", 10, rule="asam-layer", denominator="coupled", rho=0.1),
        case("mup2-ascent-2", 8, ascent_steps=2, rho=0.4),
        case("asam-ascent-3", 6, rule="asam", ascent_steps=3, rho=0.9, steps=3),
        case("mup2-every-2", 8, every=2, momentum=0.5, lr=0.125, steps=5),
        case("mup2-clip", 8, clip_norm=0.75, steps=4),
    ]


def draw(case, seed, mult):
    """Weights with Kaiming-like stds at the scheme's width scaling, biases not 0, a batch."""
    config = case["config"]
    rng = np.random.default_rng(seed)
    x = np.round(rng.standard_normal((6, config["inputs"])), 3)
    labels = np.array([0, 1, 2, 0, 1, 2])
    initial = {}
    for name in names_of(config):
        shape = shape_of(name, config)
        base_fan_in = config["inputs"] if name == "input.weight" else config["base_width"]
        gain = 1.0 if name.startswith("readout") else math.sqrt(2.0)
        std = 0.3 if name.endswith("bias") else gain / math.sqrt(base_fan_in) * mult[name]["init"]
        initial[name] = np.round(std * rng.standard_normal(shape), 4)
    return x, labels, initial


def run(case, number):
    names = names_of(case["config"])
    r = case["config"]["width"] / case["config"]["base_width"]
    mult = multipliers(case["scheme"], names, r)
    if r == 1:
        assert all(value == 1 for row in mult.values() for value in row.values())
    for attempt in range(100):
        x, labels, initial = draw(case, [2411_00075, number, attempt], mult)
        network = Network(case["config"], x, labels)
        record = train(case, network, initial, mult)
        clipped = record["clipped"]
        moved = max(abs(b - a) for a, b in zip(record["losses"], record["losses"][1:]))
        if (
            network.margin > RELU_MARGIN
            and (case["clip_norm"] is None or (any(clipped) and not all(clipped)))
            and moved > 0.02
        ):
            break
    else:
        raise AssertionError(f"{case['name']}: no draw keeps clear of the kinks")
    margin = network.margin
    check_gradients(network, initial)
    check_gradients(network, record["final"])
    scheme = case["scheme"]
    is_mup2 = scheme["parameterization"] == "mup" and scheme["perturbation"] == "mup2"
    plain = not case["weight_decay"] and case["clip_norm"] is None
    if is_mup2 and scheme["denominator"] == "decoupled" and scheme["rule"] == "sam" and plain:
        check_symmetry(case, initial, network, mult, record["final"])
    print(
        f"{case['name']:28} ReLU margin {margin:.1e}  losses "
        + " ".join(f"{loss:.4f}" for loss in record["losses"])
        + "  norms "
        + " ".join(f"{norm:.4f}" for norm in record["norms"])
    )
    listed = lambda tensors: {name: tensors[name].tolist() for name in names}  # noqa: E731
    return {
        **{key: case[key] for key in case if key != "steps"},
        "x": x.tolist(),
        "labels": labels.tolist(),
        "initial": listed(initial),
        "steps": case["steps"],
        "multipliers": {
            name: {key: mult[name][key] for key in ("lr", "rho", "norm", "wd", "asam_eta")}
            for name in names
        },
        "losses": record["losses"],
        "norms": record["norms"],
        "epsilon_after_first_gradient": listed(record["first"]),
        "final": listed(record["final"]),
    }


def render(value, indent=0):
    """JSON with one line for each vector, so that differences can be read."""
    pad = " " * (indent + 1)
    if isinstance(value, dict) and value:
        flat = all(not isinstance(v, (dict, list)) for v in value.values())
        if flat:
            return json.dumps(value)
        rows = [f"{pad}{json.dumps(k)}: {render(v, indent + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if isinstance(value, list) and value and isinstance(value[0], (dict, list)):
        rows = [pad + render(v, indent + 1) for v in value]
        return "[\n" + ",\n".join(rows) + "\n" + " " * indent + "]"
    return json.dumps(value, allow_nan=False)


def largest_difference(found, stored, path=""):
    """Largest relative difference of numbers; everything else must be equal."""
    if isinstance(found, dict):
        assert isinstance(stored, dict) and found.keys() == stored.keys(), path
        return max((largest_difference(found[k], stored[k], f"{path}/{k}") for k in found), default=0.0)
    if isinstance(found, list):
        assert isinstance(stored, list) and len(found) == len(stored), path
        pairs = enumerate(zip(found, stored))
        return max((largest_difference(a, b, f"{path}/{i}") for i, (a, b) in pairs), default=0.0)
    if isinstance(found, float):
        return abs(found - stored) / max(1e-3, abs(stored))
    assert found == stored, path
    return 0.0


def main():
    check_derivation()
    check_published_numbers()
    document = {
        "generated_by": COMMAND,
        "cases": [run(case, number) for number, case in enumerate(cases())],
    }
    if "--check" in sys.argv[1:]:
        difference = largest_difference(document, json.loads(FIXTURE.read_text()))
        assert difference < 1e-11, difference
        print(f"the fixture agrees (largest relative difference {difference:.1e})")
        return
    text = render(document) + "\n"
    assert len(text) < 300_000, len(text)
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    FIXTURE.write_text(text)
    print(f"{len(document['cases'])} cases, {len(text)} bytes: {FIXTURE}")


if __name__ == "__main__":
    main()
