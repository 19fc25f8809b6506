"""Masks of a make_table: resized to their images, compressed losslessly, and missing ones reported."""

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


def write_png(path: Path, mask: NDArray[np.uint8]) -> str:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(mask).save(path)
    return str(path)


def blob(shape: tuple[int, int] = SHAPE) -> NDArray[np.uint8]:
    """Return an ellipse in the upper left, at the same relative position for any size."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    inside = ((y + 0.5) / shape[0] - 0.4) ** 2 + 2 * ((x + 0.5) / shape[1] - 0.3) ** 2 < 0.06
    return np.where(inside, 255, 0).astype(np.uint8)


def make_table(tmp_path: Path, masks: list[str], features: list[str] | None = None) -> LesionTable:
    ids = [f"i{number}" for number in range(len(masks))]
    frame = pd.DataFrame({column: [""] * len(masks) for column in TABLE_COLUMNS})
    frame = frame.assign(image_id=ids, lesion_id=ids, diagnosis="nevus", age=np.nan, mask_path=masks)
    frame = frame.assign(path=[str(tmp_path / f"{image_id}.jpg") for image_id in ids])
    return LesionTable("make_table", tmp_path, frame.assign(feature_mask_paths=features or ""), ("nevus",))


def test_masks_are_stored_compressed() -> None:
    rng = np.random.default_rng(0)
    noise = (rng.random((3, 37, 53)) < 0.5).astype(np.uint8) * 255
    masks = MaskStore([compress_mask(noise[0]), None, compress_mask(noise[2])], [(37, 53)] * 3)
    assert len(masks) == 3
    assert masks[1] is None
    np.testing.assert_array_equal(masks[0], noise[0])
    np.testing.assert_array_equal(masks[2], noise[2])
    assert len(compress_mask(blob((512, 683)))) < 4000


def test_probabilities_stay_gray_except_for_boxes(tmp_path: Path) -> None:
    """A ramp from 0 to 1: as a prior it is itself, as a mask it begins at a probability of 0.5."""
    ramp = np.tile(np.rint(np.linspace(0, 255, SHAPE[1])).astype(np.uint8), (SHAPE[0], 1))
    masks, table = tmp_path / "masks", make_table(tmp_path, [write_png(tmp_path / "binary.png", blob())])
    write_png(masks / "i0.png", ramp)
    for kind, expected in (("lesion", ramp), ("background", 255 - ramp)):
        loaded = load_masks(table, kind, [SHAPE], mask_dir=masks, probabilities=True).masks[0]
        np.testing.assert_array_equal(loaded, expected)
    np.testing.assert_array_equal(load_masks(table, str(masks), [SHAPE], probabilities=True).masks[0], ramp)
    with pytest.raises(DataError, match="neither dark nor bright"):
        load_lesion_boxes(table, [SHAPE], 0, mask_dir=masks)
    (masks / "masks.json").write_text(json.dumps({"probabilities": True}))
    (box,) = load_lesion_boxes(table, [SHAPE], 0, mask_dir=masks).boxes
    assert box == CropBox(0, float(np.argmax(ramp[0] >= 127.5)), SHAPE[0], SHAPE[1] // 2)


def test_binary_masks_are_the_same_as_probabilities(tmp_path: Path) -> None:
    table = make_table(tmp_path, [""])
    write_png(tmp_path / "masks" / "i0.png", blob((450, 600)))
    binary, gray = (
        load_masks(table, "lesion", [SHAPE], mask_dir=tmp_path / "masks", probabilities=option).masks[0]
        for option in (False, True)
    )
    assert binary is not None
    np.testing.assert_array_equal(gray, binary)


def test_masks_are_resized_and_background_is_inverted(tmp_path: Path) -> None:
    table = make_table(
        tmp_path,
        [write_png(tmp_path / "a.png", blob((450, 600))), write_png(tmp_path / "b.png", blob() // 255)],
    )
    masks, excluded = load_masks(table, "lesion", [SHAPE, SHAPE])
    assert excluded == ()
    first, second = masks[0], masks[1]
    assert first is not None
    assert set(np.unique(first)) == {0, 255}
    expected = zoom(blob((450, 600)).astype(float), 0.1, order=1, grid_mode=True, mode="nearest") >= 128
    assert ((first == 255) != expected).mean() < 0.01
    np.testing.assert_array_equal(second, blob())  # of 0 and 1
    background = load_masks(table, "background", [SHAPE, SHAPE]).masks[1]
    np.testing.assert_array_equal(background, 255 - blob())


def test_missing_and_empty_masks_are_excluded(tmp_path: Path) -> None:
    empty = write_png(tmp_path / "empty.png", np.zeros(SHAPE, np.uint8))
    table = make_table(tmp_path, ["", empty, write_png(tmp_path / "a.png", blob())])
    for kind in ("lesion", "background"):
        masks, excluded = load_masks(table, kind, [SHAPE] * 3)
        assert excluded == (("i0", "i0.jpg has no mask"), ("i1", f"the mask {empty} is empty"))
        assert masks[0] is None
        assert masks[1] is None
        assert masks[2] is not None
    with pytest.raises(DataError, match=r"none of 2 images has a lesion mask, for example: i0\.jpg has no"):
        load_masks(table.select(["i0", "i1"]), "lesion", [SHAPE] * 2)


def test_unusable_masks_are_reported_together(tmp_path: Path) -> None:
    wrong = write_png(tmp_path / "square.png", blob((45, 45)))
    (tmp_path / "torn.png").write_bytes(b"")
    table = make_table(tmp_path, [wrong, str(tmp_path / "torn.png"), write_png(tmp_path / "a.png", blob())])
    with pytest.raises(DataError, match=r"masks that cannot be used: 2 .*Replace or remove them") as caught:
        load_masks(table, "lesion", [SHAPE] * 3)
    message = f"the mask {wrong} has 45 × 45 pixels, its image {tmp_path / 'i0.jpg'}, as it is used, 60 × 45: a mask "
    assert message in str(caught.value)
    assert "torn.png is not a usable image: the file is empty" in str(caught.value)


def test_mask_directory_replaces_the_masks_of_the_table(tmp_path: Path) -> None:
    table = make_table(tmp_path, [write_png(tmp_path / "a.png", blob()), "", ""])
    replacement = np.ascontiguousarray(blob()[::-1])
    write_png(tmp_path / "other" / "i1_segmentation.png", replacement)
    write_png(tmp_path / "other" / "i2.png", replacement)
    progress: list[tuple[int, int]] = []
    for loaded in (
        load_masks(
            table, "lesion", [SHAPE] * 3, mask_dir=tmp_path / "other", progress=lambda *n: progress.append(n)
        ),
        load_masks(table, str(tmp_path / "other"), [SHAPE] * 3),
    ):
        assert [image_id for image_id, _ in loaded.excluded] == ["i0"]
        np.testing.assert_array_equal(loaded.masks[2], replacement)
    assert progress == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(
        DataError, match=r"did you mean 'lesion'.*or a directory of masks; there is no directory lesions"
    ):
        load_masks(table, "lesions", [SHAPE] * 3)
    with pytest.raises(DataError, match=r"there is no folder of masks .*missing"):
        load_masks(table, "lesion", [SHAPE] * 3, mask_dir=tmp_path / "missing")


def test_images_without_structures_have_empty_masks(tmp_path: Path) -> None:
    labels = np.zeros((*SHAPE, 3), np.uint8)
    labels[:, 30:, 0] = 1
    image = write_png(tmp_path / "x_superpixels.png", labels)
    feature_paths = []
    for name, flags in (("streaks", [0, 1]), ("no_streaks", [0, 0])):
        (tmp_path / f"{name}.json").write_text(json.dumps({"streaks": flags, "globules": [0, 0]}))
        feature_paths.append(f"{image};{tmp_path / f'{name}.json'}")
    masks, excluded = load_masks(
        make_table(tmp_path, [""] * 3, [*feature_paths, ""]), "dermoscopic", [SHAPE] * 3
    )
    assert excluded == (("i2", "i2.jpg has no annotated structures"),)
    annotated, empty = masks[0], masks[1]
    assert annotated is not None
    assert empty is not None
    assert annotated[:, 30:].min() == 255
    assert annotated[:, :30].max() == empty.max() == 0


def test_artifact_masks_are_empty_without_a_file(
    tmp_path: Path,
) -> None:
    root = tmp_path / "set"
    root.mkdir()
    table = make_table(root, ["", "", ""])
    with pytest.raises(
        DataError, match=r"set has no directory artifact_masks.*lesion, background, dermoscopic"
    ):
        load_masks(table, "artifacts", [SHAPE] * 3)
    write_png(root / "artifact_masks" / "i1.png", blob())
    write_png(root / "artifact_masks" / "i2.png", np.zeros(SHAPE, np.uint8))
    masks, excluded = load_masks(table, "artifacts", [SHAPE] * 3)
    assert excluded == ()
    np.testing.assert_array_equal(masks[0], np.zeros(SHAPE))
    np.testing.assert_array_equal(masks[1], blob())
    np.testing.assert_array_equal(masks[2], np.zeros(SHAPE))
    custom = LesionTable("make_table", root / "own.csv", table.frame, ("nevus",))
    np.testing.assert_array_equal(load_masks(custom, "artifacts", [SHAPE] * 3).masks[1], blob())
    frame = table.frame.assign(
        path=[str(root / "i0.jpg"), str(tmp_path / "i1.jpg"), str(tmp_path / "other.jpg")]
    )
    frame = frame.assign(image_id=["i0", "i1", "other"])
    loaded = load_masks(LesionTable("make_table", root, frame, ("nevus",)), "artifacts", [SHAPE] * 3)
    assert loaded.excluded == (("other", "other.jpg has no artifact mask"),)


def test_lesion_boxes_have_the_margin(tmp_path: Path) -> None:
    square = np.zeros(SHAPE, np.uint8)
    square[10:20, 40:60] = 255
    table = make_table(tmp_path, [write_png(tmp_path / "a.png", square), ""])
    boxes, excluded = load_lesion_boxes(table, [SHAPE, SHAPE], 0.25)
    assert boxes == (
        CropBox(8, 35, 14, 25),
        None,
    )  # 2.5 pixels round to 2 above; 5 to the left, none to the right
    assert excluded == (("i1", "i1.jpg has no mask"),)


def test_jpeg_noise_is_not_lesion(tmp_path: Path) -> None:
    path = tmp_path / "i0_mask.jpg"
    Image.fromarray(blob()).save(path, quality=60)
    assert (np.asarray(Image.open(path)) != 0).sum() > 1.2 * (blob() != 0).sum()
    loaded = load_masks(make_table(tmp_path, [str(path)]), "lesion", [SHAPE]).masks[0]
    assert loaded is not None
    assert (loaded != blob()).sum() < 0.02 * (blob() != 0).sum()
