"""What the sides of a live model's parameters count: told by the types of its layers."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mup2._request import torch_layout

# Wrappers that put a part of their own into names: torch.compile, FSDP, activation checkpointing.
_WRAPPERS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")

_NORMS = (
    nn.LayerNorm,
    nn.GroupNorm,
    nn.modules.batchnorm._NormBase,
    *((nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()),
)


@dataclass
class Live:
    """One parameter of a model."""

    name: str
    tensor: nn.Parameter
    # Other names of the same tensor.
    aliases: list[str]
    # One word a side; None where no layer's type tells.
    layout: str | None
    kind: str | None
    # A matrix that its layer draws at random.
    drawn: bool = False
    # Largest entry of the bias that PyTorch draws by default; None where it draws none.
    default_bound: float | None = None
    # A row of zeros that stays so.
    padding_row: int | None = None
    # Embedding and readout in one.
    tied: bool = False
    # What the user reads of it: the type of its layer.
    layer: str = ""


def plain_name(name: str) -> str:
    """The name without what `torch.compile`, data parallelism and FSDP put into it."""
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def unwrapped(model: nn.Module) -> nn.Module:
    """The model within `torch.compile` and (Distributed)DataParallel."""
    while True:
        if isinstance(model, nn.parallel.DistributedDataParallel | nn.DataParallel):
            model = model.module
        elif "_orig_mod" in model._modules:
            inner = model._modules["_orig_mod"]
            assert inner is not None
            model = inner
        else:
            return model


def live_parameters(model: nn.Module) -> list[Live]:
    """Every parameter once, under its first name, with what its layers' types tell."""
    model = unwrapped(model)
    modules = dict(model.named_modules())
    found: dict[int, Live] = {}
    for path, module in modules.items():
        for key, tensor in module._parameters.items():
            if tensor is None:
                continue
            own = _described(modules, path, module, key, tensor)
            first = found.setdefault(id(tensor), own)
            if first is not own:
                _join(first, own)
    return list(found.values())


def _join(first: Live, second: Live) -> None:
    """One tensor in two layers: an embedding table and a readout, or twice the same."""
    first.aliases.append(second.name)
    if first.layout == second.layout:
        return
    one, other = (first, second) if first.layout == "stack out" else (second, first)
    if one.layout == "stack out" and other.layout == "out in":
        first.tied = True
        first.layout, first.kind, first.drawn = one.layout, one.kind, True
        first.padding_row = one.padding_row
        first.layer = one.layer
    else:
        first.layout = None
        first.layer = f"{first.layer} and {second.layer}"


def _described(
    modules: dict[str, nn.Module], path: str, module: nn.Module, key: str, tensor: nn.Parameter
) -> Live:
    name = plain_name(f"{path}.{key}" if path else key)
    live = Live(name, tensor, [], None, None, layer=type(module).__name__)
    if isinstance(module, nn.utils.parametrize.ParametrizationList):
        # `layer.parametrizations.weight.original` is the layer's weight where the shapes agree.
        owner_path, _, rest = path.rpartition("parametrizations.")
        owner = modules.get(owner_path.rstrip("."))
        if owner is not None and key == "original":
            _by_type(live, owner, rest, tensor)
            live.layer = f"{type(owner).__name__}, parametrized"
        return live
    _by_type(live, module, key, tensor)
    return live


def _by_type(live: Live, module: nn.Module, key: str, tensor: Tensor) -> None:
    sides = tensor.ndim

    def matrix(layout: str) -> None:
        live.layout, live.kind, live.drawn = layout, "weight", True

    def bias(fan_in: int) -> None:
        live.layout, live.kind = "out", "bias"
        live.default_bound = fan_in**-0.5

    if isinstance(module, nn.Linear):
        matrix("out in") if key == "weight" else bias(module.in_features)
    elif isinstance(module, nn.modules.conv._ConvTransposeNd):
        if key == "bias":
            bias(module.weight.shape[1] * module.weight[0, 0].numel())
        elif module.groups == 1 or module.groups < module.in_channels:
            matrix(" ".join(["in", "out", *["kernel"] * (sides - 2)]))
        else:
            matrix(torch_layout(sides))
    elif isinstance(module, nn.modules.conv._ConvNd):
        matrix(torch_layout(sides)) if key == "weight" else bias(module.weight[0].numel())
    elif isinstance(module, nn.Embedding | nn.EmbeddingBag):
        matrix("stack out")
        live.padding_row = module.padding_idx
    elif isinstance(module, nn.MultiheadAttention):
        if key in ("bias_k", "bias_v"):
            live.layout, live.kind = "stack stack out", "bias"
        elif sides == 1:
            bias(module.embed_dim)
        else:
            matrix("out in")
    elif isinstance(module, nn.RNNBase | nn.RNNCellBase):
        bias(int(module.hidden_size)) if sides == 1 else matrix("out in")
    elif isinstance(module, _NORMS) or (sides == 1 and re.search("Norm", type(module).__name__)):
        live.layout, live.kind = " ".join(["out"] * sides), "norm"
    elif isinstance(module, nn.PReLU):
        live.layout, live.kind = "out", "weight"
    elif _is_transposed_linear(module):
        matrix("in out") if key == "weight" else bias(tensor.numel())
    elif sides < 2:
        live.layout = "out" if sides else ""
    elif sides > 2 and sum(side > 1 for side in tensor.shape) < 2:
        # A vector that is broadcast: a class token, a scale of channels or heads.
        live.layout = " ".join("out" if side > 1 else "stack" for side in tensor.shape)


def _is_transposed_linear(module: nn.Module) -> bool:
    """Whether it is the `Conv1D` of transformers, which is `x W + b` with W of [in, out]."""
    names = {f"{cls.__module__}.{cls.__name__}" for cls in type(module).__mro__}
    return bool(names & {"transformers.pytorch_utils.Conv1D", "transformers.modeling_utils.Conv1D"})


def is_constant(tensor: Tensor) -> bool:
    """Whether all entries are one number."""
    flat = tensor.detach().flatten()
    return bool((flat == flat[0]).all()) if flat.numel() else True


def is_default_bias(live: Live, values: Tensor) -> bool:
    """Whether these values may be the uniform ones that PyTorch draws for a bias."""
    bound = live.default_bound
    return bound is not None and bool(values.detach().abs().max() <= bound * (1 + 1e-6))


def is_meta(tensor: Tensor) -> bool:
    """Whether it has a shape and no numbers."""
    return tensor.device.type == "meta" or isinstance(
        tensor, torch.nn.parameter.UninitializedParameter
    )
