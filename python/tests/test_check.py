from functools import partial

import pytest
import torch
from models import LM, MLP, base_of
from torch import Tensor, nn

from mup2 import InvalidInput
from mup2.torch import coordinate_check
from mup2.torch.probe import Probe

WIDTHS = (64, 128, 256, 512)


def images(inputs: tuple[int, ...], classes: int = 10, size: int = 64):
    def batch(seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randn(size, *inputs, generator=generator)
        return x, torch.randint(classes, (size,), generator=generator)

    return batch


make_mlp = partial(MLP, inputs=32, outputs=10, bias=False)
check_mlp = partial(
    coordinate_check,
    make_mlp,
    images((32,)),
    base=base_of(make_mlp, 64),
    widths=WIDTHS,
    lr=0.5,
    rho=0.05,
)


def verdicts(report) -> dict[str, str]:
    return {name: one["verdict"] for name, one in report.tensors.items()}


def test_an_mlp_passes_under_mup2(tmp_path):
    report = check_mlp()
    assert report.passed and set(verdicts(report).values()) == {"effective"}
    assert all(one["effect_as_predicted"] for one in report.tensors.values())
    assert "PASS" in str(report)
    report.html(tmp_path / "check.html")
    page = (tmp_path / "check.html").read_text()
    assert page.count("<svg") >= 2 and "hidden.weight" in page


def test_an_mlp_fails_under_the_wrong_schemes_which_names_the_tensors():
    naive = check_mlp(scheme="sp-naive")
    assert not naive.passed and not naive.stable
    assert verdicts(naive)["first.weight"] == "vanishing"
    assert verdicts(naive)["hidden.weight"] == "exploding"
    plain = check_mlp(scheme="mup-global")
    assert not plain.passed and plain.stable
    assert verdicts(plain) == {
        "first.weight": "vanishing",
        "hidden.weight": "vanishing",
        "readout.weight": "effective",
    }
    text = " ".join(plain.findings)
    assert "`first.weight`" in text and "`hidden.weight`" in text


@pytest.mark.parametrize("rule", ["asam", "asam-layer"])
def test_the_other_rules_pass_too(rule):
    # A large rate prolongs the readout's transient: METHOD section 12.
    report = check_mlp(rule=rule, rho={"asam": 0.5, "asam-layer": 0.05}[rule], lr=0.1)
    assert report.passed, str(report)


def test_parts_of_the_change_add_up():
    report = check_mlp(widths=(64, 128), seeds=2, steps=1)
    for point in report.points:
        if point["tensor"] == "first.weight":
            assert point["propagated"] == pytest.approx(0.0, abs=1e-12)
            assert point["total"] == pytest.approx(point["effect"])
        assert point["total"] <= point["effect"] + point["propagated"] + point["cross"] + 1e-12
        assert 0.0 < point["spectral"]
    shares = [p["norm_share"] for p in report.points if (p["width"], p["seed"]) == (64, 0)]
    assert sum(shares) == pytest.approx(1.0)


def test_autocast_does_not_hide_the_weights():
    report = check_mlp(dtype=torch.float32, autocast=torch.bfloat16, seeds=2)
    assert report.passed, str(report)


def test_tied_weights_explode_without_their_multiplier_and_pass_with_it():
    def batch(seed: int) -> tuple[Tensor, Tensor]:
        generator = torch.Generator().manual_seed(seed)
        x = torch.randint(64, (128,), generator=generator)
        return x, (x * 7 + 3) % 64

    def multiply(model, scaled):
        model.logits_mult = scaled.logits_mult

    check = partial(
        coordinate_check,
        LM,
        batch,
        base=base_of(LM, 64),
        widths=(64, 128, 256, 512),
        lr=0.02,
        rho=0.02,
        seeds=2,
    )
    wrong = check()
    assert verdicts(wrong)["wte.weight"] == "exploding"
    assert "multiply what enters the readout" in str(wrong)
    right = check(setup=multiply)
    assert right.stable, str(right)
    assert verdicts(right)["wte.weight"] != "exploding"


class Block(nn.Module):
    """Packed attention, norms, convolution, batch normalization: each use is seen."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, n, 4, 4)
        self.bn = nn.BatchNorm2d(n)
        self.position = nn.Parameter(0.02 * torch.randn(1, 4, n))
        self.ln = nn.LayerNorm(n)
        self.attention = nn.MultiheadAttention(n, n // 8, batch_first=True)
        self.gru = nn.GRU(n, n, batch_first=True)
        self.head = nn.Linear(n, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.patch(x)).flatten(2).transpose(1, 2) + self.position
        h = self.ln(x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return self.head(self.gru(x)[0].mean(1))


def test_every_parameter_is_seen_where_it_is_used():
    model = Block(16).double()
    moves = {name: (one, torch.ones_like(one) * 1e-3) for name, one in model.named_parameters()}
    buffers = [one.clone() for one in model.buffers()]
    with torch.no_grad():
        expected = model(torch.ones(2, 3, 8, 8, dtype=torch.float64))
        for one, value in zip(model.buffers(), buffers, strict=True):
            one.copy_(value)
        with Probe(moves) as probe:
            found = model(torch.ones(2, 3, 8, 8, dtype=torch.float64))
    assert torch.equal(found, expected)
    seen = {use.name for use in probe.uses if not torch.equal(use.output, use.moved)}
    assert seen == set(moves)
    # Running statistics moved once.
    assert int(model.bn.num_batches_tracked) == 1


def test_a_transformer_block_with_convolution_and_norms_is_stable_under_mup2():
    def run(scheme: str):
        return coordinate_check(
            Block,
            images((3, 8, 8), size=16),
            base=base_of(Block, 32),
            widths=(32, 64, 128),
            lr=0.02,
            rho=0.02,
            seeds=2,
            scheme=scheme,
            declare={"position": "embedding"},
        )

    right, wrong = run("mup2"), run("mup-naive")
    assert right.stable, str(right)
    assert not wrong.passed
    assert verdicts(wrong)["patch.weight"] == "vanishing"
    assert verdicts(right)["patch.weight"] != "vanishing"


def test_too_few_widths_are_an_error():
    with pytest.raises(InvalidInput, match="too few to fit a slope"):
        check_mlp(widths=(64,))
