import math

import pytest
import torch
from models import LM, MLP, base_of, closure_of, data, flat, scaled_mlp
from torch import nn

from mup2 import InvalidInput
from mup2.scaling import multipliers
from mup2.torch import SAM, BaseShapes, scale


def test_live_models_get_the_numbers_of_plain_shapes():
    model, scaled = scaled_mlp()
    shapes = {name: tuple(one.shape) for name, one in model.named_parameters()}
    base = {name: tuple(one.shape) for name, one in MLP(16).named_parameters()}
    plain = multipliers(shapes, base=base)
    for name, row in scaled.rows.items():
        for key in ("role", "lr_mult", "rho_mult", "norm_mult", "wd_mult", "init_std"):
            assert getattr(row, key) == plain[name][key], (name, key)
    assert "effectively perturbed in 6 of 6" in str(scaled)


def test_base_shapes_survive_a_file_and_torn_files_are_errors(tmp_path):
    base = base_of(MLP)
    base.save(tmp_path / "base.toml")
    assert BaseShapes.load(tmp_path / "base.toml").shapes == base.shapes
    text = (tmp_path / "base.toml").read_text().splitlines()
    (tmp_path / "torn.toml").write_text("\n".join(text[:-1]))
    with pytest.raises(InvalidInput, match=r"torn\.toml: announces 6 parameters and has 5"):
        BaseShapes.load(tmp_path / "torn.toml")
    with pytest.raises(InvalidInput, match="same shapes"):
        BaseShapes.compare(MLP(16), MLP(16))
    with pytest.raises(InvalidInput, match=r"'bias' is in one of them alone"):
        BaseShapes.compare(nn.Linear(4, 4), nn.Linear(4, 8, bias=False))


