"""The lines of the guide for JAX."""

import re
from pathlib import Path

import pytest

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")

GUIDE = Path(__file__).parents[2] / "docs/guides/pytorch-package.md"


def test_the_guides_optax_lines_are_the_step_of_pytorch():
    import torch
    from models import MLP, closure_of, data, scaled_mlp

    from mup2.torch import SAM

    model, scaled = scaled_mlp()
    block = re.search(r"^```python,jax\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert block
    names: dict[str, object] = {}
    jax.config.update("jax_enable_x64", True)
    names["base"] = {n: tuple(p.shape) for n, p in MLP(16).named_parameters()}
    names["params"] = {n: jax.numpy.array(p.detach().numpy()) for n, p in model.named_parameters()}
    x, y = data()[0]

    def loss_of(params):
        h = jax.numpy.array(x.numpy())
        for layer in ("first", "hidden", "readout"):
            h = h @ params[f"{layer}.weight"].T + params[f"{layer}.bias"]
            h = jax.nn.relu(h) if layer != "readout" else h
        labels = jax.numpy.array(y.numpy())
        return optax.softmax_cross_entropy_with_integer_labels(h, labels).mean()

    names["loss_of"] = loss_of
    exec(block[1], names)
    SAM(torch.optim.SGD(scaled.param_groups(0.1)), scaled, 0.05).step(closure_of(model, x, y))
    for name, one in model.named_parameters():
        assert abs(names["params"][name] - one.detach().numpy()).max() < 1e-12
