"""Faithfulness of maps: imputation against grad-cam, known areas, randomized networks, shifts and controls."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from pytorch_grad_cam.metrics.road import NoisyLinearImputer, neighbors_weights
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import spsolve
from scipy.stats import spearmanr

from lesionlens.core.errors import DataError, ModelError
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.explanation.faithfulness import FaithfulnessOptions, evaluate_faithfulness
from lesionlens.explanation.faithfulness_result import faithfulness_tables, write_faithfulness
from lesionlens.explanation.map_controls import CENTER, LESION, RANDOM, random_map
from lesionlens.explanation.map_randomization import map_rank_correlation, randomize_from_top
from lesionlens.explanation.perturbation import crop_values, impute, pixel_ranks
from lesionlens.explanation.perturbation_curves import perturbation_areas, perturbation_curves
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.factory import build_network
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import LoadedModel
from lesionlens.models.spec import ModelSpec

CLASSES = ("melanoma", "nevus")
QUICK = FaithfulnessOptions(num_images=3, steps=4, n_resamples=50)


def make_model(attention: str = "none") -> LoadedModel:
    torch.manual_seed(0)
    architecture = ModelSpec(
        "test_resnet", attention, {"crops": 5, "end": True} if attention == "patch" else {}
    )
    crops: dict[str, Any] = {"crops": "grid", "crop_count": 5} if attention == "patch" else {}
    card = ModelCard(
        architecture=architecture, classes=CLASSES, preprocessing=Preprocessing(input_size=(48, 48), **crops)
    )
    network = build_network(architecture, 2).eval()
    for weights in network.parameters():  # norms initialized to zero would make constant maps
        if not weights.any():
            weights.data.normal_()
    return LoadedModel(network, card)


@pytest.fixture
def table(tmp_path: Path) -> LesionTable:
    """Four images, the last one with an empty mask."""
    rows = []
    for n in range(4):
        pixels = np.random.default_rng(n).integers(150, 255, (48, 64, 3), dtype=np.uint8)
        pixels[15:30, 20 + 3 * n : 40 + 3 * n] //= 3
        Image.fromarray(pixels).save(tmp_path / f"i{n}.png")
        mask = np.zeros((48, 64), dtype=np.uint8)
        mask[15:30, 20 + 3 * n : 40 + 3 * n] = 255 * (n < 3)
        Image.fromarray(mask).save(tmp_path / f"m{n}.png")
        rows.append({"image": f"i{n}.png", "label": CLASSES[n % 2], "mask_path": f"m{n}.png"})
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    return load_table(f"table:{tmp_path / 't.csv'}")


def test_imputation_equals_that_of_grad_cam() -> None:
    rng = np.random.default_rng(0)
    image, removed = rng.normal(size=(3, 12, 10)), rng.random((12, 10)) < 0.6
    system, right_side = NoisyLinearImputer.setup_sparse_system(
        (~removed).astype(float), image, neighbors_weights
    )
    expected = image.copy()
    expected[:, removed] = spsolve(csc_matrix(system), right_side).T
    np.testing.assert_allclose(impute(image, removed), expected, atol=1e-9)
    assert not impute(image, np.ones((12, 10), dtype=bool)).any()


def test_areas_of_a_score_that_reads_one_half() -> None:
    crops = torch.ones(1, 3, 8, 8)

    def score(versions: torch.Tensor) -> np.ndarray:
        return versions[:, 0, 0, :, :4].mean(dim=(1, 2)).double().numpy()

    left = np.zeros((1, 8, 8))
    left[..., :4] = 1
    noise = np.random.default_rng(0).random((1, 8, 8))
    right, flat = 1 - left, np.zeros((1, 8, 8))
    deletion = [
        perturbation_areas(perturbation_curves(score, crops, pixel_ranks(values, noise), steps=32)).deletion
        for values in (left, flat, right)
    ]
    assert deletion == pytest.approx([0.25, 0.5, 0.75], abs=0.06)


def test_rank_correlation_of_maps_equals_scipy() -> None:
    first, second = np.random.default_rng(0).random((2, 7, 7))
    assert map_rank_correlation(first, second) == pytest.approx(spearmanr(first.ravel(), second.ravel())[0])
    assert np.isnan(map_rank_correlation(np.ones((3, 3)), second[:3, :3]))
    assert map_rank_correlation(first, np.ones((7, 7))) == 0


def test_randomization_starts_at_the_last_layer() -> None:
    loaded, images = make_model(), torch.randn(2, 3, 48, 48)
    before = {name: value.clone() for name, value in loaded.model.state_dict().items()}
    first, *_, last = (
        {name: value.clone() for name, value in network.state_dict().items()}
        for network in randomize_from_top(loaded.model, images)
    )
    changed = {name for name, value in first.items() if not torch.equal(value, before[name])}
    assert changed
    assert all("fc" in name for name in changed)
    unchanged = {
        name for name, value in last.items() if torch.equal(value, before[name]) and "weight" in name
    }
    assert not {name for name in unchanged if before[name].ndim > 1}
    assert all(torch.equal(value, before[name]) for name, value in loaded.model.state_dict().items())


@pytest.mark.parametrize(
    "attention",
    ["none", pytest.param("soft", marks=pytest.mark.slow), pytest.param("patch", marks=pytest.mark.slow)],
)
def test_maps_and_controls_are_evaluated(attention: str, table: LesionTable, tmp_path: Path) -> None:
    loaded = make_model(attention)
    options = QUICK if attention == "none" else FaithfulnessOptions(num_images=2, steps=2, n_resamples=10)
    result = evaluate_faithfulness(loaded, table, methods=("gradcam",), options=options)
    assert {"gradcam", RANDOM, CENTER} <= set(result.map_names)
    assert len(result.images) == options.num_images
    relative = ("randomization", "stability") if attention == "none" else ()  # others may be constant
    for measure in ("insertion", "deletion", "road", *relative):
        estimate = result.estimate("gradcam", measure)
        assert estimate is not None
        assert -1 <= estimate.value <= 1
    images = [image for image in result.images if LESION in image.maps]
    values = [image.maps["gradcam"].insertion - image.maps[LESION].insertion for image in images]
    difference = next(
        item.estimate
        for item in result.differences
        if item.control == LESION and item.estimate.metric == "insertion"
    )
    assert difference.value == pytest.approx(np.mean(values))
    write_faithfulness(tmp_path / "out", result)
    record = json.loads((tmp_path / "out" / "faithfulness.json").read_text())
    assert record["num_images"] == options.num_images
    assert faithfulness_tables(result).renderables


@pytest.mark.slow
def test_evaluation_is_deterministic(table: LesionTable) -> None:
    options = FaithfulnessOptions(num_images=2, steps=2, n_resamples=0)
    first, again = (
        evaluate_faithfulness(make_model(), table, methods=("gradcam",), options=options).to_record()
        for _ in range(2)
    )
    assert json.dumps(first) == json.dumps(again)


def test_unusable_maps_methods_and_images_are_rejected(table: LesionTable) -> None:
    with pytest.raises(ModelError, match="not finite"):
        crop_values(np.full((4, 4), np.nan), [CropBox(0, 0, 4, 4)], (4, 4))
    with pytest.raises(ModelError):
        evaluate_faithfulness(make_model(), table, methods=("attention",), options=QUICK)
    empty = table.select(["i0"])
    Path(empty.paths[0]).write_bytes(b"no image")
    with pytest.raises(DataError, match="none of the 1 images can be evaluated"):
        evaluate_faithfulness(make_model(), empty, methods=("gradcam",), options=QUICK)


def test_random_map_depends_on_image_and_seed() -> None:
    first = random_map(20, 30, image_id="a")
    np.testing.assert_array_equal(first, random_map(20, 30, image_id="a"))
    assert not np.array_equal(first, random_map(20, 30, image_id="b"))
    assert not np.array_equal(first, random_map(20, 30, image_id="a", seed=1))
