"""Detectors measured on generated and given unknown images with a small network."""

from pathlib import Path

import numpy as np
import pytest
import torch

from lesionlens.core.errors import DataError
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.ood_challenge import evaluate_detectors
from lesionlens.models.factory import make_model_spec
from lesionlens.models.saved_model import LoadedModel, ModelCard
from lesionlens.synthesis.unknown_images import CHANGED_KINDS, RENDERED_KINDS, SKIMAGE_FILES
from lesionlens.uncertainty.ood_detectors import DETECTORS

from ..helpers.images import write_image


@pytest.fixture
def loaded() -> LoadedModel:
    torch.manual_seed(0)
    spec = make_model_spec(backbone="test_resnet")
    preprocessing = Preprocessing(input_size=(32, 32))
    card = ModelCard(architecture=spec, classes=("melanoma", "nevus"), preprocessing=preprocessing)
    return LoadedModel(spec.build(2).eval(), card)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for index in range(12):
        write_image(tmp_path / "known" / f"{index}.png", size=(40, 40), seed=index)
    return tmp_path / "known"


@pytest.mark.slow
def test_every_kind_and_detector_is_measured(loaded: LoadedModel, images: Path) -> None:
    def measure() -> list[tuple[str, str, int, float]]:
        results = evaluate_detectors(loaded, [images], folders=[images], num_images=2, n_resamples=5)
        return [(r.kind, r.detector, r.num_images, r.separation.auroc) for r in results]

    measured = measure()
    kinds = [*RENDERED_KINDS, *SKIMAGE_FILES, *CHANGED_KINDS, str(images)]
    assert [row[:2] for row in measured] == [(kind, name) for kind in kinds for name in DETECTORS]
    assert [row[2] for row in measured] == [2] * (len(measured) - len(DETECTORS)) + [12] * len(DETECTORS)
    assert all(0 <= row[3] <= 1 for row in measured)
    assert np.allclose([row[3] for row in measured], [row[3] for row in measure()])


def test_few_known_lesions_are_rejected(loaded: LoadedModel, images: Path) -> None:
    known = sorted(images.iterdir())[:9]
    with pytest.raises(DataError, match="of 9 lesions"):
        evaluate_detectors(loaded, known)
