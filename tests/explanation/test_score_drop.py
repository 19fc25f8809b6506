"""Score without the pixels that a map marks most, for one image."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lesionlens.core.tabular import read_table
from lesionlens.evaluation.case_selection import ExampleCase
from lesionlens.explanation.explain import explain_image
from lesionlens.explanation.gallery import write_gallery
from lesionlens.explanation.map_controls import CENTER
from lesionlens.explanation.perturbation import blur_crops
from lesionlens.explanation.score_drop import compute_score_drops
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.factory import build_network
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel
from lesionlens.models.spec import ModelSpec

BOXES, SIZE = [CropBox(0, 0, 40, 40)], (40, 40)


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    torch.manual_seed(0)
    spec = ModelSpec("test_resnet", "gate")
    card = ModelCard(
        architecture=spec, classes=("melanoma", "nevus"), preprocessing=Preprocessing(input_size=(40, 40))
    )
    return LoadedModel(build_network(spec, 2).eval(), card)


def test_the_marked_pixels_are_blurred(loaded: LoadedModel) -> None:
    crops = torch.randn(1, 3, 40, 40, generator=torch.Generator().manual_seed(1))
    marked = torch.zeros(1, 40, 40)
    marked[0, :8] = 1 + torch.rand(8, 40, generator=torch.Generator().manual_seed(2))
    drops = compute_score_drops(loaded, crops, {"rows": marked}, {}, BOXES, SIZE, 1)
    assert list(drops) == ["rows", CENTER]
    removed = crops.clone()
    removed[:, :, :8] = blur_crops(crops)[:, :, :8]
    with torch.inference_mode():
        expected = [float(loaded.model(x).logits.softmax(dim=1)[0, 1]) for x in (crops, removed)]
    assert drops["rows"] == pytest.approx(tuple(expected), abs=1e-6)
    assert str(drops["rows"]) == f"{expected[0]:.2f} → {expected[1]:.2f}"


def test_weights_of_crops_have_no_drop(loaded: LoadedModel) -> None:
    crops = torch.zeros(1, 3, 40, 40)
    assert compute_score_drops(loaded, crops, {"end-crops": torch.ones(1)}, {}, BOXES, SIZE, 0) == {}


def test_drops_are_written_with_the_gallery(loaded: LoadedModel, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (50, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    cases = [ExampleCase("a", "nevus", "melanoma", 0.9)]
    write_gallery(loaded, {"a": tmp_path / "a.png"}, cases, tmp_path / "maps")
    rows = read_table(tmp_path / "maps" / "score_drops.csv")
    explanation = explain_image(loaded, pixels, target_class="melanoma", score_drops=True)
    *names, control = explanation.score_drops
    assert control == CENTER
    assert rows["map"].tolist() == [*names, "center"]
    values = rows[["score", "score_without"]].astype(float).to_numpy()
    np.testing.assert_allclose(values, list(explanation.score_drops.values()), atol=1e-4)
