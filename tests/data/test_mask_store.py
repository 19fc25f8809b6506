"""Masks of a table: read at their images' sizes, kept bit by bit, and what is missing is told."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

from lesionlens.core.errors import DataError
from lesionlens.data.mask_store import MaskStore, compress_mask, load_lesion_boxes, load_masks
from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable
from lesionlens.imaging.boxes import CropBox

SHAPE = (45, 60)


def write(path: Path, mask: NDArray[np.uint8]) -> str:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(mask).save(path)
    return str(path)


def blob(shape: tuple[int, int] = SHAPE) -> NDArray[np.uint8]:
    """Draw an ellipse in the upper left, of the same shares at any size."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = ((y + 0.5) / shape[0] - 0.4) ** 2 + 2 * ((x + 0.5) / shape[1] - 0.3) ** 2 < 0.06
    return np.where(inside, 255, 0).astype(np.uint8)


def table(tmp_path: Path, masks: list[str], features: list[str] | None = None) -> LesionTable:
    ids = [f"i{number}" for number in range(len(masks))]
    rows = pd.DataFrame({column: [""] * len(masks) for column in TABLE_COLUMNS})
    rows = rows.assign(image_id=ids, lesion_id=ids, diagnosis="nevus", age=np.nan, mask_path=masks)
    rows = rows.assign(path=[str(tmp_path / f"{image_id}.jpg") for image_id in ids])
    return LesionTable("table", tmp_path, rows.assign(feature_mask_paths=features or ""), ("nevus",))


def test_masks_come_back_and_are_small() -> None:
    rng = np.random.default_rng(0)
    noise = (rng.random((3, 37, 53)) < 0.5).astype(np.uint8) * 255
    masks = MaskStore([compress_mask(noise[0]), None, compress_mask(noise[2])], [(37, 53)] * 3)
    assert len(masks) == 3
    assert masks[1] is None
    np.testing.assert_array_equal(masks[0], noise[0])
    np.testing.assert_array_equal(masks[2], noise[2])
    assert len(compress_mask(blob((512, 683)))) < 4000


