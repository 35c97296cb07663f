#!/usr/bin/env python3
"""Forward and backward passes of small PyTorch models, for the tests of the model zoo.

    python3 scripts/reference/pytorch_models.py            # writes the fixtures
    python3 scripts/reference/pytorch_models.py --check    # compares with the fixtures
    python3 scripts/reference/pytorch_models.py --count    # prints parameter counts of full-size models

Needs torch, torchvision, timm, safetensors and NumPy (made with torch 2.15.0, torchvision 0.29.2, timm
1.0.31; the CPU is enough). Writes crates/mup2-train/tests/fixtures/pytorch/*.safetensors, byte-identical when
run again with the same versions on the same machine; `--check` recomputes and compares with a tolerance
(1e-6 of a tensor's largest entry), for other machines. What the files hold is in the README.md there.

The architectures are torchvision's, timm's and torch's own code, built narrow. All weights, biases, norm
gains and running statistics are drawn anew, so that none has its initial value, and rounded to f32;
everything after that is computed in f64 and rounded once, when it is stored.

What the script asserts before it writes anything:
  * no ReLU input is closer to 0, and no max pooling's winner closer to its runner-up, than KINK_MARGIN, so
    that rounding in f32 cannot take another branch than f64 did;
  * every trainable tensor has a gradient that is not 0, but for the bias of a norm of keys, which adds one
    number to all scores of a query, so that the softmax takes it out.
"""

import argparse
import json
import math
import pathlib
import zlib

import numpy as np
import safetensors.numpy
import safetensors.torch
import timm
import torch
import torchvision
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "crates/mup2-train/tests/fixtures/pytorch"
COMMAND = "python3 scripts/reference/pytorch_models.py"
KINK_MARGIN = 5e-6
TOLERANCE = 1e-6
SEED = 20
# The deep network with groups of one channel is ill-conditioned with most draws: PyTorch's own f32
# gradients then differ from f64 by up to 1e-3. With this one they differ by 7e-6, so that a
# comparison in f32 means something.
SEEDS = {"resnet50_imagenet_groupnorm": 50}


