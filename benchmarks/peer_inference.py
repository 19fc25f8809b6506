"""Scores of all pictures by each peer: the same network and batch; the network is ready before time is taken."""

from pathlib import Path

import lightning as L
import timm
import torch
from apart import Turns
from peer_training import Plain
from peer_work import SIDE, pictures, quiet
from photographs import CLASSES
from timm.data import create_dataset, create_loader
from timm.utils import AverageMeter, accuracy
from torch.nn.functional import cross_entropy

from lesionlens.cores import cores
from lesionlens.engines.engine import Precision, open_engine
from lesionlens.models.bundle import Card, Loaded
from lesionlens.models.create import architecture
from lesionlens.preprocessing import Preprocessing
from lesionlens.scoring.score import score
from lesionlens.subjects import subjects

MANY = 100_000
"""Images of the archive that ours is part of: enough for preparing an engine to pay."""


def by_timm(turns: Turns, folder: Path, network: str, batch: int) -> None:
    """Score in the manner of timm's `validate.py`."""
    model = timm.create_model(network, num_classes=len(CLASSES)).eval()
    loader = create_loader(
        create_dataset("", root=str(folder), split="train"),
        input_size=(3, SIDE, SIDE),
        batch_size=batch,
        crop_pct=1.0,
        crop_mode="squash",
        num_workers=cores(),
        device=torch.device("cpu"),
    )

    def scores() -> None:
        top, losses = AverageMeter(), AverageMeter()
        with torch.inference_mode():
            for x, y in loader:
                found = model(x)
                losses.update(cross_entropy(found, y).item(), len(y))
                top.update(accuracy(found, y)[0].item(), len(y))

    turns.each(scores)


def by_torchvision(turns: Turns, folder: Path, network: str, batch: int) -> None:
    """Score by a plain loop over PyTorch's loader with torchvision's transforms."""
    model = timm.create_model(network, num_classes=len(CLASSES)).eval()
    loader = pictures(folder, batch, train=False)

    def scores() -> None:
        with torch.inference_mode():
            torch.cat([model(x).softmax(dim=1) for x, _ in loader])

    turns.each(scores)


def by_lightning(turns: Turns, folder: Path, network: str, batch: int) -> None:
    """Score by Lightning's trainer as it comes, with the same loader as torchvision's."""
    module, loader = Plain(network), pictures(folder, batch, train=False)

    def scores() -> None:
        with quiet():
            L.Trainer(accelerator="cpu", default_root_dir=folder).predict(module, loader)

    turns.each(scores)


def by_ours(turns: Turns, folder: Path, network: str, batch: int, precision: Precision = "fp32") -> None:
    """Score as `lesionlens predict` does, with its default engine."""
    made = architecture(None, backbone=network)
    card = Card(architecture=made, classes=CLASSES, preprocessing=Preprocessing(input_size=(SIDE, SIDE)))
    loaded = Loaded(made.build(len(CLASSES)).eval(), card)
    wanted = subjects([folder / "train"], classes=CLASSES)
    engine = open_engine(loaded, precision=precision, images=MANY)
    turns.each(lambda: score(loaded, wanted, engine=engine, batch_size=batch))


def by_ours_bf16(turns: Turns, folder: Path, network: str, batch: int) -> None:
    by_ours(turns, folder, network, batch, "bf16")


WAYS = {
    "timm": by_timm,
    "torchvision": by_torchvision,
    "lightning": by_lightning,
    "ours": by_ours,
    "ours in bf16": by_ours_bf16,
}
