import datetime
import json
import math
import os
import pathlib

import pytest
import torch
import torch.distributed as dist
from models import MLP, base_of, closure_of, cross_entropy, data, flat, scaled_mlp, train
from torch import Tensor, nn

from mup2 import InvalidInput
from mup2.torch import SAM, BaseShapes, scale
from mup2.torch.base import BaseShape

FIXTURES = pathlib.Path(__file__).parents[2] / "crates/mup2-train/tests/fixtures/pytorch"


def at_base(model: nn.Module, **options):
    """The model as its own base: every multiplier is 1."""
    shapes = {
        name: BaseShape(tuple(one.shape), (True,) * one.ndim)
        for name, one in model.named_parameters()
    }
    return scale(model, BaseShapes("itself", shapes), **options)


class Point(nn.Module):
    def __init__(self, *start: float) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.tensor(start, dtype=torch.float64))


@pytest.mark.parametrize(
    ("start", "lr", "rho", "loss", "after"),
    [
        (
            (-1.0, 10.0, 1.0),
            0.01,
            0.1,
            lambda p: ((p - torch.tensor([1.0, -1.0, 1.0])) ** 2).sum(),
            {
                1: (-0.9596422291236001, 9.7780322601798, 1.0),
                3: (-0.8813320105150336, 9.347326057832685, 1.0),
            },
        ),
        (
            (0.5, -1.0, 2.0),
            0.05,
            0.3,
            lambda p: (p**4).sum() / 4 + p[0] * p[1],
            {
                1: (0.5458232059775139, -0.9705295610871839, 1.393514728644878),
                3: (0.6356324196004481, -0.9176337317208763, 1.0122579706224428),
            },
        ),
    ],
)
def test_steps_are_those_of_optax(start, lr, rho, loss, after):
    """METHOD section 9, from optax 0.2.8."""
    model = Point(*start)
    scaled = at_base(model)
    sam = SAM(torch.optim.SGD(scaled.param_groups(lr)), scaled, rho)

    def closure() -> Tensor:
        value = loss(model.p)
        value.backward()
        return value

    for step in range(1, 4):
        sam.step(closure)
        if step in after:
            assert model.p.tolist() == pytest.approx(after[step], rel=1e-14)


@pytest.mark.parametrize(
    ("options", "weight", "bias"),
    [
        (
            {"rule": "sam"},
            [[0.184288535, -0.061429512], [0.030714756, 0.245718047]],
            [-0.122859023, 0.368577070],
        ),
        (
            {"rule": "asam"},
            [[0.057869819, -0.075654239], [0.149814082, 0.020053824]],
            [-0.148327103, 0.444981310],
        ),
        (
            {"rule": "asam", "asam_bias": "absolute", "asam_eta": 0.0},
            [[0.144551877, -0.192735836], [0.385471672, 0.048183959]],
            [-0.003854717, 0.046256601],
        ),
    ],
)
def test_perturbations_are_those_of_the_method_page(options, weight, bias):
    """METHOD section 9: SAM, ASAM with T = 1 for biases, and with |w| for all."""
    eta = options.pop("asam_eta", 0.01)
    model = nn.Linear(2, 2).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.5, -1.0], [2.0, 0.25]]))
        model.bias.copy_(torch.tensor([0.1, -0.2]))
    start = [one.detach().clone() for one in model.parameters()]
    scaled = at_base(model, **options)
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 0.5, asam_eta=eta)
    model.weight.grad = torch.tensor([[0.3, -0.1], [0.05, 0.4]], dtype=torch.float64)
    model.bias.grad = torch.tensor([-0.2, 0.6], dtype=torch.float64)
    assert sam.first_step()
    moved = [(one - old).tolist() for one, old in zip(model.parameters(), start, strict=True)]
    assert moved[0] == [pytest.approx(row, abs=1e-8) for row in weight]
    assert moved[1] == pytest.approx(bias, abs=1e-8)
    sam.restore()
    assert all(torch.equal(one, old) for one, old in zip(model.parameters(), start, strict=True))


