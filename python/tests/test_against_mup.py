"""Learning-rate multipliers of public architectures against Microsoft's `mup` 1.0.0.

Needs `mup`, `torchvision`, `timm` and `transformers`; without them it is skipped. Left out are
models where `mup` is wrong (Wide-ResNet by its bottleneck, stacked experts) or refuses.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import pytest
import torch
from torch import nn

from mup2.torch import BaseShapes, scale

NEEDED = ("mup", "torchvision", "timm", "transformers")
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"needs {', '.join(missing)}")

Make = Callable[[int], nn.Module]
# By name: a model at k times a width, its readout, and what is declared.
MODELS: dict[str, tuple[Make, str, dict[str, str]]] = {}


def model(readout: str, **declare: str) -> Callable[[Make], Make]:
    def add(make: Make) -> Make:
        patterns = {name.replace("__", "."): said for name, said in declare.items()}
        MODELS[make.__name__] = (make, readout, {f"*{name}": s for name, s in patterns.items()})
        return make

    return add


def resnet(block: str, k: int) -> nn.Module:
    from torchvision.models import resnet as tv

    kind = getattr(tv, block)
    made = tv.ResNet(kind, [2, 2, 2, 2])
    made.conv1, made.bn1 = nn.Conv2d(3, 16 * k, 7, bias=False), nn.BatchNorm2d(16 * k)
    made.inplanes = 16 * k
    for stage in range(4):
        layer = made._make_layer(kind, 16 * k << stage, 2, stride=1 if stage == 0 else 2)
        setattr(made, f"layer{stage + 1}", layer)
    made.fc = nn.Linear((16 * k << 3) * kind.expansion, 1000)
    return made


@model("fc")
def resnet_basic(k: int) -> nn.Module:
    return resnet("BasicBlock", k)


@model("fc")
def resnet_bottleneck(k: int) -> nn.Module:
    return resnet("Bottleneck", k)


@model("heads.head", pos_embedding="embedding")
def vit(k: int) -> nn.Module:
    import torchvision

    return torchvision.models.VisionTransformer(32, 16, 2, 3 * k, 96 * k, 384 * k)


@model("classifier.2")
def convnext(k: int) -> nn.Module:
    from torchvision.models.convnext import CNBlockConfig, ConvNeXt

    return ConvNeXt([CNBlockConfig(24 * k, 48 * k, 1), CNBlockConfig(48 * k, None, 1)])


@model("head", relative_position_bias_table="embedding")
def swin(k: int) -> nn.Module:
    import torchvision

    return torchvision.models.SwinTransformer([4, 4], 24 * k, [2, 2], [k, 2 * k], [7, 7])


@model("head")
def swin_v2(k: int) -> nn.Module:
    from torchvision.models import swin_transformer as tv

    return tv.SwinTransformer(
        [4, 4],
        24 * k,
        [2, 2],
        [k, 2 * k],
        [8, 8],
        block=tv.SwinTransformerBlockV2,
        downsample_layer=tv.PatchMergingV2,
    )


@model("classifier.1")
def mobilenet_v2(k: int) -> nn.Module:
    import torchvision

    return torchvision.models.mobilenet_v2(width_mult=float(k))


@model("classifier")
def densenet(k: int) -> nn.Module:
    import torchvision

    return torchvision.models.DenseNet(8 * k, (2, 2), 16 * k)


def regnet(k: int, group: int) -> nn.Module:
    from torchvision.models.regnet import BlockParams, RegNet

    blocks = BlockParams([1, 1], [16 * k, 32 * k], [group] * 2, [1.0] * 2, [2] * 2, 0.25)
    return RegNet(blocks, stem_width=16 * k)


@model("fc")
def regnet_with_groups_of_fixed_width(k: int) -> nn.Module:
    return regnet(k, 8)


@model("fc")
def regnet_with_a_fixed_number_of_groups(k: int) -> nn.Module:
    return regnet(k, 8 * k)


def timm_model(name: str, **options: object) -> nn.Module:
    import timm

    made: nn.Module = timm.create_model(name, **options)
    return made


@model("head", pos_embed="embedding")
def timm_vit(k: int) -> nn.Module:
    return timm_model("vit_tiny_patch16_224", embed_dim=64 * k, num_heads=k, depth=2)


@model("head", pos_embed="embedding")
def timm_deit3(k: int) -> nn.Module:
    return timm_model("deit3_small_patch16_224", embed_dim=64 * k, num_heads=k, depth=2)


@model("head.fc")
def timm_convnext(k: int) -> nn.Module:
    return timm_model("convnext_tiny", dims=(24 * k, 48 * k, 96 * k, 192 * k))


@model("fc")
def timm_resnext(k: int) -> nn.Module:
    channels = (32 * k, 64 * k, 128 * k, 256 * k)
    return timm_model("resnet50", channels=channels, stem_width=32 * k, cardinality=32)


@model("head.fc", relative_position_bias_table="embedding")
def timm_swin(k: int) -> nn.Module:
    heads = (k, 2 * k, 4 * k, 8 * k)
    return timm_model("swin_tiny_patch4_window7_224", embed_dim=24 * k, num_heads=heads)


@model("classifier")
def timm_efficientnet(k: int) -> nn.Module:
    from timm.models.efficientnet import _gen_efficientnet

    made: nn.Module = _gen_efficientnet("efficientnet_b0", channel_multiplier=float(k))
    return made


@model("lm_head")
def gpt2(k: int) -> nn.Module:
    import transformers as hf

    config = hf.GPT2Config(n_embd=64 * k, n_head=k, n_layer=1, tie_word_embeddings=False)
    return hf.GPT2LMHeadModel(config)


@model("classifier")
def bert(k: int) -> nn.Module:
    import transformers as hf

    return hf.BertForSequenceClassification(
        hf.BertConfig(
            hidden_size=64 * k,
            num_attention_heads=k,
            intermediate_size=256 * k,
            num_hidden_layers=1,
        )
    )


@model("lm_head")
def llama(k: int) -> nn.Module:
    import transformers as hf

    return hf.LlamaForCausalLM(
        hf.LlamaConfig(
            hidden_size=128 * k,
            num_attention_heads=2 * k,
            num_key_value_heads=k,
            intermediate_size=256 * k,
            num_hidden_layers=1,
        )
    )


@model("classifier", position_embeddings="embedding")
def hf_vit(k: int) -> nn.Module:
    import transformers as hf

    return hf.ViTForImageClassification(
        hf.ViTConfig(
            hidden_size=64 * k,
            num_attention_heads=k,
            intermediate_size=256 * k,
            num_hidden_layers=1,
        )
    )


def of_mup(make: Make, readout: str) -> dict[str, dict[str, float]]:
    """`mup`'s learning rates, with what its 1/width in the readout's forward pass amounts to."""
    import mup

    def build(k: int) -> nn.Module:
        made = make(k)
        path, _, name = readout.rpartition(".")
        old = made.get_submodule(readout)
        new = mup.MuReadout(old.in_features, old.out_features, bias=old.bias is not None)
        setattr(made.get_submodule(path), name, new)
        return made

    target = build(4)
    mup.set_base_shapes(target, build(1), delta=build(2), rescale_params=False)
    named = dict(target.named_parameters())
    found: dict[str, dict[str, float]] = {name: {} for name in named}
    for key, optimizer in (("sgd", mup.MuSGD), ("adam", mup.MuAdam)):
        made = optimizer(list(named.values()), lr=1.0)
        rates = {id(one): group["lr"] for group in made.param_groups for one in group["params"]}
        for name, one in named.items():
            ratio = one.infshape.width_mult() if name == f"{readout}.weight" else 1.0
            found[name][key] = rates[id(one)] / (ratio**2 if key == "sgd" else ratio)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_learning_rates_are_those_of_mup(name):
    make, readout, declare = MODELS[name]
    with torch.device("meta"):
        expected = of_mup(make, readout)
        base, target = BaseShapes.compare(make(1), make(2)), make(4)
    for optimizer in ("sgd", "adam"):
        rows = scale(target, base, optimizer=optimizer, declare=declare).rows
        assert set(rows) == set(expected)
        for parameter, row in rows.items():
            assert row.lr_mult == pytest.approx(expected[parameter][optimizer]), parameter
