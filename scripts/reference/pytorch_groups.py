#!/usr/bin/env python3
"""The Python file of `mup2 scale --format torch`, tried on real PyTorch models.

    python3 scripts/reference/pytorch_groups.py --mup2 target/release/mup2            # tries all, writes fixtures
    python3 scripts/reference/pytorch_groups.py --mup2 target/release/mup2 --check    # compares with the fixtures

Needs torch, torchvision, timm (by pytorch_models.py), safetensors and NumPy; made with torch 2.15.0,
torchvision 0.29.2 on the CPU.

First it checks that the emitted file does what its text says, each time against a formula written here a second
time, in f64, from the multipliers of `--format json`: every rule, both denominators, SGD and AdamW; gradient
accumulation, autocast, GradScaler with and without infinities, `torch.compile`, DistributedDataParallel,
running statistics, dropout, initialization, and what it refuses.

Then it trains an MLP and torchvision's ResNet-18 for 20 SAM steps at a width other than the base's, and writes
crates/mup2-train/tests/fixtures/pytorch/trajectory_{mlp,resnet}.safetensors: the weights before, the batches, and of
each rule losses, norms and the weights after. Everything is computed in f64 from values rounded to f32, and
rounded once when it is stored; the script prints by how much PyTorch's own f32 differs.
"""

import argparse
import importlib.util
import json
import math
import pathlib
import subprocess
import tempfile

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch
from pytorch_models import FIXTURES, Kinks, NarrowResNet, difference, stored
from torch import nn
from torchvision.models.resnet import BasicBlock

COMMAND = "python3 scripts/reference/pytorch_groups.py"
STEPS = 20
TOLERANCE = 1e-5
# A ReLU that takes another branch in f32 sends a deep network elsewhere within a few steps. Radii are
# chosen so that none comes nearer to 0 than this in any pass; f32 rounds activations by about 1e-6.
KINK_MARGIN = 2e-5


class Mlp(nn.Module):
    """The network of `model.kind = "mlp"`, with its names."""

    def __init__(self, inputs, width, classes, dropout=0.0, norm=False):
        super().__init__()
        self.input = nn.Linear(inputs, width)
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.hidden = nn.ModuleList([nn.Linear(width, width)])
        self.dropout = nn.Dropout(dropout)
        self.relu = nn.ReLU()
        self.readout = nn.Linear(width, classes)

    def forward(self, x):
        x = self.dropout(self.relu(self.norm(self.input(x))))
        for layer in self.hidden:
            x = self.relu(layer(x))
        return self.readout(x)


class Program:
    """`mup2 scale` on two widths of a model."""

    def __init__(self, path, directory):
        self.path, self.directory = path, pathlib.Path(directory)
        self.count = 0

    def scale(self, build, base, target, arguments=(), roles=""):
        """The emitted module and the rows of the JSON."""
        self.count += 1
        folder = self.directory / str(self.count)
        folder.mkdir()
        for name, width in (("base", base), ("target", target)):
            safetensors.torch.save_file(build(width).state_dict(), folder / f"{name}.safetensors")
        (folder / "roles.toml").write_text(roles)
        command = [self.path, "scale", "--base", "base.safetensors", "--target", "target.safetensors"]
        command += ["--roles", "roles.toml", *arguments]
        run = lambda *more: subprocess.run(  # noqa: E731
            [*command, *more], cwd=folder, check=True, capture_output=True, text=True
        )
        run("--format", "torch", "--out", f"groups_{self.count}.py")
        rows = json.loads(run("--format", "json").stdout)["tensors"]
        spec = importlib.util.spec_from_file_location(
            f"groups_{self.count}", folder / f"groups_{self.count}.py"
        )
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module, {row["name"]: row for row in rows}


def loss_of(model, batch):
    return nn.functional.cross_entropy(model(batch[0]), batch[1])


def closure_of(model, batch):
    def closure():
        loss = loss_of(model, batch)
        loss.backward()
        return loss

    return closure