def formula_step(model, scaled, batch, rho, settings, state):
    """One SAM step by the formula of METHOD sections 3 and 4, written a second time."""
    weights = dict(model.named_parameters())
    rows, rule = scaled.rows, scaled.rule

    def gradients():
        loss = cross_entropy(model(batch[0]), batch[1])
        return dict(zip(weights, torch.autograd.grad(loss, weights.values()), strict=True))

    def t(name):
        weight = weights[name].detach()
        if rule == "asam-layer":
            return weight.pow(2).sum().sqrt()
        if rule == "asam" and rows[name].kind != "bias":
            return weight.abs() + 0.01 * rows[name].asam_eta_mult
        return torch.ones_like(weight)

    first, factors = gradients(), {name: t(name) for name in weights}
    squares = [(rows[n].norm_mult * factors[n] * first[n]).pow(2).sum() for n in weights]
    norm = sum(squares).sqrt().item()
    start = {name: one.detach().clone() for name, one in weights.items()}
    with torch.no_grad():
        for name, one in weights.items():
            one += rho * rows[name].rho_mult * factors[name] ** 2 * first[name] / norm
    second = gradients()
    with torch.no_grad():
        for name, one in weights.items():
            one.copy_(start[name])
            decayed = second[name] + settings["weight_decay"] * rows[name].wd_mult * one
            state[name] = 0.9 * state.get(name, 0.0) + decayed
            one -= settings["lr"] * rows[name].lr_mult * state[name]
    return norm


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"denominator": "coupled"},
        {"scheme": "sp-global"},
        {"rule": "asam"},
        {"rule": "asam-layer"},
    ],
)
def test_twenty_steps_follow_an_independent_computation(options):
    model, scaled = scaled_mlp(**options)
    other = MLP(64).double()
    other.load_state_dict(model.state_dict())
    groups = scaled.param_groups(0.05, weight_decay=0.03)
    sam = SAM(torch.optim.SGD(groups, momentum=0.9), scaled, 0.2)
    state: dict[str, Tensor] = {}
    for batch in data(20):
        sam.step(closure_of(model, *batch))
        settings = {"lr": 0.05, "weight_decay": 0.03}
        norm = formula_step(other, scaled, batch, 0.2, settings, state)
        assert sam.perturbation_norm == pytest.approx(norm, rel=1e-12)
    assert (flat(model) - flat(other)).abs().max() < 1e-12


def read_safetensors(path: pathlib.Path) -> dict[str, Tensor]:
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    header = json.loads(raw[8 : 8 + length])
    types = {"F32": torch.float32, "I64": torch.int64}
    return {
        name: torch.frombuffer(
            bytearray(
                raw[8 + length + one["data_offsets"][0] : 8 + length + one["data_offsets"][1]]
            ),
            dtype=types[one["dtype"]],
        ).reshape(one["shape"])
        for name, one in header.items()
        if name != "__metadata__"
    }


class FixtureMLP(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.input = nn.Linear(12, width)
        self.hidden = nn.ModuleList([nn.Linear(width, width)])
        self.readout = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(torch.relu(self.hidden[0](torch.relu(self.input(x)))))


@pytest.mark.parametrize(("rule", "rho"), [("sam", 0.2), ("asam", 0.3)])
def test_twenty_steps_are_those_of_the_rust_side(rule, rho):
    """`tests/pytorch_trajectories.rs` holds our Burn models to the same file."""
    stored = read_safetensors(FIXTURES / "trajectory_mlp.safetensors")
    model = FixtureMLP(24).double()
    model.load_state_dict({name: stored[f"param/{name}"].double() for name in model.state_dict()})
    scaled = scale(model, base_of(FixtureMLP, 8), rule=rule)
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1, weight_decay=0.01)), scaled, rho)
    for step in range(20):
        x, y = stored["inputs"][step].double(), stored["labels"][step]
        loss = sam.step(closure_of(model, x, y))
        assert loss.item() == pytest.approx(stored[f"{rule}/losses"][step].item(), rel=1e-6)
        assert sam.perturbation_norm == pytest.approx(
            stored[f"{rule}/norms"][step].item(), rel=1e-6
        )
    for name, value in model.state_dict().items():
        assert torch.allclose(value.float(), stored[f"{rule}/after/{name}"], rtol=1e-6, atol=1e-7)


# ---- what is not finite ------------------------------------------------------------------------


@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("what", ["loss", "gradient"])
def test_nothing_that_is_not_finite_reaches_the_weights(call, what):
    model, scaled = scaled_mlp()
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1), momentum=0.9), scaled, 0.2)
    x, y = data()[0]
    before, calls = flat(model), 0

    def closure() -> Tensor:
        nonlocal calls
        calls += 1
        outputs = model(x)
        loss = cross_entropy(outputs, y)
        if calls == call:
            # The square root's slope at 0 is infinite: a finite loss, a gradient of NaN.
            nan = torch.sqrt((outputs * 0).abs().sum())
            loss = loss + nan if what == "gradient" else loss * float("nan")
        loss.backward()
        return loss

    sam.step(closure)
    assert sam.skipped and torch.equal(flat(model), before)
    sam.step(closure)
    assert not sam.skipped and not torch.equal(flat(model), before)
    assert torch.isfinite(flat(model)).all()


