"""An epoch of training by each peer: the same network, pictures, augmentation and batch; all else as each does it."""

from pathlib import Path

import lightning as L
import timm
import torch
from apart import Turns
from peer_work import JITTER, SIDE, pictures, quiet
from photographs import CLASSES
from timm.data import create_dataset, create_loader
from timm.optim import create_optimizer_v2
from torch import Tensor
from torch.nn.functional import cross_entropy

from lesionlens.cores import cores
from lesionlens.training.allocator import keep_freed_memory
from lesionlens.training.fit import make_trainer
from lesionlens.training.folder import new_folder
from lesionlens.training.measure_pace import paced
from lesionlens.training.prepare import prepare
from lesionlens.training.ready import make_data, make_task
from lesionlens.training.recipe import Recipe

MANY = 1000
"""Epochs of the run that an epoch is part of: long enough for ours to choose its ways by measuring."""


def by_timm(turns: Turns, folder: Path, network: str, batch: int) -> None:
    """Train in the manner of timm's `train.py`."""
    model = timm.create_model(network, num_classes=len(CLASSES)).train()
    optimizer = create_optimizer_v2(model, opt="sgd", lr=0.01, momentum=0.9)
    loader = create_loader(
        create_dataset("", root=str(folder), split="train", is_training=True, batch_size=batch),
        input_size=(3, SIDE, SIDE),
        batch_size=batch,
        is_training=True,
        vflip=0.5,
        color_jitter=JITTER,
        interpolation="random",
        num_workers=cores(),
        device=torch.device("cpu"),
    )
    turns.each(lambda: steps(model, optimizer, loader))


def by_torchvision(turns: Turns, folder: Path, network: str, batch: int) -> None:
    """Train by a plain loop over PyTorch's loader with torchvision's transforms."""
    model = timm.create_model(network, num_classes=len(CLASSES)).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    loader = pictures(folder, batch, train=True)
    turns.each(lambda: steps(model, optimizer, loader))


def steps(model: torch.nn.Module, optimizer: torch.optim.Optimizer, loader) -> None:
    for x, y in loader:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class EachEpoch(L.Callback):
    """Lets each epoch of a long fit wait for its turn."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns

    def on_train_epoch_start(self, *_: object) -> None:
        self.turns()


class Plain(L.LightningModule):
    """What Lightning's first page shows."""

    def __init__(self, network: str) -> None:
        super().__init__()
        self.model = timm.create_model(network, num_classes=len(CLASSES))

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        return cross_entropy(self.model(batch[0]), batch[1])

    def predict_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        return self.model(batch[0]).softmax(dim=1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.01, momentum=0.9)


def by_lightning(turns: Turns, folder: Path, network: str, batch: int) -> None:
    """Train by Lightning's trainer as it comes, with the same loader as torchvision's."""
    module, loader = Plain(network), pictures(folder, batch, train=True)

    with quiet():
        epochs = EachEpoch(turns)
        L.Trainer(max_epochs=MANY, accelerator="cpu", default_root_dir=folder, callbacks=[epochs]).fit(
            module, loader
        )


def by_ours(turns: Turns, folder: Path, network: str, batch: int, **options: object) -> None:
    """Train by our loaders, task and trainer with their defaults; validation and bundles are left out."""
    recipe = Recipe.model_validate(
        {
            "data": {
                "source": f"table:{folder / 'table.csv'}",
                "split": "official",
                "store_folder": str(folder / "store"),
            },
            "model": {"backbone": network},
            "crops": {"train": "random-resized"},
            "augment": {"brightness": JITTER, "contrast": JITTER, "saturation": JITTER},
            "train": {"batch_size": batch, "epochs": MANY, "device": "cpu", **options},
        }
    )
    prepared = prepare(recipe)
    model = prepared.network.make(len(CLASSES)).model
    ready = make_data(prepared)
    task = make_task(ready.prepared, model)
    ready = paced(ready, task)
    run = new_folder("run", runs=folder)
    keep_freed_memory()
    with quiet():
        trainer = make_trainer(ready.prepared.recipe, run, [EachEpoch(turns)])
        trainer.fit(task, ready.data.train_dataloader())


def by_ours_fp32(turns: Turns, folder: Path, network: str, batch: int) -> None:
    by_ours(turns, folder, network, batch, precision="fp32")


WAYS = {
    "timm": by_timm,
    "torchvision": by_torchvision,
    "lightning": by_lightning,
    "ours": by_ours,
    "ours in fp32": by_ours_fp32,
}
