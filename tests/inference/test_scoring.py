"""Streaming inference: decoding overlaps computing, in constant memory."""

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference import batch as scoring
from lesionlens.inference.batch import PreparedItem, preprocess_item
from lesionlens.inference.engine import EngineOutput, InferenceEngine
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs, collect_inputs
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel


def network() -> LoadedModel:
    torch.manual_seed(0)
    made = make_model_spec(backbone="test_resnet")
    card = ModelCard(
        architecture=made,
        classes=("a", "b"),
        preprocessing=Preprocessing(input_size=(32, 32), crops="multi-scale", crop_count=2),
    )
    return LoadedModel(build_network(made, 2).eval(), card)


def write_linked_images(folder: Path, images: int) -> InferenceInputs:
    """Write an image and hard links to it."""
    folder.mkdir()
    Image.new("RGB", (64, 48), (200, 150, 140)).save(folder / "0.jpg")
    for number in range(1, images):
        os.link(folder / "0.jpg", folder / f"{number}.jpg")
    return collect_inputs([folder])


def test_decoding_overlaps_computing_with_few_images_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a batch is computed, at most two batches and one image per thread are decoded ahead."""
    started, enough = [], threading.Event()

    def count_and_preprocess(
        preprocessing: Preprocessing, inputs: InferenceInputs, index: int, **options: Any
    ) -> PreparedItem:
        started.append(index)
        if len(started) == 7:
            enough.set()
        return preprocess_item(preprocessing, inputs, index, **options)

    decoded_before: list[int] = []

    def forward(crops: np.ndarray) -> EngineOutput:
        enough.wait(10)
        decoded_before.append(len(started))
        return EngineOutput(np.zeros((len(crops), 2), np.float32), np.zeros((len(crops), 4), np.float32))

    monkeypatch.setattr(scoring, "preprocess_item", count_and_preprocess)
    engine = InferenceEngine("waiting", forward, multi_crop=False)
    scored = scoring.run_inference(
        engine, network().card, write_linked_images(tmp_path / "x", 30), batch_size=4, num_workers=3
    )  # two images per batch
    assert len(scored.predictions) == len(started) == 30
    assert decoded_before[0] >= 7
    assert all(count <= 2 * (done + 1) + 2 * 2 + 3 for done, count in enumerate(decoded_before))


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_images(tmp_path: Path) -> None:
    """Only ids and scores of 3,700 more images remain: far less than 4 kB of crops per image."""
    loaded, process = network(), psutil.Process()
    engine = open_engine(loaded, "torch", num_images=300)
    inputs = {count: write_linked_images(tmp_path / str(count), count) for count in (300, 4000)}

    def peak(count: int) -> int:
        memory: list[int] = []
        scoring.run_inference(
            engine,
            loaded.card,
            inputs[count],
            on_progress=lambda *_: memory.append(process.memory_info().rss),
        )
        return max(memory)

    peak(300)
    before = peak(300)
    assert peak(4000) - before < 3700 * 2048