def ranks(rank: int, mode: str, port: int, path: str) -> None:
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    timeout = datetime.timedelta(seconds=60)
    dist.init_process_group("gloo", rank=rank, world_size=2, timeout=timeout)
    model, scaled = scaled_mlp()
    if mode == "fsdp":
        from torch.distributed.fsdp import fully_shard

        fully_shard(model.hidden)
        fully_shard(model)
        wrapped = model
    else:
        wrapped = nn.parallel.DistributedDataParallel(model)
    rule = "asam" if mode == "fsdp" else "sam"
    if mode == "fsdp":
        scaled = scale(model, base_of(MLP), rule=rule)
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1), momentum=0.9), scaled, 0.2)
    skipped = []
    for step, (x, y) in enumerate(data()):
        x, y, calls = x.chunk(2)[rank], y.chunk(2)[rank], 0

        def closure(x=x, y=y, step=step) -> Tensor:
            nonlocal calls
            calls += 1
            loss = cross_entropy(wrapped(x), y)
            if step == 3 and rank == 0 and mode == f"nan{calls}":
                # Not through the gradient, which ranks share.
                loss = loss + torch.tensor(float("nan"), dtype=torch.float64)
            loss.backward()
            return loss

        sam.step(closure)
        skipped.append(sam.skipped)
    weights = torch.cat(
        [
            (one.full_tensor() if hasattr(one, "full_tensor") else one).detach().flatten()
            for one in model.parameters()
        ]
    )
    torch.save({"weights": weights, "skipped": skipped}, f"{path}/{rank}.pt")
    dist.destroy_process_group()


@pytest.mark.parametrize("mode", ["plain", "nan1", "nan2", "fsdp"])
def test_two_processes_stay_equal_also_when_one_has_a_loss_that_is_not_finite(mode, tmp_path):
    port = 29510 + ["plain", "nan1", "nan2", "fsdp"].index(mode) + os.getpid() % 300 * 4
    torch.multiprocessing.spawn(ranks, (mode, port, str(tmp_path)), 2)
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert torch.equal(one["weights"], two["weights"])
    assert one["skipped"] == two["skipped"] == [mode.startswith("nan") and k == 3 for k in range(6)]
    model, scaled = scaled_mlp()
    if mode == "fsdp":
        scaled = scale(model, base_of(MLP), rule="asam")
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1), momentum=0.9), scaled, 0.2)
    batches = [one for k, one in enumerate(data()) if not (mode.startswith("nan") and k == 3)]
    train(model, sam, batches)
    assert (one["weights"] - flat(model)).abs().max() < 1e-12


# ---- what is noticed ---------------------------------------------------------------------------

schedulers = torch.optim.lr_scheduler


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda o: schedulers.OneCycleLR(o, max_lr=0.1, total_steps=10), "learning rates of SGD"),
        (
            lambda o: schedulers.CyclicLR(o, base_lr=0.01, max_lr=0.1, step_size_up=5),
            "learning rates of SGD",
        ),
        (
            lambda o: schedulers.CosineAnnealingLR(o, 10, eta_min=0.05),
            "learning rates of SGD do not have the ratios",
        ),
        (lambda o: [group.update(lr=0.03) for group in o.param_groups], "learning rates of SGD"),
        (
            lambda o: [group.update(weight_decay=0.01) for group in o.param_groups],
            "weight decays of SGD",
        ),
    ],
)
def test_rates_that_lost_their_ratios_are_noticed(spoil, sentence):
    """Case 12."""
    model, scaled = scaled_mlp()
    optimizer = torch.optim.SGD(scaled.param_groups(0.1, weight_decay=1e-4), momentum=0.9)
    sam = SAM(optimizer, scaled, 0.1)
    scheduler = spoil(optimizer)
    with pytest.raises(InvalidInput, match=sentence):
        for batch in data():
            sam.step(closure_of(model, *batch))
            if hasattr(scheduler, "step"):
                scheduler.step()


