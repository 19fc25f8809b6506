"""A training epoch by each package: the same network, images, augmentation and batch size; otherwise its defaults."""

from pathlib import Path

import lightning as L
import timm
import torch
from baseline_common import COLOR_JITTER, INPUT_SIZE, make_loader, silence
from isolated_process import TurnSignal
from sample_images import SAMPLE_CLASSES
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from torch import Tensor
from torch.nn.functional import cross_entropy

from lesionlens.core.runtime import available_cpus, retain_freed_memory
from lesionlens.runs.run_dir import create_run_dir
from lesionlens.runs.schema import Recipe
from lesionlens.training.build import build
from lesionlens.training.fit import make_loop_config
from lesionlens.training.loop import make_trainer
from lesionlens.training.resolve import resolve
from lesionlens.training.setup import set_up_run

NUM_EPOCHS = 1000
"""Epochs of the run that an epoch is part of: long enough for ours to choose its variants by measuring."""


def train_with_timm(turn_signal: TurnSignal, folder: Path, network: str, batch: int) -> None:
    """Train as timm's `train.py`."""
    model = timm.create_model(network, num_classes=len(SAMPLE_CLASSES)).train()
    optimizer = create_optimizer_v2(model, opt="sgd", lr=0.01, momentum=0.9)
    loader = create_loader(
        create_dataset("", root=str(folder), split="train", is_training=True, batch_size=batch),
        input_size=(3, INPUT_SIZE, INPUT_SIZE),
        batch_size=batch,
        is_training=True,
        vflip=0.5,
        color_jitter=COLOR_JITTER,
        interpolation="random",
        num_workers=available_cpus(),
        device=torch.device("cpu"),
    )
    turn_signal.repeat_work(lambda: run_epoch(model, optimizer, loader))


def train_with_torchvision(turn_signal: TurnSignal, folder: Path, network: str, batch: int) -> None:
    """Train with a loop over PyTorch's loader with torchvision's transforms."""
    model = timm.create_model(network, num_classes=len(SAMPLE_CLASSES)).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    loader = make_loader(folder, batch, train=True)
    turn_signal.repeat_work(lambda: run_epoch(model, optimizer, loader))


def run_epoch(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loader) -> None:
    for x, y in loader:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class EpochTurns(L.Callback):
    """Callback that lets each epoch of a long fit wait for its turn."""

    def __init__(self, turn_signal: TurnSignal) -> None:
        self.turn_signal = turn_signal

    def on_train_epoch_start(self, *_: object) -> None:
        self.turn_signal()


class BaselineModule(L.LightningModule):
    """Module as on Lightning's introduction page."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self.model = timm.create_model(network, num_classes=len(SAMPLE_CLASSES))

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        return cross_entropy(self.model(batch[0]), batch[1])

    def predict_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        return self.model(batch[0]).softmax(dim=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01, momentum=0.9)


def train_with_lightning(turn_signal: TurnSignal, folder: Path, network: str, batch: int) -> None:
    """Train with Lightning's trainer and its defaults, with the loader of the torchvision baseline."""
    module, loader = BaselineModule(network), make_loader(folder, batch, train=True)

    with silence():
        epochs = EpochTurns(turn_signal)
        L.Trainer(max_epochs=NUM_EPOCHS, accelerator="cpu", default_root_dir=folder, callbacks=[epochs]).fit(
            module, loader
        )


def train_with_lesionlens(
    turn_signal: TurnSignal, folder: Path, network: str, batch: int, **options: object
) -> None:
    """Train with LesionLens and its defaults, without validation and checkpoints."""
    recipe = Recipe.model_validate(
        {
            "data": {
                "source": f"table:{folder / 'table.csv'}",
                "split": "official",
                "cache_dir": str(folder / "cache"),
            },
            "model": {"backbone": network},
            "crops": {"train": {"strategy": "random-resized"}},
            "augment": {"brightness": COLOR_JITTER, "contrast": COLOR_JITTER, "saturation": COLOR_JITTER},
            "train": {"batch_size": batch, "epochs": NUM_EPOCHS, "device": "cpu", **options},
        }
    )
    components = build(set_up_run(resolve(recipe)))
    run = create_run_dir("run", runs_dir=folder)
    retain_freed_memory()
    with silence():
        trainer = make_trainer(make_loop_config(components), run, [EpochTurns(turn_signal)])
        trainer.fit(components.module, components.datamodule.train_dataloader())


def train_with_lesionlens_fp32(turn_signal: TurnSignal, folder: Path, network: str, batch: int) -> None:
    train_with_lesionlens(turn_signal, folder, network, batch, precision="fp32")


TRAINING_VARIANTS = {
    "timm": train_with_timm,
    "torchvision": train_with_torchvision,
    "lightning": train_with_lightning,
    "ours": train_with_lesionlens,
    "ours in fp32": train_with_lesionlens_fp32,
}
