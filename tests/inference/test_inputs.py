"""Inputs of inference: folders, files and tables, with their masks."""

import errno
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import DataError
from lesionlens.core.missing import is_missing
from lesionlens.datasets.file_layout import find_masks
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.inputs import collect_inputs, map_labels_to_model_classes
from lesionlens.models.model_card import ModelCard
from lesionlens.models.spec import ModelSpec

from ..helpers.images import write_image, write_lines, write_mask
from ..helpers.tiny_datasets import write_isic2018_task1


def test_dataset_without_diagnoses(tmp_path: Path) -> None:
    inputs = collect_inputs([f"isic2018-task1:{write_isic2018_task1(tmp_path)}"])
    assert len(inputs.image) == sum(mask is not None for mask in inputs.mask) == 7
    assert set(inputs.label) == {""}


def test_a_table_of_one_class(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    table = write_lines(tmp_path / "t.csv", "image,label", ["a.png,nevus"])
    assert collect_inputs([table]).label == ("nevus",)


@pytest.mark.parametrize(
    ("task", "classes", "labels", "expected"),
    [
        ("mole", ("other", "mole"), ["wart", "Mole", "cyst", "", "NA"], ["other", "mole", "other", "", ""]),
        ("mole", ("other", "mole"), ["WART", "nevus", "BCC", "mloe"], ["other", "other", "other", ""]),
        ("all", ("wart", "cyst", "mole"), ["wart", "x", "melanoma", "?"], ["wart", "", "", ""]),
        ("wart/mole", ("mole", "wart"), ["wart", "cyst", "mole"], ["wart", "", "mole"]),
        ("wart+mole", ("wart", "mole"), ["wart", "cyst", "x"], ["wart", "other", ""]),
        ("all", ("no", "yes", "NA"), ["no", "NA", "Yes", "null"], ["no", "NA", "yes", ""]),
        ("all", ("0", "1"), ["0", "1.0", "2", ""], ["0", "1", "", ""]),
    ],
)
def test_labels_of_tables_are_matched_as_in_training(
    tmp_path: Path, task: str, classes: tuple[str, ...], labels: list[str], expected: list[str]
) -> None:
    for number in range(len(labels)):
        write_image(tmp_path / f"{number}.png", seed=number)
    table = write_lines(
        tmp_path / "t.csv", "image,label", [f"{n}.png,{label}" for n, label in enumerate(labels)]
    )
    card = ModelCard(
        architecture=ModelSpec(backbone="test_resnet"),
        classes=classes,
        multilabel="+" in task,
        preprocessing=Preprocessing(input_size=(64, 64)),
        training_data={"task": task, "diagnoses": ["wart", "cyst", "mole"]},
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert list(map_labels_to_model_classes(collect_inputs([table]), card).label) == expected
    unknown = [
        label for label, name in zip(labels, expected, strict=True) if not name and not is_missing(label)
    ]
    messages = [str(warning.message) for warning in caught if "no class are ignored" in str(warning.message)]
    assert len(messages) == bool(unknown)
    assert all(repr(label) in messages[0] for label in unknown)


def test_rows_of_labeled_tables_without_image_are_excluded(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    table = write_lines(tmp_path / "t.csv", "image,label", ["a.png,wart", "b.png,cyst"])
    with pytest.warns(UserWarning, match=r"rows without an image: 1 \(line 3: 'b'\).*excluded"):
        assert collect_inputs([table]).image_id == ("a",)


def test_conflicting_rows_are_an_error(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png")
    table = write_lines(tmp_path / "t.csv", "image,label", ["a.png,wart", "a.png,cyst"])
    with pytest.raises(DataError, match=r"ids with conflicting rows: 1 \(a\)"):
        collect_inputs([table])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ("a.jpg", r"images is one path, 'a\.jpg'; pass a list: \['a\.jpg'\]"),
        (Path("a.jpg"), "images is one path, 'a.jpg'"),
        (np.zeros((4, 4, 3), np.uint8), r"type ndarray and shape \(4, 4, 3\); pass a list: \[image\]"),
        (Image.new("RGB", (4, 4)), "type Image; pass a list"),
        ({"a.jpg": 1}, "type dict, not a list of images"),
        (b"a.jpg", "type bytes"),
        (7, "type int"),
        (None, "type NoneType"),
        ([7], "contains an object of type int"),
    ],
)
def test_anything_but_a_list_of_images_is_a_type_error(images: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        collect_inputs(images)


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
    with pytest.warns(UserWarning, match=r"Skipped in .*: masks or superpixels \(1\)"):
        assert collect_inputs([tmp_path]).image == tuple(images)
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
    assert collect_inputs([tmp_path]).image == tuple(expected)


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


def test_other_formats_and_outputs_are_counted(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.JFIF", "sub/c.webp", "d.gif", "sub/e.heic", "sub/f.heic", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    write_image(tmp_path / "maps" / "a.panel.png")
    message = r"\.heic \(2\), \.gif \(1\), images that LesionLens wrote \(1\)"
    with pytest.warns(UserWarning, match=message):
        assert collect_inputs([tmp_path]).image_id == ("a", "b", "c")
    for name in ("a.jpg", "b.JFIF"):
        (tmp_path / name).unlink()
    (tmp_path / "sub" / "c.webp").unlink()
    with pytest.raises(DataError, match=rf"no image .* it has {message}"):
        collect_inputs([tmp_path])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.gif", b"GIF89a", "GIF is not read; convert it to PNG or JPEG"),
        ("x.heic", b"\0\0\0\x18ftypheic", "HEIC is not read"),
        ("x.dcm", bytes(128) + b"DICM", "DICOM is not read; export its image"),
        ("x.avif", b"\0\0\0\x18ftypavif", "AVIF is not read"),
        ("x.jxl", b"\xff\x0a", "JPEG XL is not read"),
        ("x.jpg", b"\0\0\0\x18ftypheic", None),
    ],
)
def test_image_of_other_format_is_named(
    tmp_path: Path, name: str, content: bytes, message: str | None
) -> None:
    (tmp_path / name).write_bytes(content)
    if message is None:  # by its extension, an image; it is listed as unreadable later
        assert collect_inputs([tmp_path / name]).image_id == ("x",)
        return
    with pytest.raises(DataError, match=message):
        collect_inputs([tmp_path / name])


@pytest.mark.parametrize(
    "mask", ["a_mask.png", "a-lesion.png", "a_Segmentation.png", "masks/a.png", "seg/../masks/b.png"]
)
def test_masks_next_to_images_are_not_scored(tmp_path: Path, mask: str) -> None:
    write_image(tmp_path / "a.jpg")
    write_image(tmp_path / "b_mask.jpg", seed=1)  # an image of that name, without an image b
    write_mask(tmp_path / mask)
    with pytest.warns(UserWarning, match=r"Skipped in .*masks.* \(1\)"):
        assert collect_inputs([tmp_path]).image_id == ("a", "b_mask")


def test_image_without_extension_is_scored(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png").rename(tmp_path / "photograph")
    assert collect_inputs([tmp_path / "photograph"]).image_id == ("photograph",)


def test_ids_from_paths_distinguish_equal_names(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "b/1.jpg", "b/2.jpg", "b/2.png"):
        write_image(tmp_path / name)
    with pytest.raises(DataError, match=r"2 image ids occur more than once.*--ids path"):
        collect_inputs([tmp_path])
    expected = ("a/1", "b/1", "b/2.jpg", "b/2.png")
    assert collect_inputs([tmp_path], ids="path").image_id == expected
    assert collect_inputs([tmp_path / "a", tmp_path / "b"], ids="path").image_id == expected
    assert collect_inputs([tmp_path / "b"], ids="path").lesion_id == ("1", "2.jpg", "2.png")
    assert collect_inputs([tmp_path / "a" / "1.jpg"], ids="path").image_id == ("1",)


def test_linked_folders_are_entered_once(tmp_path: Path) -> None:
    write_image(tmp_path / "new" / "a.jpg")
    write_image(tmp_path / "elsewhere" / "b.jpg")
    (tmp_path / "new" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "new" / "again").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "new" / "self").symlink_to(".")
    (tmp_path / "new" / "up").symlink_to("..")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "new")
    assert sorted(collect_inputs([tmp_path / "new"]).image_id) == ["a", "b"]


@pytest.mark.parametrize("name", ["a\nb", "a\r", "tab\there", " blank", "\x1b[31mred", "line\u2028"])
def test_file_name_that_a_table_cannot_hold_is_rejected(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot be written into a table\. Rename the file"):
        collect_inputs([tmp_path])


def test_file_name_outside_unicode_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "m\udce9lanome.jpg").write_bytes(b"")  # Latin-1 in the file system
    with pytest.raises(DataError, match=r"'m\\udce9lanome' is not valid UTF-8 .* Rename the file"):
        collect_inputs([tmp_path])