@pytest.mark.parametrize(
    "make",
    [
        lambda o: schedulers.LinearLR(o, 0.1, total_iters=5),
        lambda o: schedulers.CosineAnnealingLR(o, 5),
        lambda o: schedulers.LambdaLR(o, lambda step: step / 10),
        lambda o: schedulers.OneCycleLR(
            o, max_lr=[0.1 * group["lr_mult"] for group in o.param_groups], total_steps=10
        ),
    ],
)
def test_schedules_that_multiply_all_rates_alike_pass(make):
    model, scaled = scaled_mlp()
    optimizer = torch.optim.SGD(scaled.param_groups(0.1, weight_decay=1e-4), momentum=0.9)
    sam, scheduler = SAM(optimizer, scaled, 0.1), make(optimizer)
    for batch in data():
        sam.step(closure_of(model, *batch))
        scheduler.step()


def test_an_optimizer_of_another_class_or_without_the_groups_is_refused():
    model, scaled = scaled_mlp()
    adam_scaled = scale(model, base_of(MLP), optimizer="adam")
    optim = torch.optim
    for optimizer, which, sentence in [
        (optim.AdamW(scaled.param_groups(1e-3)), scaled, "AdamW is of the class `adam`"),
        (optim.SGD(adam_scaled.param_groups(1e-3)), adam_scaled, "SGD is of the class `sgd`"),
        (optim.RMSprop(scaled.param_groups(1e-3)), scaled, "RMSprop is of the class"),
        (
            optim.Adam(adam_scaled.param_groups(1e-3, weight_decay=0.1)),
            adam_scaled,
            "part of the gradient",
        ),
        (optim.SGD(model.parameters(), 0.1), scaled, r"as `model\.parameters\(\)` gives them"),
        (optim.SGD(scaled.param_groups(0.1)[:1]), scaled, r"no optimizer holds \d trainable"),
        (
            optim.SGD(scale(model, base_of(MLP, 32)).param_groups(0.1)),
            scaled,
            "of another base width",
        ),
    ]:
        with pytest.raises(InvalidInput, match=sentence):
            SAM(optimizer, which, 0.1)


def test_parameters_that_are_unfrozen_later_have_to_be_held_and_are_perturbed():
    model, scaled = scaled_mlp()
    model.first.requires_grad_(False)
    optimizer = torch.optim.SGD(scaled.param_groups(0.1))
    sam = SAM(optimizer, scaled, 0.1)
    x, y = data()[0]
    sam.step(closure_of(model, x, y))
    model.first.requires_grad_(True)
    with pytest.raises(InvalidInput, match=r"no optimizer holds 2 trainable .*'first\.weight'"):
        sam.step(closure_of(model, x, y))
    held = {id(one) for group in optimizer.param_groups for one in group["params"]}
    for group in scaled.param_groups(0.1):
        new = [one for one in group["params"] if id(one) not in held]
        if new:
            optimizer.add_param_group({**group, "params": new})
    start = model.first.weight.detach().clone()
    closure_of(model, x, y)()
    assert sam.first_step() and not torch.equal(model.first.weight, start)
    sam.restore()


def test_muon_for_matrices_and_adamw_for_the_rest():
    model, scaled = scaled_mlp(optimizer="adam")
    muon = torch.optim.Muon(scaled.muon_groups(lr=0.02))
    adam = torch.optim.AdamW(scaled.param_groups(1e-3, without_muon=True))
    assert [id(one) for one in muon.param_groups[0]["params"]] == [id(model.hidden.weight)]
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    train(model, SAM([muon, adam], scaled, 0.1), data())
    assert all(not torch.equal(one, before[name]) for name, one in model.named_parameters())
    with pytest.raises(InvalidInput, match="no optimizer holds 1 trainable"):
        SAM(adam, scaled, 0.1)


def test_accumulation_by_accelerate_is_refused_with_a_sentence():
    _, scaled = scaled_mlp()

    class AcceleratedOptimizer:
        """As accelerate wraps one."""

        def __init__(self, optimizer, num_steps):
            self.optimizer = optimizer
            self.gradient_state = type("GradientState", (), {"num_steps": num_steps})()

        @property
        def param_groups(self):
            return self.optimizer.param_groups

    SAM(AcceleratedOptimizer(torch.optim.SGD(scaled.param_groups(0.1)), 1), scaled, 0.1)
    with pytest.raises(InvalidInput, match="accumulate in the closure"):
        SAM(AcceleratedOptimizer(torch.optim.SGD(scaled.param_groups(0.1)), 4), scaled, 0.1)


