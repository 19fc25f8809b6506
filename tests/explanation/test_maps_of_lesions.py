"""Agreement of two models' maps, and weights of crops next to lesion fractions, computed independently on pixels."""

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import DataError, ModelError
from lesionlens.datasets.table import LesionTable
from lesionlens.explanation.cell_positions import cell_grids
from lesionlens.explanation.crop_weights import measure_crop_weights
from lesionlens.explanation.explain import compute_maps
from lesionlens.explanation.map_agreement import map_correlation, measure_map_agreement
from lesionlens.imaging.stitching import CellGrid, StitchedMap, resize_map

from .test_localization import make_model, table  # noqa: F401


def on_image(values: np.ndarray, grid: CellGrid) -> np.ndarray:
    """Resize the map of the only crop of an image of 60 × 80 pixels."""
    return resize_map(values, (60, 80), grid).astype(float)


@pytest.mark.usefixtures("table")
def test_agreement_is_the_correlation_of_both_maps(table: LesionTable) -> None:  # noqa: F811
    first, second = make_model("arl"), make_model("arl")
    for parameter in second.model.parameters():
        parameter.data += 0.1 * parameter.data.abs()
    options = {"method": "cam", "map_name": "cam"}
    agreements = measure_map_agreement(
        [first, second], table, target_classes=["melanoma", "nevus"], **options
    )
    assert [item.image_id for item in agreements] == ["i0", "i1", "i2", "i3"]
    pixels = np.asarray(Image.open(Path(table.paths[0])))
    maps = []
    for loaded, target in ((first, 0), (second, 1)):
        crops = loaded.card.preprocessing.prepare_input(pixels)
        values = compute_maps(loaded.model, crops, methods=["cam"], target_index=target)["cam"][0].numpy()
        grid = cell_grids(loaded.model, crops)[values.shape[0], values.shape[1]]
        maps.append(on_image(values, grid))
    assert agreements[0].map_agreement == pytest.approx(
        np.corrcoef(maps[0].ravel(), maps[1].ravel())[0, 1], abs=1e-6
    )
    assert agreements[0].lesion_area == pytest.approx(20 * 30 / (60 * 80))
    with pytest.raises(ModelError, match="no map gate"):
        measure_map_agreement(
            [first, second], table, target_classes=["melanoma"] * 2, method="cam", map_name="gate"
        )
    with pytest.raises(DataError, match="none of the 1 images has a lesion mask"):
        measure_map_agreement(
            [first, second], table.select(["i5"]), target_classes=["melanoma"] * 2, **options
        )


def test_pixels_outside_the_crops_of_one_model_do_not_count() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 4, 5))
    covered = rng.random((2, 4, 5)) > 0.3
    both = covered.all(axis=0)
    agreement = map_correlation(StitchedMap(first, covered[0]), StitchedMap(second, covered[1]))
    assert agreement == pytest.approx(np.corrcoef(first[both], second[both])[0, 1])
    assert math.isnan(
        map_correlation(StitchedMap(first, covered[0]), StitchedMap(np.ones((4, 5)), covered[1]))
    )


def test_each_crop_has_its_weight_and_lesion_fraction(table: LesionTable) -> None:  # noqa: F811
    loaded = make_model("patch", input_size=(32, 32), crops="grid", crop_count=5)
    weights = measure_crop_weights(loaded, table.select(["i0", "i5"]), map_name="end-crops")
    assert [(crop.image_id, crop.position) for crop in weights] == [("i0", number) for number in range(5)]
    pixels = np.asarray(Image.open(Path(table.paths[0])))
    mask = np.asarray(Image.open(Path(table.paths[0]).with_name("m0.png"))) > 0
    crops = loaded.card.preprocessing.prepare_input(pixels)
    expected = compute_maps(loaded.model, crops, methods=["attention"])["end-crops"].numpy()
    assert [crop.crop_weight for crop in weights] == pytest.approx(expected.tolist())
    side = round(224 * 60 / 450)  # of the grid of Gessert et al.: four corners, then the center
    corners = [
        (0, 0),
        (0, 80 - side),
        (60 - side, 0),
        (60 - side, 80 - side),
        ((60 - side) // 2, (80 - side) // 2),
    ]
    fractions = [mask[top : top + side, left : left + side].mean() for top, left in corners]
    assert [crop.lesion_fraction for crop in weights] == pytest.approx(fractions)
    with pytest.raises(ModelError, match="no weights initial-crops of crops; it has end-crops"):
        measure_crop_weights(loaded, table, map_name="initial-crops")
