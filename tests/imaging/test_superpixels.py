"""Feature masks from superpixels and flags, their union, and errors for mismatched files."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from skimage.util import map_array

from lesionlens.core.errors import DataError
from lesionlens.imaging.superpixels import (
    ISIC2017_FEATURES,
    feature_masks,
    read_feature_masks,
    superpixel_labels,
    union_of_features,
)
from lesionlens.synthesis.structures import STRUCTURE_BITS


@pytest.fixture
def labels() -> np.ndarray:
    """Number 300 superpixels: more than one channel can encode."""
    return np.kron(np.arange(300, dtype=np.uint32).reshape(15, 20), np.ones((4, 4), np.uint32))


def _save(folder: Path, labels: np.ndarray, flags: object) -> str:
    colors = np.stack([labels & 255, labels >> 8 & 255, labels >> 16], axis=2).astype(np.uint8)
    Image.fromarray(colors).save(folder / "ISIC_1_superpixels.png")
    (folder / "ISIC_1_features.json").write_text(json.dumps(flags))
    return f"{folder / 'ISIC_1_superpixels.png'};{folder / 'ISIC_1_features.json'}"


def _flags(labels: np.ndarray) -> dict[str, list[int]]:
    rng = np.random.default_rng(1)
    return {name: rng.integers(0, 2, int(labels.max()) + 1).tolist() for name in ISIC2017_FEATURES}


@pytest.mark.filterwarnings("ignore:Setting the shape:DeprecationWarning")  # in scikit-image with NumPy 2.5
def test_masks_are_the_flagged_superpixels(tmp_path: Path, labels: np.ndarray) -> None:
    flags = _flags(labels)
    cell = _save(tmp_path, labels, flags)
    masks = read_feature_masks(*map(Path, cell.split(";")))
    numbers = np.arange(labels.max() + 1)
    for name in ISIC2017_FEATURES:  # against the look-up of scikit-image
        np.testing.assert_array_equal(masks[name], map_array(labels, numbers, np.array(flags[name])) == 1)
    union = union_of_features(cell, labels.shape)
    assert union.dtype == np.uint8
    np.testing.assert_array_equal(union, 255 * np.any([masks[name] for name in ISIC2017_FEATURES], axis=0))


def test_all_three_channels_encode_the_superpixel() -> None:
    numbers = np.array([[0, 255, 256], [65_535, 65_536, 16_777_215]])
    colors = np.frombuffer(numbers.astype("<u4").tobytes(), np.uint8).reshape(2, 3, 4)[..., :3]
    np.testing.assert_array_equal(superpixel_labels(colors), numbers)


@pytest.mark.parametrize("flags", [{}, {"streaks": [0, 0, 0]}])
def test_annotated_image_without_features_has_an_empty_mask(tmp_path: Path, flags: dict) -> None:
    cell = _save(tmp_path, np.array([[0, 1], [2, 2]]), flags)
    np.testing.assert_array_equal(union_of_features(cell, (2, 2)), np.zeros((2, 2)))


def test_unannotated_image_has_no_mask() -> None:
    assert union_of_features("", (2, 2)) is None


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"streaks": [0, 1]}, "streaks has flags for 2 superpixels, the image has 3"),
        ({"streaks": [0, 1, 0, 1]}, "flags for 4 superpixels, the image has 3"),
        ({"streaks": [0, 0.5, 1]}, "the flags of streaks are not a list of 0 and 1"),
        ({"streaks": [[0], 0, 1]}, "unhashable"),
        ({"streaks": "010"}, "not a list of 0 and 1"),
        ([0, 1, 0], "it is not a JSON object of flags per feature"),
    ],
)
def test_mismatched_flags_name_both_files(tmp_path: Path, flags: object, message: str) -> None:
    cell = _save(tmp_path, np.array([[0, 1], [2, 2]]), flags)
    with pytest.raises(DataError, match=rf"features\.json does not fit .*superpixels\.png: .*{message}"):
        union_of_features(cell, (2, 2))


def test_damaged_or_missing_file_of_a_pair_raises(tmp_path: Path) -> None:
    cell = _save(tmp_path, np.array([[0, 1], [2, 2]]), {})
    image, flags = cell.split(";")
    with pytest.raises(DataError, match=r"superpixels\.png is not part of a pair"):
        union_of_features(image, (2, 2))
    Path(flags).write_text("{")
    with pytest.raises(DataError, match="does not fit"):
        union_of_features(cell, (2, 2))
    Path(image).write_bytes(b"")
    with pytest.raises(DataError, match="the file is empty"):
        union_of_features(cell, (2, 2))


def test_masks_of_2018_are_united(tmp_path: Path) -> None:
    paths = []
    for name, pixel in (("globules", (0, 0)), ("streaks", (1, 2))):
        mask = np.zeros((2, 4), np.uint8)
        mask[pixel] = 255
        paths.append(tmp_path / f"ISIC_1_attribute_{name}.png")
        Image.fromarray(mask).save(paths[-1])
    union = union_of_features(";".join(map(str, paths)), (2, 4))
    assert union.tolist() == [[255, 0, 0, 0], [0, 0, 255, 0]]


def test_every_bit_of_synthetic_structures_counts(tmp_path: Path) -> None:
    bits = np.array([[0, *STRUCTURE_BITS.values()]], np.uint16)
    cv2.imwrite(str(tmp_path / "ISIC_1_structures.png"), bits)
    union = union_of_features(str(tmp_path / "ISIC_1_structures.png"), bits.shape)
    assert union.tolist() == [[0, *[255] * len(STRUCTURE_BITS)]]


def test_masks_are_resized_only_to_the_same_aspect_ratio(tmp_path: Path) -> None:
    cell = _save(tmp_path, np.array([[0, 1], [2, 2]]), {"streaks": [0, 1, 0]})
    assert union_of_features(cell, (4, 4)).tolist() == [[0, 0, 255, 255]] * 2 + [[0] * 4] * 2
    with pytest.raises(DataError, match=r"superpixels\.png has 2 × 2 pixels, its image 4 × 2"):
        union_of_features(cell, (2, 4))


def test_rounded_sizes_have_the_same_aspect_ratio(tmp_path: Path) -> None:
    Image.fromarray(np.full((450, 601), 255, np.uint8)).save(tmp_path / "a.png")
    for height in (75, 112, 224, 333):
        width = round(601 * height / 450)
        assert union_of_features(str(tmp_path / "a.png"), (height, width)).min() == 255


def test_unused_features_are_also_checked(labels: np.ndarray) -> None:
    with pytest.raises(DataError, match="the image has"):
        feature_masks(labels, {"globules": [0]})