# ---- what goes with it -------------------------------------------------------------------------


def test_accumulation_in_the_closure_is_the_step_of_the_whole_batch():
    model, scaled = scaled_mlp()
    other, other_scaled = scaled_mlp()
    train(model, SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 0.2), data())
    sam = SAM(torch.optim.SGD(other_scaled.param_groups(0.1)), other_scaled, 0.2)
    for x, y in data():

        def closure(x=x, y=y) -> Tensor:
            total = torch.zeros((), dtype=torch.float64)
            for part, labels in zip(x.chunk(4), y.chunk(4), strict=True):
                loss = cross_entropy(other(part), labels) / 4
                loss.backward()
                total = total + loss.detach()
            return total

        sam.step(closure)
    assert (flat(model) - flat(other)).abs().max() < 1e-14


def test_buffers_that_the_forward_pass_moves_are_those_of_the_pass_at_the_weights():
    class Moving(MLP):
        def __init__(self, width: int) -> None:
            super().__init__(width)
            self.bn = nn.BatchNorm1d(12)
            self.register_buffer("average", torch.zeros(12, dtype=torch.float64))

        def forward(self, x: Tensor) -> Tensor:
            self.average.mul_(0.9).add_(0.1 * x.mean(0) + self.first.weight.detach().mean())
            return super().forward(self.bn(x))

    model = Moving(64).double()
    scaled = scale(model, base_of(Moving))
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 0.5)
    for x, y in data():
        seen = []

        def closure(x=x, y=y, seen=seen) -> Tensor:
            loss = cross_entropy(model(x), y)
            seen.append([one.clone() for one in model.buffers()])
            loss.backward()
            return loss

        sam.step(closure)
        assert len(seen) == 2
        for now, first in zip(model.buffers(), seen[0], strict=True):
            assert torch.equal(now, first)


def test_dropout_has_the_same_masks_in_both_passes():
    model = nn.Sequential(nn.Linear(12, 64), nn.Dropout(0.5), nn.Linear(64, 5)).double()
    base = BaseShapes.compare(
        nn.Sequential(nn.Linear(12, 16), nn.Dropout(), nn.Linear(16, 5)),
        nn.Sequential(nn.Linear(12, 32), nn.Dropout(), nn.Linear(32, 5)),
    )
    scaled = scale(model, base)
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 1e-12)
    x, y = data()[0]
    losses = []

    def closure() -> Tensor:
        loss = cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.item())
        return loss

    sam.step(closure)
    sam.step(closure)
    assert losses[0] == pytest.approx(losses[1], abs=1e-9)
    assert abs(losses[2] - losses[0]) > 1e-6


def test_every_and_rho_schedules_decide_which_steps_perturb():
    model, scaled = scaled_mlp()
    seen: list[int] = []
    sam = SAM(
        torch.optim.SGD(scaled.param_groups(0.1)),
        scaled,
        lambda step: seen.append(step) or (0.0 if step == 2 else 0.1),
        every=2,
    )
    seen.clear()
    norms = []
    for batch in data():
        sam.step(closure_of(model, *batch))
        norms.append(sam.perturbation_norm > 0.0)
    assert seen == list(range(6)) and norms == [True, False, False, False, True, False]
    with pytest.raises(InvalidInput, match="rho: is nan"):
        SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, math.nan)


def test_a_resumed_training_goes_on_bit_for_bit():
    def make():
        model, scaled = scaled_mlp()
        optimizer = torch.optim.SGD(scaled.param_groups(0.1), momentum=0.9)
        return model, optimizer, SAM(optimizer, scaled, lambda step: 0.1 / (1 + step), every=2)

    model, _, sam = make()
    train(model, sam, data())
    half, optimizer, sam = make()
    train(half, sam, data()[:3])
    states = half.state_dict(), optimizer.state_dict(), sam.state_dict()
    resumed, optimizer, sam = make()
    for one, state in zip((resumed, optimizer, sam), states, strict=True):
        one.load_state_dict(state)
    train(resumed, sam, data()[3:])
    assert torch.equal(flat(resumed), flat(model))


