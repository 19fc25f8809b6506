"""Columns of custom tables: other names, and two columns for one content."""

from pathlib import Path

import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable

from ..helpers.images import write_image


def load(folder: Path, text: str, **options: object) -> LesionTable:
    for seed, name in enumerate("ab"):
        write_image(folder / f"{name}.jpg", seed=seed)
    (folder / "t.csv").write_text(text, encoding="utf-8")
    return load_table(f"table:{folder / 't.csv'}", **options)


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        ("filename,dx,lesion,patient", ("a.jpg,mel,L,P", "b.jpg,mel,L,P")),
        ("File Name,Diagnosis,Lesion ID,Patient-ID", ("a.jpg,mel,L,P", "b.jpg,mel,L,P")),
        ("id,label,lesion_id,patient_id", ("a,mel,L,P", "b,mel,L,P")),
        ("isic_id,diagnosis,lesion_id,patient_id", ("a,mel,L,P", "b,mel,L,P")),
        ("image_path,label,lesion_id,patient_id,id", ("a.jpg,mel,L,P,1", "b.jpg,mel,L,P,2")),
    ],
)
def test_other_names_of_columns_are_read(tmp_path: Path, header: str, rows: tuple[str, str]) -> None:
    table = load(tmp_path, "\n".join([header, *rows]))
    assert table.warnings == ()
    assert table.frame["image_id"].tolist() == ["a", "b"]
    assert table.frame["lesion_id"].tolist() == ["L", "L"]
    assert table.frame["patient_id"].tolist() == ["P", "P"]
    assert table.frame["diagnosis"].tolist() == ["melanoma", "melanoma"]


@pytest.mark.parametrize(
    ("header", "row", "kind"),
    [
        ("image,diagnosis,label", "a,nevus,melanoma", "rows in which diagnosis and label differ: 1"),
        ("image,label,dx", "a,nevus,mel", "rows in which label and dx differ: 1"),
        ("path,image,label", "a.jpg,b,nevus", "rows in which path and image differ: 1"),
    ],
)
def test_contradicting_columns_are_an_error(tmp_path: Path, header: str, row: str, kind: str) -> None:
    with pytest.raises(
        DataError, match=rf"{kind} \(line 2: '.*' and '.*'\). Correct the rows, or remove one"
    ):
        load(tmp_path, f"{header}\n{row}\n")


@pytest.mark.parametrize(
    ("header", "row", "case"),
    [
        ("image,diagnosis,label", "a,nevus,NV", "'label', because 'diagnosis' is used"),
        ("image,diagnosis,label", "a,nevus,", "'label', because 'diagnosis' is used"),
        ("path,image,label", "a.jpg,x\\a.png,nv", "'image', because 'path' is used"),
        (
            "image,label,filename",
            "a,nv,IMG 1.jpg",
            "'filename', because 'image' is used and differs in 1 row",
        ),
        ("image,label,lesion_id,lesion", "a,nv,L1,mole", "'lesion', because 'lesion_id' is used and differs"),
        ("image,label,patient_id,patient", "a,nv,P1,P1", "'patient', because 'patient_id' is used)"),
        (
            "image_id,isic_id,label",
            "a,ISIC_1,nv",
            "'isic_id', because 'image_id' is used and differs in 1 row",
        ),
    ],
)
def test_second_column_for_one_content_is_reported(tmp_path: Path, header: str, row: str, case: str) -> None:
    (warning,) = load(tmp_path, f"{header}\n{row}\n").warnings
    assert warning.startswith(f"columns that are not used: 1 ({case}")


def test_all_misspelled_columns_are_reported(tmp_path: Path) -> None:
    (warning,) = load(tmp_path, "image,label,lesionid,patientid,color\na,nv,L,P,red\n").warnings
    assert warning == (
        "columns that are not used: 2 ('lesionid', did you mean 'lesion_id'? (without it, every image is its own "
        "lesion), 'patientid', did you mean 'patient_id'?)."
    )


def test_parquet_index_names_columns(tmp_path: Path) -> None:
    rows = {"image": ["a", "b"], "label": ["mel", "mel"], "lesion_id": ["L", "L"]}
    load(tmp_path, "image,label\na,mel\n")
    for index in ("lesion_id", "image", ["image", "label"]):
        pd.DataFrame(rows).set_index(index).to_parquet(tmp_path / "t.parquet")
        assert load_table(f"table:{tmp_path / 't.parquet'}").frame["lesion_id"].tolist() == ["L", "L"]


@pytest.mark.parametrize("word", ["#N/A", "<NA>", "NA", "N/A", "unknown", "-", "NaN", "NULL"])
def test_unknown_patients_are_not_one_patient(tmp_path: Path, word: str) -> None:
    table = load(tmp_path, f"image,label,lesion_id,patient_id\na,mel,{word},{word}\nb,nv,{word},{word}\n")
    assert table.frame["patient_id"].tolist() == ["", ""]
    assert table.frame["lesion_id"].tolist() == ["a", "b"]


def test_classes_and_images_may_be_called_na(tmp_path: Path) -> None:
    write_image(tmp_path / "NA.jpg")
    write_image(tmp_path / "none.jpg", seed=7)
    table = load(tmp_path, "image,label\na,NA\nb,unknown\nNA,NA\nnone,unknown\n", classes=["NA", "unknown"])
    assert table.class_counts() == {"NA": 2, "unknown": 2}
    assert table.frame["image_id"].tolist() == ["a", "b", "NA", "none"]
    with pytest.raises(DataError, match=r"rows without a label: 1 \(line 3\)"):
        load(tmp_path, "image,label\na,NA\nb,unknown\n", classes=["NA", "EU"])


@pytest.mark.parametrize("column", ["lesion_id", "patient_id"])
def test_groups_with_many_images_are_questioned(tmp_path: Path, column: str) -> None:
    for number in range(20):
        write_image(tmp_path / f"{number}.jpg", seed=number)
    rows = [f"{number},nv,{'keine' if number < 12 else number}" for number in range(20)]
    table = load(tmp_path, "\n".join([f"image,label,{column}", *rows]))
    assert f"values of {column} with many images: 1 ('keine': 12 of 20 images)" in table.warnings[0]


@pytest.mark.parametrize("name", ["a\rb", "a\nb", "a\x1b[1m", "a\x00"])
def test_ids_that_a_table_cannot_hold_are_an_error(tmp_path: Path, name: str) -> None:
    load(tmp_path, "image,label\na,mel\n")
    frame = pd.DataFrame({"path": ["a.jpg"], "image_id": [name], "label": ["mel"]})
    frame.to_parquet(tmp_path / "t.parquet")
    with pytest.raises(
        DataError, match="values of image_id with control characters or blanks at the ends: 1"
    ):
        load_table(f"table:{tmp_path / 't.parquet'}")
