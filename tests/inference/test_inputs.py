"""Inputs of inference: folders, files and tables, with their masks."""

import errno
import os
from pathlib import Path

import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.file_layout import find_masks
from lesionlens.inference.inputs import collect_inputs

from ..helpers.images import write_image, write_lines, write_mask
from ..helpers.tiny_datasets import write_isic2018_task1


def test_dataset_without_diagnoses(tmp_path: Path) -> None:
    inputs = collect_inputs([f"isic2018-task1:{write_isic2018_task1(tmp_path)}"])
    assert len(inputs.path) == sum(mask is not None for mask in inputs.mask) == 7
    assert set(inputs.label) == {""}


def test_a_table_of_one_class(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    table = write_lines(tmp_path / "t.csv", "image,label", ["a.png,nevus"])
    assert collect_inputs([table]).label == ("nevus",)


def test_a_table_without_labels_has_its_masks(tmp_path: Path) -> None:
    for name in "ab":
        write_image(tmp_path / f"{name}.png")
    mask = write_mask(tmp_path / "masks" / "a_segmentation.png")
    rows = ["a.png,masks/a_segmentation.png", "b.png,masks/b_segmentation.png"]
    table = write_lines(tmp_path / "t.csv", "image,mask_path", rows)
    with pytest.warns(UserWarning, match="missing masks: 1"):
        assert collect_inputs([table]).mask == (mask, None)


def test_images_and_masks_in_one_folder_are_distinguished(tmp_path: Path) -> None:
    """As in the folders of ISBI 2016 part 3B."""
    images = [write_image(tmp_path / f"ISIC_{number:07d}.jpg", seed=number) for number in range(2)]
    mask = write_mask(tmp_path / "ISIC_0000000_Segmentation.png")
    (tmp_path / "._ISIC_0000000.jpg").write_bytes(b"no image")
    assert collect_inputs([tmp_path]).path == tuple(images)
    assert find_masks(tmp_path) == {"ISIC_0000000": mask}


def test_folder_is_listed_in_sorted_order(tmp_path: Path) -> None:
    names = [
        "a/x.jpg",
        "a-b/c.PNG",
        "a.b/d.jpg",
        "b.jpg",
        "a/c/e.tiff",
        "a.jpeg",
        "a/.hidden.jpg",
        "a/notes.txt",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    expected = sorted(tmp_path / name for name in names[:6])
    assert collect_inputs([tmp_path]).path == tuple(expected)


def test_unreadable_folder_raises(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_image(tmp_path / "a.jpg")
    (tmp_path / "locked").mkdir()
    scandir = os.scandir

    def raise_if_locked(folder: str) -> object:
        if folder.endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", folder)
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", raise_if_locked)
    with pytest.raises(DataError, match=r"Cannot list the folder .*locked: Permission denied"):
        collect_inputs([tmp_path])


def test_file_name_outside_unicode_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "m\udce9lanome.jpg").write_bytes(b"")  # Latin-1 in the file system
    with pytest.raises(DataError, match=r"'m\\udce9lanome' is not valid UTF-8 .* Rename the file"):
        collect_inputs([tmp_path])
