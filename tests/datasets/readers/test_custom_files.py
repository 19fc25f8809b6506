"""Files of a custom table: equal names, outputs and copies below it, links, near misses, and paths of Windows."""

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from lesionlens.core import errors
from lesionlens.core.errors import DataError
from lesionlens.datasets.issues import MAX_EXAMPLES
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable

from ...helpers.images import write_image, write_mask


def load(folder: Path, text: str, **options: object) -> LesionTable:
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return load_table(f"table:{folder / 't.csv'}", **options)


def images(folder: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        write_image(folder / name, seed=seed)


@pytest.mark.parametrize("labels", [("mel", "mel"), ("mel", "nv")])
def test_equal_stems_keep_their_extensions(tmp_path: Path, labels: tuple[str, str]) -> None:
    images(tmp_path, "a.jpg", "a.png", "b.jpg", "c.JPG")
    table = load(tmp_path, f"image,label\na.jpg,{labels[0]}\na.png,{labels[1]}\nb.jpg,nv\nc,nv\n")
    assert table.frame["image_id"].tolist() == ["a.jpg", "a.png", "b", "c"]
    assert [path.name for path in table.paths] == ["a.jpg", "a.png", "b.jpg", "c.JPG"]
    assert len(table.class_counts()) == 2


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ("x/a.jpg,mel\nx/a.png,nv\ny/a.jpg,nv", ["x/a.jpg", "x/a.png", "y/a"]),
        ("./x/a.jpg,mel\nx//a.png,nv", ["a.jpg", "a.png"]),
        ("x\\a.jpg,mel\ny\\a.jpg,nv", ["x/a", "y/a"]),
    ],
)
def test_equal_stems_in_folders_are_distinguished(tmp_path: Path, rows: str, ids: list[str]) -> None:
    images(tmp_path, "x/a.jpg", "x/a.png", "y/a.jpg")
    assert load(tmp_path, f"image,label\n{rows}\n").frame["image_id"].tolist() == ids


def test_equal_stems_in_the_id_column_keep_their_extensions(tmp_path: Path) -> None:
    images(tmp_path, "a.jpg", "a.png", "b.jpg")
    table = load(tmp_path, "image_id,label\na.jpg,mel\na.png,nv\nb.jpg,nv\n")
    assert table.frame["image_id"].tolist() == ["a.jpg", "a.png", "b"]
    assert [path.name for path in table.paths] == ["a.jpg", "a.png", "b.jpg"]


def test_id_of_two_files_is_an_error_that_names_both(tmp_path: Path) -> None:
    images(tmp_path, "x/a.jpg", "x/a.png")
    with pytest.raises(DataError, match=r"different images with the same id: 1 \(.*a\.jpg and .*a\.png\)"):
        load(tmp_path, "image,label\na,mel\n")
    assert load(tmp_path, "image,label\na.png,mel\n").paths == (tmp_path / "x" / "a.png",)


@pytest.mark.parametrize("marker", ["run", "group", "copy"])
def test_outputs_below_the_table_are_not_searched(tmp_path: Path, marker: str) -> None:
    images(tmp_path, "pixels/a.jpg", "pixels/b.jpg", "out/maps/b.png", "out/a.png")
    files = {
        "run": ["metadata.json", "recipe.yaml"],
        "group": ["multi_run.json"],
        "copy": ["artifact_injection.json"],
    }
    for name in files[marker]:
        (tmp_path / "out" / name).touch()
    table = load(tmp_path, "image,label\na,mel\nb,nv\n")
    assert table.warnings == ()
    assert [path.parent.name for path in table.paths] == ["pixels", "pixels"]


def test_files_that_no_row_names_do_not_matter(tmp_path: Path) -> None:
    images(tmp_path, "a.jpg", "b.jpg", "old/x.jpg", "older/x.jpg", "old/y.jpg")
    assert load(tmp_path, "image,label\na,mel\nb,nv\n").warnings == ()


def test_image_next_to_the_table_is_preferred(tmp_path: Path) -> None:
    images(tmp_path, "a.jpg", "thumbnails/a.jpg")
    table = load(tmp_path, "image,label\na,mel\n")
    assert table.paths == (tmp_path / "a.jpg",)
    assert table.warnings[0].startswith("other images with the same id in subfolders: 1 (")


def test_linked_folders_are_searched_once(tmp_path: Path) -> None:
    images(tmp_path, "root/a.jpg", "far/b.jpg")
    for name, target in (
        ("latest", "."),
        ("current", "."),
        ("up", ".."),
        ("far", "../far"),
        ("twin", "../far"),
    ):
        (tmp_path / "root" / name).symlink_to(target)
    table = load(tmp_path / "root", "image,label\na,mel\nb,nv\n")
    assert table.warnings == ()
    assert table.paths[1] == tmp_path / "root" / "far" / "b.jpg"