def test_a_random_direction_has_the_radius_and_differs_from_step_to_step():
    model, scaled = scaled_mlp(rule="random")
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.0)), scaled, 0.3)
    before, moves = flat(model), []
    for x, y in data()[:2]:
        closure_of(model, x, y)()
        sam.first_step()
        moves.append(flat(model) - before)
        sam.second_step()
    size = sum(
        ((move / scaled.rows[name].rho_mult * scaled.rows[name].norm_mult) ** 2).sum()
        for (name, _), move in zip(
            model.named_parameters(),
            moves[0].split([one.numel() for one in model.parameters()]),
            strict=True,
        )
    )
    assert math.sqrt(size) == pytest.approx(0.3, rel=1e-9)
    assert not torch.allclose(moves[0], moves[1])


def test_the_clipping_norm_is_level_where_the_plain_norm_grows_with_the_width():
    def norms(width: int) -> tuple[float, float]:
        model, scaled = scaled_mlp(width)
        sam = SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 0.0)
        train(model, sam, data(4, seed=3))
        plain = math.sqrt(sum(float(one.grad.pow(2).sum()) for one in model.parameters()))
        return sam.gradient_norm, plain

    (weighted, plain), (wide_weighted, wide_plain) = norms(64), norms(1024)
    assert wide_plain / plain > 1.6
    assert wide_weighted / weighted == pytest.approx(1.0, abs=0.25)


def test_clipping_bounds_the_gradient_that_the_optimizer_gets():
    model, scaled = scaled_mlp()
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 0.1, clip_norm=1e-3)
    sam.step(closure_of(model, *data()[0]))
    assert sam.gradient_norm > 1e-2
    assert float(sam.clip_gradients_(1.0)) == pytest.approx(1e-3, rel=1e-3)


def test_a_step_waits_for_the_device_once_and_uses_foreach_operations():
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.waits, self.operations = 0, 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            self.operations += 1
            self.waits += func is torch.ops.aten._local_scalar_dense.default
            return func(*args, **(kwargs or {}))

    model = nn.Sequential(*[nn.Linear(8, 8) for _ in range(60)])
    shapes = {n: BaseShape((4,) * p.ndim, (True,) * p.ndim) for n, p in model.named_parameters()}
    scaled = scale(model, BaseShapes("half", shapes))
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1), foreach=True), scaled, 0.1)
    x = torch.randn(4, 8)

    def closure() -> Tensor:
        loss = model(x).pow(2).mean()
        loss.backward()
        return loss

    sam.step(closure)
    closure()
    with Count() as count:
        sam.first_step()
    # ResNet-50 has 161 parameters and took 1,292 operations.
    assert count.operations < 3 * 120 and count.waits == 0
    sam.second_step()
    with Count() as count:
        sam.step(closure)
    assert count.waits == 1


def test_half_precision_and_sparse_gradients():
    half = MLP(64).bfloat16()
    half_scaled = scale(half, base_of(MLP))
    sam = SAM(torch.optim.SGD(half_scaled.param_groups(0.1)), half_scaled, 0.1)
    x, y = data()[0]
    sam.step(closure_of(half, x.bfloat16(), y))
    assert not sam.skipped and torch.isfinite(flat(half)).all()

    class Sparse(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.table, self.out = nn.Embedding(50, n, sparse=True), nn.Linear(n, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.table(x))

    for rule in ("sam", "asam"):
        sparse = Sparse(64)
        sparse_scaled = scale(sparse, base_of(Sparse), rule=rule)
        sam = SAM(torch.optim.SGD(sparse_scaled.param_groups(0.1)), sparse_scaled, 0.1)
        sam.step(closure_of(sparse, torch.randint(50, (32,)), y))
        assert not sam.skipped and sam.perturbation_norm > 0.0


def test_a_scaler_lowers_its_scale_at_an_infinity_and_the_weights_stay():
    model, scaled = scaled_mlp()
    plain, plain_scaled = scaled_mlp()
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 0.1)
    other = SAM(torch.optim.SGD(plain_scaled.param_groups(0.1)), plain_scaled, 0.1)

    def step(x: Tensor, y: Tensor, factor: float) -> None:
        scaler.scale(cross_entropy(model(x), y) * factor).backward()
        if sam.first_step():
            scaler.scale(cross_entropy(model(x), y) * factor).backward()
        sam.second_step(scaler)
        scaler.update()
        sam.optimizer.zero_grad()

    for x, y in data():
        step(x, y, 1.0)
    train(plain, other, data())
    assert (flat(model) - flat(plain)).abs().max() < 1e-12
    before = flat(model)
    step(x, y, math.inf)
    assert torch.equal(flat(model), before) and scaler.get_scale() == 512.0