def batch_of(seed, size, shape, classes, dtype=torch.float64):
    random = np.random.default_rng(seed)
    inputs = torch.from_numpy(random.standard_normal((size, *shape)).astype(np.float32)).to(dtype)
    return inputs, torch.from_numpy(random.integers(0, classes, size))


def close(found, expected, tolerance, what):
    pairs = [
        (one.detach().double(), other.detach().double()) for one, other in zip(found, expected, strict=True)
    ]
    error = max(float((one - other).abs().max() / max(other.abs().max(), 1e-3)) for one, other in pairs)
    assert error <= tolerance, f"{what}: differs by {error:.1e}"
    return error


def parameters(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


# ---- the formula, a second time ---------------------------------------------------------------------------


def formula_step(model, batch, rows, rule, rho, optimizer, state, asam_bias="one", eta=0.01):
    """One SAM step by the formula of docs/concepts/method.md, section 4; changes `model`."""
    names = [name for name, _ in model.named_parameters()]
    weights = dict(model.named_parameters())

    def gradients():
        return dict(zip(names, torch.autograd.grad(loss_of(model, batch), weights.values()), strict=True))

    def preconditioner(name):
        weight, row = weights[name].detach(), rows[name]
        if rule == "asam-layer":
            return weight.pow(2).sum().sqrt()
        if rule == "asam" and row["kind"] == "bias":
            return weight.abs() if asam_bias == "absolute" else torch.ones_like(weight)
        if rule == "asam":
            return weight.abs() + eta * row["asam_eta_mult"]
        return torch.ones_like(weight)

    first = gradients()
    t = {name: preconditioner(name) for name in names}
    squares = [(rows[name]["norm_mult"] * t[name] * first[name]).pow(2).sum() for name in names]
    norm = sum(squares).sqrt().item()
    start = {name: weights[name].detach().clone() for name in names}
    with torch.no_grad():
        for name in names:
            weights[name] += rho * rows[name]["rho_mult"] * t[name] ** 2 * first[name] / norm
    second = gradients()
    with torch.no_grad():
        for name in names:
            weights[name].copy_(start[name])
            lr = optimizer["lr"] * rows[name]["lr_mult"]
            decay = optimizer["weight_decay"] * rows[name]["wd_mult"]
            gradient, weight = second[name], weights[name]
            if optimizer["name"] == "sgd":
                velocity = optimizer["momentum"] * state.get(name, 0.0) + gradient + decay * weight
                state[name] = velocity
                weight -= lr * velocity
            else:
                count, mean, square = state.get(name, (0, 0.0, 0.0))
                count += 1
                mean = 0.9 * mean + 0.1 * gradient
                square = 0.999 * square + 0.001 * gradient**2
                state[name] = (count, mean, square)
                weight *= 1 - lr * decay
                size = (square / (1 - 0.999**count)).sqrt() + 1e-8
                weight -= lr * mean / (1 - 0.9**count) / size
    return norm


def check_formula(program):
    build = lambda width: Mlp(12, width, 5, norm=True).double()  # noqa: E731
    kinds = 'norm = ["norm.*"]\nbias = ["input.bias", "hidden.*.bias", "readout.bias"]'
    for rule, perturb, optimizer, more in [
        ("sam", "mup2", "sgd", []),
        ("sam", "mup2", "sgd", ["--denominator", "coupled"]),
        ("sam", "global", "sgd", ["--param", "sp"]),
        ("asam", "mup2", "sgd", []),
        ("asam", "mup2", "sgd", ["--asam-bias", "absolute"]),
        ("asam-layer", "mup2", "sgd", []),
        ("sam-on", "mup2", "sgd", []),
        ("sam", "mup2", "adam", []),
        ("asam", "mup2", "adam", []),
    ]:
        arguments = ["--rule", rule, "--perturb", perturb, "--optimizer", optimizer, *more]
        groups, rows = program.scale(build, 8, 24, arguments, kinds)
        torch.manual_seed(0)
        model, other = build(24), build(24)
        other.load_state_dict(model.state_dict())
        settings = {"name": optimizer, "lr": 0.05, "weight_decay": 0.03, "momentum": 0.9}
        if optimizer == "adam":
            settings["lr"] = 0.002
            made = torch.optim.AdamW(groups.param_groups(model, settings["lr"], 0.03))
        else:
            made = torch.optim.SGD(groups.param_groups(model, settings["lr"], 0.03), momentum=0.9)
        sam = groups.SAM(made, model, rho=0.2)
        state = {}
        for step in range(5):
            batch = batch_of(step, 16, (12,), 5)
            sam.step(closure_of(model, batch))
            bias = "absolute" if "absolute" in more else "one"
            norm = formula_step(other, batch, rows, rule, 0.2, settings, state, bias)
            assert math.isclose(norm, sam.perturbation_norm, rel_tol=1e-10)
        error = close(model.parameters(), other.parameters(), 1e-9, f"formula, {arguments}")
        print(f"formula, {' '.join(arguments)}: 5 steps differ by {error:.1e}")


# ---- what the file's text says ------------------------------------------------------------------------------


class Trial:
    """A model, its optimizer and SAM, from one state."""

    def __init__(self, groups, build, seed=0, dtype=torch.float64, rho=0.2, wrap=None):
        torch.manual_seed(seed)
        self.plain = build().to(dtype)
        self.model = wrap(self.plain) if wrap else self.plain
        self.optimizer = torch.optim.SGD(groups.param_groups(self.model, 0.05, 0.01), momentum=0.9)
        self.sam = groups.SAM(self.optimizer, self.model, rho)

    def step(self, batch):
        return self.sam.step(closure_of(self.model, batch))


def check_accumulation(groups, build):
    whole, parts = Trial(groups, build), Trial(groups, build)
    for step in range(3):
        inputs, labels = batch = batch_of(step, 16, (12,), 5)
        loss = whole.step(batch)

        def closure():
            total = 0.0
            for part in zip(inputs.chunk(4), labels.chunk(4), strict=True):
                part_loss = loss_of(parts.model, part) / 4
                part_loss.backward()
                total = total + part_loss.detach()
            return total

        close([parts.sam.step(closure)], [loss], 1e-12, "loss of parts")
    error = close(parts.model.parameters(), whole.model.parameters(), 1e-12, "accumulation")
    print(f"accumulation of 4 parts: differs from one batch by {error:.1e}")


def two_calls(trial, batch, scaler=None, spoil=None):
    """The form for a training loop of one's own; `spoil` puts an infinity into one of the passes."""

    def backward(which):
        loss = loss_of(trial.model, batch)
        (scaler.scale(loss) if scaler else loss).backward()
        if spoil == which:
            next(trial.model.parameters()).grad[0] = math.inf

    trial.optimizer.zero_grad()
    backward("first")
    if trial.sam.first_step(scaler):
        backward("second")
    trial.sam.second_step(scaler)
    if scaler:
        scaler.update()


def check_scaler(groups, build):
    one, two, scaled = (Trial(groups, build, dtype=torch.float32) for _ in range(3))
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    for step in range(4):
        batch = batch_of(step, 16, (12,), 5, torch.float32)
        one.step(batch)
        two_calls(two, batch)
        two_calls(scaled, batch, scaler)
    close(two.model.parameters(), one.model.parameters(), 0.0, "two calls")
    error = close(scaled.model.parameters(), one.model.parameters(), 1e-5, "GradScaler")
    print(f"GradScaler: 4 steps differ by {error:.1e}; the two calls are step(), bit for bit")
    for spoil in ("first", "second"):
        before, scale = parameters(scaled.model), scaler.get_scale()
        buffers = [state["momentum_buffer"].clone() for state in scaled.optimizer.state.values()]
        two_calls(scaled, batch, scaler, spoil)
        close(scaled.model.parameters(), before, 0.0, f"infinity in the {spoil} pass")
        after = [state["momentum_buffer"] for state in scaled.optimizer.state.values()]
        close(after, buffers, 0.0, "momentum")
        assert scaler.get_scale() == scale / 2
        assert scaled.sam.skipped == (spoil == "first")
    two_calls(scaled, batch, scaler)
    assert any((one != other).any() for one, other in zip(before, scaled.model.parameters(), strict=True))
    print("GradScaler: an infinity in either pass skips the step and halves the scale")


def check_autocast(groups, build):
    low, full = (Trial(groups, build, dtype=torch.float32) for _ in range(2))
    for step in range(5):
        batch = batch_of(step, 16, (12,), 5, torch.float32)

        def closure():
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = loss_of(low.model, batch)
            loss.backward()
            return loss

        low.sam.step(closure)
        full.step(batch)
    assert all(parameter.dtype == torch.float32 for parameter in low.model.parameters())
    error = close(low.model.parameters(), full.model.parameters(), 0.05, "autocast")
    assert error > 0.0
    print(f"autocast in bf16: 5 steps differ from f32 by {error:.1e}")


def check_compile(groups, build):
    plain = Trial(groups, build, dtype=torch.float32)
    compiled = Trial(groups, build, dtype=torch.float32, wrap=torch.compile)
    inner = Trial(groups, build, dtype=torch.float32)
    inner.model.input = torch.compile(inner.model.input)
    inner.sam = groups.SAM(inner.optimizer, inner.model, 0.2)
    names = [name for trial in (compiled, inner) for name, _ in trial.model.named_parameters()]
    assert sum("_orig_mod." in name for name in names) == 8
    for step in range(3):
        batch = batch_of(step, 16, (12,), 5, torch.float32)
        for trial in (plain, compiled, inner):
            trial.step(batch)
    for trial in (compiled, inner):
        error = close(trial.model.parameters(), plain.model.parameters(), 1e-5, "torch.compile")
    print(f"torch.compile: 3 steps differ by {error:.1e}")


def check_data_parallel(groups, build, directory):
    import torch.distributed as distributed

    store = distributed.FileStore(str(pathlib.Path(directory) / "store"), 1)
    distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    wrapped = nn.parallel.DistributedDataParallel
    plain, parallel = Trial(groups, build), Trial(groups, build, wrap=wrapped)
    both = Trial(groups, build, wrap=lambda model: torch.compile(wrapped(model)))
    names = [name for name, _ in both.model.named_parameters()]
    assert all(name.startswith("_orig_mod.module.") for name in names), names
    for step in range(3):
        batch = batch_of(step, 16, (12,), 5)
        plain.step(batch)
        parallel.step(batch)
    close(parallel.model.parameters(), plain.model.parameters(), 1e-12, "data parallelism")
    distributed.destroy_process_group()
    print("DistributedDataParallel: the same steps; its prefixes and those of torch.compile are known")


def check_running_statistics(program):
    build = lambda width: NarrowResNet(BasicBlock, [1, 1, 1, 1], width, 10, "cifar").double()  # noqa: E731
    groups, _ = program.scale(build, 1, 3)
    trial, other = (Trial(groups, lambda: build(3)) for _ in range(2))
    batch = batch_of(0, 8, (3, 8, 8), 10)
    trial.step(batch)
    with torch.no_grad():
        other.model(batch[0])
    close(trial.model.buffers(), other.model.buffers(), 0.0, "running statistics")
    assert trial.model.bn1.num_batches_tracked == 1
    print("running statistics: those of one pass at W")


def check_dropout(program):
    build = lambda: Mlp(12, 24, 5, dropout=0.5)  # noqa: E731
    groups, _ = program.scale(lambda width: Mlp(12, width, 5), 8, 24)
    trial = Trial(groups, build)
    seen = []
    trial.model.dropout.register_forward_hook(lambda _module, _inputs, output: seen.append(output == 0))
    torch.manual_seed(3)
    trial.step(batch_of(0, 64, (12,), 5))
    after = torch.get_rng_state()
    assert (seen[0] == seen[1]).double().mean() > 0.9
    torch.manual_seed(3)
    loss_of(trial.model, batch_of(0, 64, (12,), 5))
    assert torch.equal(after, torch.get_rng_state())
    trial.step(batch_of(0, 64, (12,), 5))
    assert (seen[-1] == seen[0]).double().mean() < 0.9
    print("dropout: the same masks in both passes, others in the next step")


def check_initialization(program):
    def build(width):
        return NarrowResNet(BasicBlock, [1, 1, 1, 1], width, 10, "cifar")

    groups, rows = program.scale(build, 8, 32, roles='[gain]\n"*conv*.weight" = 1.4142135623730951')
    model, again, own = build(32), build(32), build(32)
    for one in (model, again):
        groups.initialize_(one, torch.Generator().manual_seed(1))
    close(again.parameters(), model.parameters(), 0.0, "one seed")
    base_std = {"fc.weight": 2.0}
    groups.initialize_(own, torch.Generator().manual_seed(1), base_std)
    for name, parameter in model.named_parameters():
        row, found = rows[name], parameter.detach()
        if row["init_std"] == 0.0:
            expected = 1.0 if parameter.ndim == 1 and name.endswith("weight") else 0.0
            assert (found == expected).all(), name
        else:
            ratio = found.std() / row["init_std"]
            assert abs(ratio - 1) < 5 / math.sqrt(2 * found.numel()), (name, ratio)
    fan_in = 3 * 9
    assert math.isclose(rows["conv1.weight"]["init_std"], math.sqrt(2 / fan_in))
    assert math.isclose(own.fc.weight.std().item(), 2.0 * 8 / 32, rel_tol=0.1)
    print("initialization: every tensor has its std; gains stay 1, biases become 0")


def check_refusals(program, groups, build):
    def refused(kind, part, act):
        try:
            act()
        except kind as error:
            assert part in str(error), error
        else:
            raise AssertionError(f"not refused: {part}")

    refused(ValueError, "has shape (25, 12), and (24, 12)", lambda: groups.param_groups(Mlp(12, 25, 5), 0.1))
    more = build()
    more.extra = nn.Parameter(torch.zeros(3))
    refused(ValueError, "'extra' is not in GROUPS", lambda: groups.param_groups(more, 0.1))
    less = build()
    less.hidden = nn.ModuleList()
    refused(ValueError, "are no parameters of the model: 'hidden.0", lambda: groups.param_groups(less, 0.1))
    model = build()
    optimizer = torch.optim.SGD([model.input.weight], 0.1)
    refused(ValueError, "does not hold parameter", lambda: groups.SAM(optimizer, model, 0.1))
    optimizer = torch.optim.SGD(groups.param_groups(model, 0.1))
    for rho in (-1.0, math.inf, math.nan):
        refused(ValueError, "rho is", lambda rho=rho: groups.SAM(optimizer, model, rho))
    refused(ValueError, "names no parameter", lambda: groups.initialize_(model, base_std={"none": 1.0}))
    trial, batch = Trial(groups, build), batch_of(0, 16, (12,), 5)
    before, calls = parameters(trial.model), []

    def breaks_in_second_pass():
        calls.append(1)
        if len(calls) == 2:
            raise KeyError("stop")
        return closure_of(trial.model, batch)()

    refused(KeyError, "stop", lambda: trial.sam.step(breaks_in_second_pass))
    close(trial.model.parameters(), before, 0.0, "an exception in the closure")
    closure_of(trial.model, batch)()
    trial.sam.first_step()
    refused(RuntimeError, "perturbed already", trial.sam.first_step)
    trial.sam.restore()
    close(trial.model.parameters(), before, 0.0, "restore")
    # A loss that is not finite, in either pass, changes nothing.
    for bad in (1, 2):
        calls.clear()

        def not_finite():
            calls.append(1)
            loss = closure_of(trial.model, batch)()
            return loss * math.nan if len(calls) == bad else loss

        trial.sam.step(not_finite)
        assert trial.sam.skipped and len(calls) == bad
        close(trial.model.parameters(), before, 0.0, "a loss that is not finite")
    # A gradient of 0 has no direction, and frozen parameters are nobody's.
    frozen = build()
    frozen.input.requires_grad_(False)
    held = groups.param_groups(frozen, 0.1)
    assert sum(len(group["params"]) for group in held) == 4
    groups.SAM(torch.optim.SGD(held), frozen, 0.1).step(
        closure_of(frozen, batch_of(0, 4, (12,), 5, torch.float32))
    )

    def flat():
        loss = 0.0 * loss_of(trial.model, batch)
        loss.backward()
        return loss

    trial.sam.step(flat)
    assert trial.sam.perturbation_norm == 0.0 and not trial.sam.skipped
    print("refusals: other models, other optimizers, breaks in a pass")


def check_schedule(groups, build):
    trial = Trial(groups, build)
    schedule = torch.optim.lr_scheduler.LambdaLR(trial.optimizer, lambda step: 0.5**step)
    before = [group["lr"] for group in trial.optimizer.param_groups]
    trial.step(batch_of(0, 16, (12,), 5))
    schedule.step()
    after = [group["lr"] for group in trial.optimizer.param_groups]
    assert after == [rate / 2 for rate in before] and len(set(before)) == 3
    print("schedules: act on every group")


# ---- trajectories -----------------------------------------------------------------------------------------

TRAJECTORIES = [
    {
        "name": "mlp",
        "model": "MLP of three layers with biases and ReLU, 12 inputs, width 24, base width 8, 5 classes",
        "build": lambda width: Mlp(12, width, 5),
        "base": 8,
        "target": 24,
        "roles": 'bias = ["*.bias"]',
        "input": (12,),
        "classes": 5,
        "batch": 16,
        "batches": STEPS,
        "lr": 0.1,
        "momentum": 0.0,
        "weight_decay": 0.01,
        "rho": {"sam": 0.2, "asam": 0.3},
        "seed": 2,
    },
    {
        "name": "resnet",
        "model": "torchvision ResNet-18, CIFAR stem, BatchNorm2d, 2 planes, base 1, 10 classes",
        "build": lambda width: NarrowResNet(BasicBlock, [2, 2, 2, 2], width, 10, "cifar"),
        "base": 1,
        "target": 2,
        "roles": 'bias = ["fc.bias"]',
        "input": (3, 12, 12),
        "classes": 10,
        "batch": 8,
        "batches": 5,
        "lr": 0.02,
        "momentum": 0.9,
        "weight_decay": 0.0,
        "rho": {"sam": 0.05, "asam": 0.2, "sam-on": 0.2},
        "seed": 5,
    },
]


def drawn(case):
    """Weights and batches of a case, in f32.

    Gains and biases of norms are such that most units are active, and few come near a kink.
    """
    random = np.random.default_rng(case["seed"])
    model = case["build"](case["target"])
    norms = {name for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}
    state = model.state_dict()
    for name, tensor in state.items():
        if name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            continue
        layer, _, last = name.rpartition(".")
        if tensor.ndim == 1:
            mean = {"weight": 0.4, "bias": 1.0}[last] if layer in norms else 0.0
            values = mean + 0.1 * random.standard_normal(tensor.shape)
        else:
            values = random.standard_normal(tensor.shape) * math.sqrt(2 / math.prod(tensor.shape[1:]))
        state[name] = torch.from_numpy(values.astype(np.float32))
    shape = (case["batches"], case["batch"], *case["input"])
    inputs = torch.from_numpy(random.standard_normal(shape).astype(np.float32))
    labels = torch.from_numpy(random.integers(0, case["classes"], shape[:2]))
    return state, inputs, labels


def trajectory(case, groups, rule, dtype):
    """Losses, norms and the state after STEPS steps, and how near a ReLU or pooling came to a kink."""
    state, inputs, labels = drawn(case)
    model = case["build"](case["target"])
    model.load_state_dict(state)
    model = model.to(dtype)
    settings = groups.param_groups(model, case["lr"], case["weight_decay"])
    optimizer = torch.optim.SGD(settings, momentum=case["momentum"])
    sam = groups.SAM(optimizer, model, case["rho"][rule])
    losses, norms, kinks = [], [], Kinks(model)
    for step in range(STEPS):
        batch = inputs[step % case["batches"]].to(dtype), labels[step % case["batches"]]
        losses.append(sam.step(closure_of(model, batch)).item())
        norms.append(sam.perturbation_norm)
        assert not sam.skipped
    found = {f"{rule}/losses": torch.tensor(losses), f"{rule}/norms": torch.tensor(norms)}
    found |= {f"{rule}/after/{name}": tensor for name, tensor in model.state_dict().items()}
    return found, kinks.margin


def compute(case, program):
    state, inputs, labels = drawn(case)
    tensors = {f"param/{name}": tensor for name, tensor in state.items()}
    tensors |= {"inputs": inputs, "labels": labels}
    for rule in case["rho"]:
        groups, _ = program.scale(
            case["build"], case["base"], case["target"], ["--rule", rule], case["roles"]
        )
        found, margin = trajectory(case, groups, rule, torch.float64)
        if margin < KINK_MARGIN:
            raise SystemExit(f"{case['name']}, {rule}: a kink is {margin:.1e} away; change its radius")
        single, _ = trajectory(case, groups, rule, torch.float32)
        errors = {name: difference(stored(single[name]), stored(found[name])) for name in found}
        worst = max(errors, key=errors.get)
        losses = found[f"{rule}/losses"]
        print(
            f"{case['name']}, {rule}: loss {losses[0]:.4f} to {losses[-1]:.4f}; f32 differs by "
            f"{errors[f'{rule}/losses']:.1e} in the losses, {errors[worst]:.1e} in {worst}; "
            f"nearest kink {margin:.1e}"
        )
        tensors |= found
    origin = {
        key: case[key]
        for key in ("model", "base", "target", "lr", "momentum", "weight_decay", "rho", "seed", "batches")
    }
    origin |= {"steps": STEPS, "asam_eta": 0.01, "command": COMMAND, "torch": torch.__version__}
    return {name: stored(tensor) for name, tensor in tensors.items()}, {"origin": json.dumps(origin)}


def write(case, program):
    tensors, metadata = compute(case, program)
    path = FIXTURES / f"trajectory_{case['name']}.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata=metadata)
    print(f"  {path.name}: {path.stat().st_size} bytes")


def check(case, program):
    tensors, _ = compute(case, program)
    path = FIXTURES / f"trajectory_{case['name']}.safetensors"
    kept = safetensors.numpy.load_file(path)
    assert tensors.keys() == kept.keys(), f"{path}: other tensors"
    for name, array in tensors.items():
        assert array.shape == kept[name].shape, f"{path}: {name} has another shape"
        assert difference(array, kept[name]) <= TOLERANCE, f"{path}: {name} differs"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mup2", default="target/release/mup2", help="the program")
    parser.add_argument("--check", action="store_true", help="compare with the fixtures")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    with tempfile.TemporaryDirectory() as directory:
        program = Program(str(pathlib.Path(arguments.mup2).resolve()), directory)
        build = lambda: Mlp(12, 24, 5)  # noqa: E731
        groups, _ = program.scale(lambda width: Mlp(12, width, 5), 8, 24)
        check_formula(program)
        check_accumulation(groups, build)
        check_scaler(groups, build)
        check_autocast(groups, build)
        check_compile(groups, build)
        check_data_parallel(groups, build, directory)
        check_running_statistics(program)
        check_dropout(program)
        check_initialization(program)
        check_refusals(program, groups, build)
        check_schedule(groups, build)
        for case in TRAJECTORIES:
            (check if arguments.check else write)(case, program)


if __name__ == "__main__":
    main()