class NarrowResNet(ResNet):
    """torchvision's ResNet with `planes` channels in the stem and first stage, where its own has 64.

    Blocks, stages, names and forward pass are inherited; only the widths, which torchvision fixes in its
    constructor, and the stem are chosen here. The CIFAR stem is a 3x3 convolution of stride 1 without
    pooling, the ImageNet stem torchvision's own.
    """

    def __init__(self, block, layers, planes, classes, stem, norm=nn.BatchNorm2d):
        nn.Module.__init__(self)
        self._norm_layer, self.inplanes = norm, planes
        self.dilation, self.groups, self.base_width = 1, 1, 64
        if stem == "cifar":
            self.conv1 = nn.Conv2d(3, planes, kernel_size=3, stride=1, padding=1, bias=False)
            self.maxpool = nn.Identity()
        else:
            self.conv1 = nn.Conv2d(3, planes, kernel_size=7, stride=2, padding=3, bias=False)
            self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.bn1 = norm(planes)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = self._make_layer(block, planes, layers[0])
        self.layer2 = self._make_layer(block, 2 * planes, layers[1], stride=2)
        self.layer3 = self._make_layer(block, 4 * planes, layers[2], stride=2)
        self.layer4 = self._make_layer(block, 8 * planes, layers[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(8 * planes * block.expansion, classes)


class RowGru(nn.Module):
    """A GRU that reads an image row by row, and a readout of its last hidden state."""

    def __init__(self, columns, hidden, classes):
        super().__init__()
        self.gru = nn.GRU(columns, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, classes)

    def forward(self, images):
        # [batch, 1, rows, columns] -> a sequence of rows
        states, _ = self.gru(images.squeeze(1))
        return self.readout(states[:, -1])


def two_groups(channels):
    return nn.GroupNorm(2, channels)


# file name, model, shape of the input, classes, what is special about it
CASES = [
    (
        "resnet18_cifar",
        lambda: NarrowResNet(BasicBlock, [2, 2, 2, 2], 3, 10, "cifar"),
        (4, 3, 16, 16),
        10,
        "torchvision ResNet-18, planes 3 6 12 24, CIFAR stem, BatchNorm2d (eps 1e-5, momentum 0.1)",
    ),
    (
        "resnet50_imagenet_groupnorm",
        lambda: NarrowResNet(Bottleneck, [3, 4, 6, 3], 2, 7, "imagenet", two_groups),
        (2, 3, 40, 40),
        7,
        "torchvision ResNet-50, planes 2 4 8 16, ImageNet stem, GroupNorm (2 groups, eps 1e-5)",
    ),
    (
        "vit_class_token",
        lambda: VisionTransformer(16, 4, 3, 10, "token", 16, 2, 2),
        (4, 3, 16, 16),
        10,
        "timm VisionTransformer, patch 4, width 16, depth 2, 2 heads, class token, final norm `norm`",
    ),
    (
        "vit_mean_pool_qk_norm",
        lambda: VisionTransformer(16, 4, 3, 10, "avg", 16, 2, 2, qk_norm=True, class_token=False),
        (4, 3, 16, 16),
        10,
        "timm VisionTransformer, patch 4, width 16, depth 2, 2 heads, mean pooling, `fc_norm`, qk_norm",
    ),
    (
        "gru_rows",
        lambda: RowGru(6, 12, 10),
        (4, 1, 8, 6),
        10,
        "torch GRU, input 6, hidden 12, one layer, readout of the last state",
    ),
]


def draw(name, tensor, random):
    """New values for one entry of a state_dict, in f32: nothing keeps its initial value."""
    shape = tuple(tensor.shape)
    if name.endswith("num_batches_tracked"):
        return torch.tensor(7)
    if name.endswith("running_var"):
        values = random.uniform(0.5, 1.5, shape)
    elif tensor.ndim == 1 and name.endswith("weight"):  # the gain of a norm
        values = random.uniform(0.8, 1.2, shape)
    elif name in ("pos_embed", "cls_token") or tensor.ndim == 1:
        values = 0.2 * random.standard_normal(shape)
    else:
        values = random.standard_normal(shape) * math.sqrt(2 / math.prod(shape[1:]))
    return torch.from_numpy(values.astype(np.float32)).double()


def drawn_model(build, name):
    """A model in f64 with drawn weights, and the generator that its inputs are drawn from."""
    # A stream a file, so that a new case does not move the others.
    random = np.random.default_rng([SEEDS.get(name, SEED), zlib.crc32(name.encode())])
    model = build().double()
    state = {key: draw(key, tensor, random) for key, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    return model, random


class Kinks:
    """The smallest distance to a point where a ReLU or a max pooling takes another branch."""

    def __init__(self, model):
        self.margin = math.inf
        for module in model.modules():
            if isinstance(module, nn.ReLU):
                module.register_forward_pre_hook(self.relu)
            elif isinstance(module, nn.MaxPool2d):
                module.register_forward_pre_hook(self.pool)

    def relu(self, _module, inputs):
        self.margin = min(self.margin, inputs[0].detach().abs().min().item())

    def pool(self, module, inputs):
        images = inputs[0].detach()
        windows = nn.functional.unfold(
            images, module.kernel_size, padding=module.padding, stride=module.stride
        ).unflatten(1, (images.shape[1], -1))
        best = windows.topk(2, dim=2).values
        # Behind a ReLU a winner of 0 passes no gradient on, whichever of the zeros it is.
        gap = (best[:, :, 0] - best[:, :, 1])[best[:, :, 0] > 0]
        self.margin = min(self.margin, gap.min().item())


def passes(model, inputs, labels):
    """One training forward, its backward, and one evaluation after it."""
    model.train()
    logits = model(inputs)
    loss = nn.functional.cross_entropy(logits, labels)
    loss.backward()
    found = {"logits_train": logits, "loss": loss}
    for name, parameter in model.named_parameters():
        found[f"grad/{name}"] = parameter.grad
    for name, buffer in model.named_buffers():
        found[f"buffer_after/{name}"] = buffer
    model.eval()
    with torch.no_grad():
        found["logits_eval"] = model(inputs)
    return {name: tensor.detach().clone() for name, tensor in found.items()}


def stored(tensor):
    array = tensor.detach().numpy()
    return array if array.dtype == np.int64 else array.astype(np.float32)


def compute(case):
    """The tensors and metadata of one fixture, the state_dict after it, and PyTorch's own f32 error."""
    name, build, shape, classes, description = case
    model, random = drawn_model(build, name)
    inputs = torch.from_numpy(random.standard_normal(shape).astype(np.float32)).double()
    labels = torch.from_numpy(random.integers(0, classes, shape[0]))
    before = {f"param/{key}": tensor.clone() for key, tensor in model.state_dict().items()}
    kinks = Kinks(model)
    found = passes(model, inputs, labels)
    if kinks.margin < KINK_MARGIN:
        raise SystemExit(f"{name}: a ReLU or pooling is {kinks.margin:.1e} from a kink; change its seed")
    for key in (key for key in found if key.startswith("grad/")):
        if (found[key].abs().max() < 1e-12) != key.endswith("k_norm.bias"):
            raise SystemExit(f"{name}: {key} is 0, or should be and is not")
    single = drawn_model(build, name)[0].float()
    error = max(
        (difference(stored(tensor), stored(found[key])), key)
        for key, tensor in passes(single, inputs.float(), labels).items()
    )
    print(f"{name}: nearest kink {kinks.margin:.1e}; f32 differs by {error[0]:.1e} ({error[1]})")
    tensors = before | found | {"input": inputs, "labels": labels}
    origin = {
        "model": description,
        "command": COMMAND,
        "seed": SEEDS.get(name, SEED),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "timm": timm.__version__,
    }
    # One entry: safetensors writes several in an order that changes from run to run.
    metadata = {"origin": json.dumps(origin)}
    return {key: stored(tensor) for key, tensor in tensors.items()}, metadata, model.float()


def difference(found, expected):
    """The largest difference, as a share of the largest entry, or of 1e-3 if that is smaller."""
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-3))


def write(case):
    tensors, metadata, model = compute(case)
    path = FIXTURES / f"{case[0]}.safetensors"
    safetensors.numpy.save_file(tensors, path, metadata=metadata)
    # As a user's file: plain names, no metadata.
    state = FIXTURES / f"{case[0]}_state_dict.safetensors"
    safetensors.torch.save_file(model.state_dict(), state)
    for written in (path, state):
        print(f"  {written.name}: {written.stat().st_size} bytes")
    largest = max((array.size, key) for key, array in tensors.items() if key.startswith("param/"))
    entries = sum(key.startswith("param/") for key in tensors)
    trainable = sum(parameter.numel() for parameter in model.parameters())
    print(f"  {entries} entries, {trainable} trainable numbers, {largest[0]} in {largest[1]}")


def check(case):
    tensors = compute(case)[0]
    path = FIXTURES / f"{case[0]}.safetensors"
    kept = safetensors.numpy.load_file(path)
    if tensors.keys() != kept.keys():
        raise SystemExit(f"{path}: other tensors: {sorted(tensors.keys() ^ kept.keys())}")
    for key, array in tensors.items():
        if array.shape != kept[key].shape or difference(array, kept[key]) > TOLERANCE:
            raise SystemExit(f"{path}: {key} differs")


def count():
    """Prints the numbers of trainable parameters of models in full size."""
    full = {
        "timm vit_small_patch16_224": timm.create_model("vit_small_patch16_224"),
        "torchvision resnet18": torchvision.models.resnet18(),
        "torchvision resnet34": torchvision.models.resnet34(),
        "torchvision resnet50": torchvision.models.resnet50(),
        "resnet18, CIFAR stem, 10 classes": NarrowResNet(BasicBlock, [2, 2, 2, 2], 64, 10, "cifar"),
    }
    for name, model in full.items():
        print(f"{name}: {sum(parameter.numel() for parameter in model.parameters())}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="compare with the fixtures")
    mode.add_argument("--count", action="store_true", help="print parameter counts")
    arguments = parser.parse_args()
    # One thread sums in one order.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    if arguments.count:
        count()
        return
    FIXTURES.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        (check if arguments.check else write)(case)


if __name__ == "__main__":
    main()