@pytest.mark.parametrize(
    ("file", "cell", "reason"),
    [
        ("0001.jpg", "1", "A row is named 1, an image 0001.jpg. Leading zeros may have been lost"),
        ("ISIC_0024306.jpg", "ISIC_24306", "Leading zeros may have been lost in a spreadsheet"),
        ("IMG_7.jpg", "img_7", "differ in upper and lower case"),
        ("12.jpg", "12.0", "written the numbers as decimals"),
        ("a-1.jpg", "a 1", "differ in punctuation or spaces"),
        (unicodedata.normalize("NFD", "é.jpg"), "é", "differ in the encoding of accents"),
        ("here/c.jpg", "there/c.jpg", "A row is named c, an image c.jpg. The folders differ"),
        ("here/c.jpg", "C:\\photos\\c.jpg", "The folders differ"),
    ],
)
def test_near_misses_of_names_are_explained(tmp_path: Path, file: str, cell: str, reason: str) -> None:
    images(tmp_path, file)
    with pytest.raises(DataError, match=r"no row has an image: 1 \(1 row, 1 image\)") as caught:
        load(tmp_path, f"image,label\n{cell},mel\n")
    assert reason in str(caught.value)
    assert "Correct the names in the table." in str(caught.value)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("1.23457E+11", "scientific notation"),
        ("2E+05", "scientific notation"),
        ("01-Feb", "a date"),
        ("2-Mar-24", "a date"),
    ],
)
def test_names_that_a_spreadsheet_converted_are_explained(tmp_path: Path, cell: str, reason: str) -> None:
    images(tmp_path, "123456789012.jpg")
    with pytest.raises(
        DataError, match=rf"A row is named .*: a spreadsheet has converted a name to {reason}"
    ):
        load(tmp_path, f"image,label\n{cell},mel\n")


def test_near_misses_of_some_names_are_explained(tmp_path: Path) -> None:
    images(tmp_path, "0001.jpg", "0002.jpg", "x.jpg")
    (warning,) = load(tmp_path, "image,label\n1,nv\n2,nv\nx,nv\n").warnings
    assert warning == (
        "rows without an image: 2 (1, 2). A row is named 1, an image 0001.jpg. Leading zeros may have been lost in a "
        "spreadsheet. They are excluded."
    )


def test_images_of_other_formats_are_counted(tmp_path: Path) -> None:
    for name in ("a.heic", "b.dcm"):
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=r"Files that are not read: \.heic \(1\), \.dcm \(1\); convert them"):
        load(tmp_path, "image,label\na,mel\nb,nv\n")
    images(tmp_path, "c.jpg")
    assert ".heic (1)" in load(tmp_path, "image,label\na,mel\nc,nv\n").warnings[0]


@pytest.mark.parametrize("cell", ["m\\i.png", "m/i.png", ".\\m\\i.png", "m//i.png"])
def test_mask_paths_of_windows_are_read(tmp_path: Path, cell: str) -> None:
    images(tmp_path, "i.jpg")
    write_mask(tmp_path / "m" / "i.png")
    table = load(tmp_path, f"image,label,mask_path,feature_mask_paths\ni.jpg,mel,{cell},{cell};{cell}\n")
    assert table.frame["mask_path"].tolist() == [str(tmp_path / "m" / "i.png")]
    assert table.frame["feature_mask_paths"].tolist() == [";".join([str(tmp_path / "m" / "i.png")] * 2)]


@pytest.mark.parametrize("word", ["NA", "#N/A", "", "none", "-"])
def test_unknown_mask_paths_are_not_missing_files(tmp_path: Path, word: str) -> None:
    images(tmp_path, "i.jpg")
    table = load(tmp_path, f"image,label,mask_path\ni.jpg,mel,{word}\n")
    assert (table.warnings, table.frame["mask_path"].tolist()) == ((), [""])


def test_names_that_no_file_can_have_are_not_found(tmp_path: Path) -> None:
    images(tmp_path, "a.jpg")
    warning = load(tmp_path, f"image,label\na,mel\n{'x' * 5000},nv\n").warnings[0]
    assert warning.startswith("rows without an image: 1 (xxx")
    assert len(warning) < 1000


def test_file_of_two_rows_is_reported(tmp_path: Path) -> None:
    images(tmp_path, "a.jpg", "b.jpg")
    (warning,) = load(tmp_path, "image_id,image,label\n1,a.jpg,nv\n2,./a.jpg,nv\n3,b.jpg,nv\n").warnings
    assert warning.startswith(f"files of two rows: 1 ({tmp_path / 'a.jpg'}). ")


