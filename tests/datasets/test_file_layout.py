"""Mask files by the names that datasets and annotation tools give them."""

from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.file_layout import find_masks_in

from ..helpers.images import write_image, write_mask

FOUND = [
    "a.png",
    "a_segmentation.png",
    "a_lesion.png",
    "a_Lesion.PNG",
    "a-mask.png",
    "a_gt.png",
    "a_GT.bmp",
    "a_seg.tif",
    "a_groundtruth.png",
    "a_segmentation.jpg",
]


@pytest.mark.parametrize("name", FOUND)
def test_masks_with_usual_names_are_found(tmp_path: Path, name: str) -> None:
    write_mask(tmp_path / name)
    write_mask(tmp_path / "b.png")
    assert find_masks_in(tmp_path, ["a", "b", "c"]) == (tmp_path / name, tmp_path / "b.png", None)


@pytest.mark.parametrize("name", ["a.jpg", "mask_a.png", "a_expert.png", "A_mask.png", "ab_mask.png"])
def test_other_names_are_shown_with_the_usual_ones(tmp_path: Path, name: str) -> None:
    write_mask(tmp_path / name)
    message = rf"searched for a.png and a_SUFFIX.png, with the suffixes segmentation, mask.*for example {name}\. Rename"
    with pytest.raises(DataError, match=message):
        find_masks_in(tmp_path, ["a"])


def test_a_mask_of_a_better_suffix_precedes(tmp_path: Path) -> None:
    for name in ("a_gt.png", "a_lesion.png", "a_mask.png"):
        write_mask(tmp_path / name)
    write_image(tmp_path / "a.jpg")
    assert find_masks_in(tmp_path, ["a"]) == (tmp_path / "a_mask.png",)
