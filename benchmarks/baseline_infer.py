"""Inference on all images by each package: the same network and batch size; loading the network is not timed."""

from pathlib import Path

import lightning as L
import timm
import torch
from baseline_common import INPUT_SIZE, make_loader, silence
from baseline_train import BaselineModule
from isolated_process import TurnSignal
from sample_images import SAMPLE_CLASSES
from timm.data import create_dataset, create_loader
from timm.utils import AverageMeter, accuracy
from torch.nn.functional import cross_entropy

from lesionlens.core.runtime import available_cpus
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engine import Precision
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import collect_inputs
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel

NUM_IMAGES = 100_000
"""Images of the archive that ours is part of: enough for preparing an engine to pay."""


def infer_with_timm(turn_signal: TurnSignal, folder: Path, network: str, batch: int) -> None:
    """Predict as timm's `validate.py`."""
    model = timm.create_model(network, num_classes=len(SAMPLE_CLASSES)).eval()
    loader = create_loader(
        create_dataset("", root=str(folder), split="train"),
        input_size=(3, INPUT_SIZE, INPUT_SIZE),
        batch_size=batch,
        crop_pct=1.0,
        crop_mode="squash",
        num_workers=available_cpus(),
        device=torch.device("cpu"),
    )

    def scores() -> None:
        top, losses = AverageMeter(), AverageMeter()
        with torch.inference_mode():
            for x, y in loader:
                output = model(x)
                losses.update(cross_entropy(output, y).item(), len(y))
                top.update(accuracy(output, y)[0].item(), len(y))

    turn_signal.repeat_work(scores)


def infer_with_torchvision(turn_signal: TurnSignal, folder: Path, network: str, batch: int) -> None:
    """Predict with a loop over PyTorch's loader with torchvision's transforms."""
    model = timm.create_model(network, num_classes=len(SAMPLE_CLASSES)).eval()
    loader = make_loader(folder, batch, train=False)

    def scores() -> None:
        with torch.inference_mode():
            torch.cat([model(x).softmax(dim=1) for x, _ in loader])

    turn_signal.repeat_work(scores)


def infer_with_lightning(turn_signal: TurnSignal, folder: Path, network: str, batch: int) -> None:
    """Predict with Lightning's trainer and its defaults, with the loader of the torchvision baseline."""
    module, loader = BaselineModule(network), make_loader(folder, batch, train=False)

    def scores() -> None:
        with silence():
            L.Trainer(accelerator="cpu", default_root_dir=folder).predict(module, loader)

    turn_signal.repeat_work(scores)


def infer_with_lesionlens(
    turn_signal: TurnSignal, folder: Path, network: str, batch: int, precision: Precision = "fp32"
) -> None:
    """Predict as `lesionlens predict`, with its default engine."""
    made = make_model_spec(None, backbone=network)
    card = ModelCard(
        architecture=made,
        classes=SAMPLE_CLASSES,
        preprocessing=Preprocessing(input_size=(INPUT_SIZE, INPUT_SIZE)),
    )
    loaded = LoadedModel(build_network(made, len(SAMPLE_CLASSES)).eval(), card)
    inputs = collect_inputs([folder / "train"], classes=SAMPLE_CLASSES)
    engine = open_engine(loaded, precision=precision, num_images=NUM_IMAGES)
    turn_signal.repeat_work(lambda: run_inference(engine, loaded.card, inputs, batch_size=batch))


def infer_with_lesionlens_bf16(turn_signal: TurnSignal, folder: Path, network: str, batch: int) -> None:
    infer_with_lesionlens(turn_signal, folder, network, batch, "bf16")


INFERENCE_VARIANTS = {
    "timm": infer_with_timm,
    "torchvision": infer_with_torchvision,
    "lightning": infer_with_lightning,
    "ours": infer_with_lesionlens,
    "ours in bf16": infer_with_lesionlens_bf16,
}
