"""Scoring as a stream: the card's classes alone are kept of an image, and few images wait."""

import os
import threading
from pathlib import Path

import psutil
import pytest
import torch
from PIL import Image
from torch import Tensor

from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference import batch as scoring
from lesionlens.inference.batch import PreparedItem, preprocess_item
from lesionlens.inference.engine import InferenceEngine
from lesionlens.inference.inputs import InferenceInputs, collect_inputs
from lesionlens.models.factory import make_model_spec
from lesionlens.models.saved_model import LoadedModel, ModelCard


def network() -> LoadedModel:
    torch.manual_seed(0)
    made = make_model_spec(backbone="test_resnet")
    card = ModelCard(
        architecture=made,
        classes=("a", "b"),
        preprocessing=Preprocessing(input_size=(32, 32), crops="multi-scale", crop_count=2),
    )
    return LoadedModel(made.build(2).eval(), card)


def linked(folder: Path, images: int) -> InferenceInputs:
    """Write one image under many names."""
    folder.mkdir()
    Image.new("RGB", (64, 48), (200, 150, 140)).save(folder / "0.jpg")
    for number in range(1, images):
        os.link(folder / "0.jpg", folder / f"{number}.jpg")
    return collect_inputs([folder])


def test_decoding_overlaps_computing_with_few_images_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the first batch is computed its successors are decoded: two batches and what the threads hold."""
    begun, enough = [], threading.Event()

    def counted(seen: Preprocessing, wanted: InferenceInputs, place: int) -> PreparedItem:
        begun.append(place)
        if len(begun) == 7:
            enough.set()
        return preprocess_item(seen, wanted, place)

    decoded_before: list[int] = []

    def forward(x: Tensor) -> Tensor:
        enough.wait(10)
        decoded_before.append(len(begun))
        return torch.zeros(len(x), 2)

    monkeypatch.setattr(scoring, "preprocess_item", counted)
    engine = InferenceEngine("waiting", forward, multi_crop=False, device=torch.device("cpu"))
    scored = scoring.run_inference(
        network(), linked(tmp_path / "x", 30), engine=engine, batch_size=4, num_workers=3
    )  # two images a batch
    assert len(scored.predictions) == len(begun) == 30
    assert decoded_before[0] >= 7
    assert all(count <= 2 * (done + 1) + 2 * 2 + 3 for done, count in enumerate(decoded_before))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """Of 3,700 more images there remain names and scores: far less than the 4 kB of one image's crops."""
    loaded, process = network(), psutil.Process()
    wanted = {count: linked(tmp_path / str(count), count) for count in (300, 4000)}

    def peak(count: int) -> int:
        seen: list[int] = []
        scoring.run_inference(
            loaded, wanted[count], on_progress=lambda *_: seen.append(process.memory_info().rss)
        )
        return max(seen)

    peak(300)
    before = peak(300)
    assert peak(4000) - before < 3700 * 2048
