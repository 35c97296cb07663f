"""Recipes of the guide for other people's training loops."""

import warnings

import pytest
import torch
from models import MLP, base_of, cross_entropy, data, flat, scaled_mlp, train
from torch import nn
from torch.utils.data import DataLoader

from mup2.torch import SAM, scale

warnings.filterwarnings("ignore")


def plain() -> torch.Tensor:
    model, scaled = scaled_mlp()
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1), momentum=0.9), scaled, 0.2)
    train(model, sam, data())
    return flat(model)


def test_a_compiled_model_trains_as_the_plain_one():
    model, scaled = scaled_mlp()
    compiled = torch.compile(model, backend="aot_eager")
    sam = SAM(torch.optim.SGD(scaled.param_groups(0.1), momentum=0.9), scaled, 0.2)
    train(compiled, sam, data())
    assert (flat(model) - plain()).abs().max() < 1e-14


def test_lightning_counts_steps_and_trains_as_the_plain_loop():
    lightning = pytest.importorskip("lightning")

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False
            self.net, self.scaled = scaled_mlp()
            self.sam = None

        def configure_optimizers(self):
            return torch.optim.SGD(self.scaled.param_groups(0.1), momentum=0.9)

        def training_step(self, batch, _):
            if self.sam is None:
                self.sam = SAM(self.optimizers(), self.scaled, 0.2)

            def closure():
                loss = cross_entropy(self.net(batch[0]), batch[1])
                self.manual_backward(loss)
                return loss

            return self.sam.step(closure)

    rows = [(a, b) for x, y in data() for a, b in zip(x, y, strict=True)]
    for steps in (-1, 3):
        module = Module()
        trainer = lightning.Trainer(
            max_steps=steps,
            max_epochs=1,
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, DataLoader(rows, batch_size=32))
        assert trainer.global_step == (6 if steps < 0 else 3)
        if steps < 0:
            assert (flat(module.net) - plain()).abs().max() < 1e-14


def test_accelerate_trains_as_the_plain_loop_and_its_accumulation_is_refused():
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    model, scaled = scaled_mlp()
    optimizer = torch.optim.SGD(scaled.param_groups(0.1), momentum=0.9)
    prepared, optimizer = accelerator.prepare(model, optimizer)
    sam = SAM(optimizer, scaled, 0.2)
    for x, y in data():

        def closure(x=x, y=y):
            loss = cross_entropy(prepared(x), y)
            accelerator.backward(loss)
            return loss

        sam.step(closure)
    assert (flat(model) - plain()).abs().max() < 1e-14
    accumulating = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=4)
    other = accumulating.prepare(torch.optim.SGD(scaled.param_groups(0.1)))
    with pytest.raises(ValueError, match="accumulate in the closure"):
        SAM(other, scaled, 0.2)


def test_the_trainer_of_transformers_with_one_method_of_its_own(tmp_path):
    pytest.importorskip("accelerate")
    transformers = pytest.importorskip("transformers")

    class Wrapped(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, x=None, labels=None):
            return {"loss": cross_entropy(self.net(x), labels)}

    class SamTrainer(transformers.Trainer):
        sam: SAM

        def _get_train_sampler(self, *_):
            return torch.utils.data.SequentialSampler(self.train_dataset)

        def training_step(self, model, inputs, num_items_in_batch=None):
            loss = super().training_step(model, inputs, num_items_in_batch)
            if self.sam.first_step():
                super().training_step(model, inputs, num_items_in_batch)
            self.sam.restore()
            return loss

    model = MLP(64)
    model.load_state_dict(scaled_mlp()[0].float().state_dict())
    scaled = scale(model, base_of(MLP))
    optimizer = torch.optim.SGD(scaled.param_groups(0.1), momentum=0.9)
    rows = [{"x": a.float(), "labels": b} for x, y in data() for a, b in zip(x, y, strict=True)]
    trainer = SamTrainer(
        model=Wrapped(model),
        args=transformers.TrainingArguments(
            output_dir=str(tmp_path),
            per_device_train_batch_size=32,
            num_train_epochs=1,
            max_grad_norm=0.0,
            use_cpu=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
        ),
        train_dataset=rows,
        optimizers=(optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)),
    )
    trainer.sam = SAM(optimizer, scaled, 0.2)
    trainer.train()
    assert (flat(model) - plain()).abs().max() < 1e-5