def test_mask_of_two_rows_is_reported(tmp_path: Path) -> None:
    images(tmp_path, "a.jpg", "b.jpg")
    write_mask(tmp_path / "m.png")
    (warning,) = load(tmp_path, "image,label,mask_path\na,nv,m.png\nb,nv,m.png\n").warnings
    assert warning.startswith(f"masks of two rows: 1 ({tmp_path / 'm.png'}). ")


def test_skipped_outputs_are_mentioned_if_no_image_is_found(tmp_path: Path) -> None:
    images(tmp_path, "out/a.jpg")
    (tmp_path / "out" / "multi_run.json").touch()
    with pytest.raises(DataError, match=r"Not searched: folders that LesionLens wrote \(1\)"):
        load(tmp_path, "image,label\na,mel\n")


@pytest.mark.parametrize("name", ["t.xlsx", "t.ods", "t.numbers"])
def test_spreadsheet_is_named_with_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04[Content_Types].xml")
    with pytest.raises(DataError, match="it is an Excel workbook; save it as CSV"):
        load_table(str(tmp_path / name))


def test_parquet_with_images_inside_is_explained_in_one_line(tmp_path: Path) -> None:
    cells = [{"bytes": b"\xff\xd8\xff" + bytes(9000), "path": None}]
    pd.DataFrame({"image": cells, "label": ["0"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError) as caught:
        load_table(f"table:{tmp_path / 't.parquet'}", classes=["0", "1"])
    assert str(caught.value).endswith(
        "needs a column image or image_id or path; it has label. Its column image holds structures of bytes and path, "
        "not text: write them to files or columns first"
    )


@pytest.mark.parametrize("cell", ["ffd8ffe0" * 2000, "data:image/jpeg;base64," + "A" * 9000])
def test_content_of_an_image_in_a_cell_is_shortened(tmp_path: Path, cell: str) -> None:
    images(tmp_path, "a.jpg")
    with pytest.raises(
        DataError, match=r"no row has an image.*A row is named .*…, an image a\.jpg"
    ) as caught:
        load(tmp_path, f'image,label\n"{cell}",nevus\n')
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("column", ["lesion_id", "Patient", "mask_path", "split"])
@pytest.mark.parametrize(
    ("cell", "kind"), [(["L1"], "lists"), ({"id": 1}, "structures of id"), (b"\xff", "bytes")]
)
def test_columns_without_text_are_reported(tmp_path: Path, column: str, cell: object, kind: str) -> None:
    images(tmp_path, "a.jpg", "b.jpg")
    frame = pd.DataFrame(
        {"image": ["a.jpg", "b.jpg"], "label": "nevus", column: [cell] * 2, "notes": [[1]] * 2}
    )
    frame.to_parquet(tmp_path / "t.parquet")
    warning = f"columns that are not used: 1 ('{column}', because it holds {kind}, not text)."
    assert warning in load_table(f"table:{tmp_path / 't.parquet'}").warnings


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("phase", ("train", "eval", "test")),
        ("usage", ("Training", "PublicTest", "PrivateTest")),
        ("kfold", ("1", "2", "3")),
        ("Fold ID", ("1", "2", "3")),
        ("is_test", ("0", "0", "1")),
    ],
)
def test_columns_that_may_be_splits_are_reported(tmp_path: Path, column: str, cells: tuple[str, ...]) -> None:
    """Images of such a test split would be trained on silently."""
    names = ("a.jpg", "b.jpg", "c.jpg")
    images(tmp_path, *names)
    rows = "".join(f"{name},nevus,{cell}\n" for name, cell in zip(names, cells, strict=True))
    warnings = load(tmp_path, f"image,label,{column}\n{rows}").warnings
    assert any(line.startswith("columns that look like splits are not used: 1") for line in warnings)
    assert not load(tmp_path, "image,label,device\na.jpg,nevus,training lens\n").warnings


def test_many_unknown_labels_search_few_similar_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched = []

    def record(name: str, *_: object, **__: object) -> list[str]:
        searched.append(name)
        return []

    monkeypatch.setattr(errors, "get_close_matches", record)
    images(tmp_path, "a.jpg")
    rows = "".join(f"{number},label {number}\n" for number in range(8_000))
    with pytest.raises(DataError, match="unknown labels: 8,000") as caught:
        load(tmp_path, f"image,label\n{rows}")
    assert len(searched) == MAX_EXAMPLES
    assert len(str(caught.value)) < 3000