class Everything(nn.Module):
    """One layer of each type."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, n, 3)
        self.bn = nn.BatchNorm2d(n)
        self.depthwise = nn.Conv2d(n, n, 3, groups=n)
        self.up = nn.ConvTranspose2d(n, 2 * n, 2)
        self.up_depthwise = nn.ConvTranspose2d(n, n, 2, groups=n)
        self.gru = nn.GRU(n, n)
        self.attention = nn.MultiheadAttention(n, 4)
        self.table = nn.Embedding(50, n, padding_idx=3)
        self.prelu = nn.PReLU(n)
        self.cls = nn.Parameter(torch.randn(1, 1, n))
        self.scale = nn.Parameter(torch.full((n, 1, 1), 2.3))
        self.temperature = nn.Parameter(torch.tensor(0.07))
        self.out = nn.Linear(n, 10)


def test_the_types_of_layers_tell_layouts_also_of_transposed_and_depthwise_ones():
    scaled = scale(Everything(64), base_of(Everything))
    roles = {name: row.role for name, row in scaled.rows.items()}
    expected = {
        "stem.weight": "input",
        "bn.weight": "input",
        "depthwise.weight": "input",
        "up.weight": "hidden",
        "up_depthwise.weight": "input",
        "gru.weight_hh_l0": "hidden",
        "gru.bias_ih_l0": "input",
        "attention.in_proj_weight": "hidden",
        "attention.in_proj_bias": "input",
        "attention.out_proj.weight": "hidden",
        "table.weight": "input",
        "prelu.weight": "input",
        "cls": "input",
        "scale": "input",
        "temperature": "fixed",
        "out.weight": "output",
        "out.bias": "fixed",
    }
    assert {name: roles[name] for name in expected} == expected
    kinds = {name: row.kind for name, row in scaled.rows.items()}
    assert (kinds["bn.weight"], kinds["gru.bias_ih_l0"], kinds["stem.weight"]) == (
        "norm",
        "bias",
        "weight",
    )


class Open(nn.Module):
    def __init__(self, n: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.randn(1, 7, n))
        self.b = nn.Parameter(torch.randn(4, n, n))
        self.table = nn.Parameter(torch.randn(7, 3))
        self.out = nn.Linear(n, 3)


def test_parameters_that_no_layer_explains_are_listed_at_once_and_declared():
    base = base_of(Open)
    with pytest.raises(InvalidInput) as error:
        scale(Open(64), base, declare={"c": "embedding"})
    message = str(error.value)
    assert all(part in message for part in ("'a' of shape", "'b' of shape", "'c', which no"))
    assert "table" not in message
    scaled = scale(Open(64), base, declare={"a": "embedding", "b": "stack in out"})
    assert [row.role for row in scaled.rows.values()] == [
        "input",
        "hidden",
        "fixed",
        "output",
        "fixed",
    ]


def test_names_of_wrappers_do_not_matter():
    model = MLP(64)
    for wrapped in (torch.compile(model), nn.DataParallel(model), torch.compile(MLP(64))):
        assert "first.weight" in scale(wrapped, base_of(MLP)).rows
    compiled = BaseShapes.compare(torch.compile(MLP(16)), torch.compile(MLP(32)))
    assert compiled.shapes == base_of(MLP).shapes


class Mamba(nn.Module):
    """The start of a state-space mixer: values that matter, of any rank (case 01)."""

    def __init__(self, n: int, states: int = 16, rank: int = 8) -> None:
        super().__init__()
        self.emb = nn.Linear(12, n, bias=False)
        self.dt_proj = nn.Linear(rank, n)
        step = torch.exp(torch.rand(n) * math.log(100) + math.log(0.001)).clamp(min=1e-4)
        with torch.no_grad():
            self.dt_proj.bias.copy_(step + torch.log(-torch.expm1(-step)))
        self.A_log = nn.Parameter(torch.log(torch.arange(1.0, states + 1).repeat(n, 1)))
        self.logit_scale = nn.Parameter(torch.full((n // 8, 1, 1), math.log(10)))
        self.padded = nn.Embedding(9, n, padding_idx=2)
        self.head = nn.Linear(n, 10)
        nn.init.zeros_(self.head.weight)


def test_initialization_keeps_special_values_of_any_rank_and_says_what_it_kept():
    model = Mamba(64)
    base = BaseShapes.compare(Mamba(16), Mamba(32))
    before = {name: one.detach().clone() for name, one in model.named_parameters()}
    options = {"declare": {"A_log": "out stack"}}
    done = scale(model, base, **options).initialize_()
    now = dict(model.named_parameters())
    for name in ("dt_proj.bias", "A_log", "logit_scale", "head.weight"):
        assert torch.equal(now[name], before[name]), name
        assert f"kept   {name}" in str(done)
    assert done.zeroed == ["head.bias"]
    assert set(done.drawn) == {"emb.weight", "dt_proj.weight", "padded.weight"}
    assert not now["padded.weight"][2].any() and now["padded.weight"][1].any()
    scaled = scale(model, base, gain={"head.weight": 1.0}, **options)
    assert scaled.initialize_().drawn["head.weight"] == pytest.approx(0.25 / 4)


def test_frozen_parameters_are_neither_drawn_nor_put_into_groups():
    model = MLP(64)
    model.first.requires_grad_(False)
    scaled = scale(model, base_of(MLP))
    assert scaled.initialize_().kept["first.weight"] == "frozen"
    held = [id(one) for group in scaled.param_groups(0.1) for one in group["params"]]
    assert id(model.first.weight) not in held and len(held) == 4


def test_decay_may_leave_out_vectors_patterns_or_what_a_function_says():
    _, scaled = scaled_mlp()
    for no_decay in ("vectors", ["*.bias"], "*.bias", lambda name, _: name.endswith("bias")):
        groups = scaled.param_groups(0.1, weight_decay=1e-2, no_decay=no_decay)
        for group in groups:
            decays = {one.ndim > 1 for one in group["params"]}
            assert decays == {group["weight_decay"] > 0}
    with pytest.raises(InvalidInput, match="no_decay"):
        scaled.param_groups(0.1, no_decay=["*.gain"])


def test_tied_weights_are_seen_and_flat_over_widths_with_the_multiplier():
    """Case 02: without the multiplier the logits of a wide model explode."""

    def change(width: int, multiplied: bool) -> float:
        total = 0.0
        for seed in range(3):
            torch.manual_seed(seed)
            model = LM(width)
            scaled = scale(model, base_of(LM, 64))
            assert scaled.tied == {"wte.weight": ["lm_head.weight"]}
            assert scaled.rows["wte.weight"].role == "input"
            assert "multiply what enters the readout" in str(scaled)
            scaled.initialize_()
            if multiplied:
                model.logits_mult = scaled.logits_mult
            x = torch.randint(64, (256,))
            y = (x * 7 + 3) % 64
            start = model(x).detach()
            sam = SAM(torch.optim.SGD(scaled.param_groups(0.05)), scaled, rho=0.05)
            for _ in range(3):
                sam.step(closure_of(model, x, y))
            total += (model(x).detach() - start).pow(2).mean().sqrt().item()
        return total / 3

    narrow, wide = change(128, True), change(1024, True)
    assert wide / narrow == pytest.approx(1.0, abs=0.35)
    assert not change(1024, False) / change(128, False) < 4.0


def test_a_functional_readout_is_pointed_out_and_can_be_declared_tied():
    class Functional(nn.Module):
        def __init__(self, n: int) -> None:
            super().__init__()
            self.wte, self.h = nn.Embedding(50, n), nn.Linear(n, n)

    base = base_of(Functional)
    assert "No parameter is a readout" in str(scale(Functional(64), base))
    scaled = scale(Functional(64), base, declare={"wte.weight": "tied"})
    assert scaled.logits_mult == 0.25 and "multiply what enters" in str(scaled)


def test_a_module_that_is_used_twice_is_one_parameter():
    class Shared(MLP):
        def __init__(self, width: int) -> None:
            super().__init__(width)
            self.again = self.hidden

    model = Shared(64).double()
    scaled = scale(model, base_of(Shared))
    assert not scaled.tied and "again.weight" not in scaled.rows
    x, y = data()[0]
    before = flat(model)
    SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 0.1).step(closure_of(model, x, y))
    assert not torch.equal(before, flat(model))


def test_rules_that_treat_biases_apart_know_kinds_from_layers():
    assert scale(MLP(64), base_of(MLP), rule="asam").rows["first.bias"].kind == "bias"

    class Gamma(MLP):
        def __init__(self, width: int) -> None:
            super().__init__(width)
            self.gamma = nn.Parameter(torch.ones(width))

    with pytest.raises(InvalidInput, match="`gamma` is neither known"):
        scale(Gamma(64), base_of(Gamma), rule="asam")
    scaled = scale(Gamma(64), base_of(Gamma), rule="asam", kind={"gamma": "norm"})
    assert scaled.rows["gamma"].kind == "norm"