def test_a_mask_of_another_size_is_fitted_and_its_inverse_is_background(tmp_path: Path) -> None:
    rows = table(
        tmp_path, [write(tmp_path / "a.png", blob((450, 600))), write(tmp_path / "b.png", blob() // 255)]
    )
    masks, excluded = load_masks(rows, "lesion", [SHAPE, SHAPE])
    assert excluded == ()
    first, second = masks[0], masks[1]
    assert first is not None
    assert set(np.unique(first)) == {0, 255}
    expected = zoom(blob((450, 600)).astype(float), 0.1, order=1, grid_mode=True, mode="nearest") >= 128
    assert ((first == 255) != expected).mean() < 0.01
    np.testing.assert_array_equal(second, blob())  # of 0 and 1
    background = load_masks(rows, "background", [SHAPE, SHAPE]).masks[1]
    np.testing.assert_array_equal(background, 255 - blob())


def test_missing_and_empty_masks_are_told(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.png", np.zeros(SHAPE, np.uint8))
    rows = table(tmp_path, ["", empty, write(tmp_path / "a.png", blob())])
    for kind in ("lesion", "background"):
        masks, excluded = load_masks(rows, kind, [SHAPE] * 3)
        assert excluded == (("i0", "i0.jpg has no mask"), ("i1", f"the mask {empty} is empty"))
        assert masks[0] is None
        assert masks[1] is None
        assert masks[2] is not None
    with pytest.raises(
        DataError, match=r"not one of 2 images has a lesion mask, for example: i0\.jpg has no"
    ):
        load_masks(rows.select(["i0", "i1"]), "lesion", [SHAPE] * 2)


def test_masks_that_do_not_fit_are_named_together(tmp_path: Path) -> None:
    wrong = write(tmp_path / "square.png", blob((45, 45)))
    (tmp_path / "torn.png").write_bytes(b"")
    rows = table(tmp_path, [wrong, str(tmp_path / "torn.png"), write(tmp_path / "a.png", blob())])
    with pytest.raises(
        DataError, match=r"masks that cannot be used: 2 .*Replace them or take them away"
    ) as caught:
        load_masks(rows, "lesion", [SHAPE] * 3)
    said = f"the mask {wrong} has 45 × 45 pixels, its image {tmp_path / 'i0.jpg'}, as it is used, 60 × 45: a mask "
    assert said in str(caught.value)
    assert "torn.png is not a usable image: the file is empty" in str(caught.value)


def test_masks_of_a_folder_take_the_place_of_the_tables(tmp_path: Path) -> None:
    rows = table(tmp_path, [write(tmp_path / "a.png", blob()), "", ""])
    ours = np.ascontiguousarray(blob()[::-1])
    write(tmp_path / "ours" / "i1_segmentation.png", ours)
    write(tmp_path / "ours" / "i2.png", ours)
    seen: list[tuple[int, int]] = []
    for found in (
        load_masks(
            rows, "lesion", [SHAPE] * 3, mask_dir=tmp_path / "ours", progress=lambda *n: seen.append(n)
        ),
        load_masks(rows, str(tmp_path / "ours"), [SHAPE] * 3),
    ):
        assert [image_id for image_id, _ in found.excluded] == ["i0"]
        np.testing.assert_array_equal(found.masks[2], ours)
    assert seen == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(
        DataError, match=r"did you mean 'lesion'.*or a folder of masks; there is no folder lesions"
    ):
        load_masks(rows, "lesions", [SHAPE] * 3)
    with pytest.raises(DataError, match=r"there is no folder of masks .*theirs"):
        load_masks(rows, "lesion", [SHAPE] * 3, mask_dir=tmp_path / "theirs")


def test_no_structure_is_known_and_no_annotation_is_not(tmp_path: Path) -> None:
    labels = np.zeros((*SHAPE, 3), np.uint8)
    labels[:, 30:, 0] = 1
    image = write(tmp_path / "x_superpixels.png", labels)
    cells = []
    for name, flags in (("some", [0, 1]), ("none", [0, 0])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"streaks": flags, "globules": [0, 0]}))
        cells.append(f"{image};{tmp_path / f'{name}.json'}")
    masks, excluded = load_masks(table(tmp_path, [""] * 3, [*cells, ""]), "dermoscopic", [SHAPE] * 3)
    assert excluded == (("i2", "no structures of i2.jpg were annotated"),)
    some, none = masks[0], masks[1]
    assert some is not None
    assert none is not None
    assert some[:, 30:].min() == 255
    assert some[:, :30].max() == none.max() == 0


def test_artifacts_lie_in_a_folder_of_the_data_set_and_an_image_without_a_file_shows_none(
    tmp_path: Path,
) -> None:
    root = tmp_path / "set"
    root.mkdir()
    rows = table(root, ["", "", ""])
    with pytest.raises(DataError, match=r"set has no folder artifact_masks.*lesion, background, dermoscopic"):
        load_masks(rows, "artifacts", [SHAPE] * 3)
    write(root / "artifact_masks" / "i1.png", blob())
    write(root / "artifact_masks" / "i2.png", np.zeros(SHAPE, np.uint8))
    masks, excluded = load_masks(rows, "artifacts", [SHAPE] * 3)
    assert excluded == ()
    np.testing.assert_array_equal(masks[0], np.zeros(SHAPE))
    np.testing.assert_array_equal(masks[1], blob())
    np.testing.assert_array_equal(masks[2], np.zeros(SHAPE))
    beside = LesionTable("table", root / "own.csv", rows.frame, ("nevus",))
    np.testing.assert_array_equal(load_masks(beside, "artifacts", [SHAPE] * 3).masks[1], blob())
    joined = rows.frame.assign(
        path=[str(root / "i0.jpg"), str(tmp_path / "i1.jpg"), str(tmp_path / "other.jpg")]
    )
    joined = joined.assign(image_id=["i0", "i1", "other"])
    found = load_masks(LesionTable("table", root, joined, ("nevus",)), "artifacts", [SHAPE] * 3)
    assert found.excluded == (("other", "other.jpg has no artifact mask"),)


def test_regions_are_the_boxes_around_lesions(tmp_path: Path) -> None:
    square = np.zeros(SHAPE, np.uint8)
    square[10:20, 40:60] = 255
    rows = table(tmp_path, [write(tmp_path / "a.png", square), ""])
    regions, excluded = load_lesion_boxes(rows, [SHAPE, SHAPE], 0.25)
    assert regions == (
        CropBox(8, 35, 14, 25),
        None,
    )  # 2.5 pixels round to 2 above; 5 to the left, none to the right
    assert excluded == (("i1", "i1.jpg has no mask"),)


def test_the_noise_of_a_jpeg_is_no_lesion(tmp_path: Path) -> None:
    path = tmp_path / "i0_mask.jpg"
    Image.fromarray(blob()).save(path, quality=60)
    assert (np.asarray(Image.open(path)) != 0).sum() > 1.2 * (blob() != 0).sum()
    found = load_masks(table(tmp_path, [str(path)]), "lesion", [SHAPE]).masks[0]
    assert found is not None
    assert (found != blob()).sum() < 0.02 * (blob() != 0).sum()
