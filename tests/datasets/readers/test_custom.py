"""Custom tables: accepted spellings, and error messages."""

from pathlib import Path

import pandas as pd
import pytest

from lesionlens.core.errors import DataError
from lesionlens.datasets.registry import load_table


@pytest.fixture
def folder(tmp_path: Path, write_image) -> Path:
    for number, name in enumerate(["00123", "b.2", "deep/c", "deep/er/d"]):
        write_image(tmp_path / f"{name}.jpg", seed=number)
    return tmp_path


def _table(folder: Path, text: str, encoding: str = "utf-8") -> str:
    (folder / "mine.csv").write_bytes(text.encode(encoding))
    return f"table:{folder / 'mine.csv'}"


def test_ids_are_text_and_files_are_found_in_subfolders(folder: Path) -> None:
    table = load_table(
        _table(folder, "image,label\n00123,mel\nb.2,NV\nc,bcc\nd.jpg,scc\n"), verify_images=True
    )
    frame = table.frame
    assert frame["image_id"].tolist() == ["00123", "b.2", "c", "d"]
    assert frame["diagnosis"].tolist()[2:] == ["basal_cell_carcinoma", "squamous_cell_carcinoma"]
    assert table.paths[3] == folder / "deep" / "er" / "d.jpg"
    assert table.classes == ("melanoma", "nevus", "basal_cell_carcinoma", "squamous_cell_carcinoma")
    assert table.name == "table"


def test_paths_are_relative_to_the_table_and_ids_may_differ(folder: Path) -> None:
    text = "image_id,path,diagnosis\none,deep/c.jpg,nevus\ntwo,deep\\er\\d.jpg,melanoma\n"
    table = load_table(_table(folder, text))
    assert table.frame["image_id"].tolist() == ["one", "two"]
    assert table.paths == (folder / "deep/c.jpg", folder / "deep/er/d.jpg")


def test_ids_of_repeated_names_include_the_folder(folder: Path, write_image) -> None:
    write_image(folder / "other" / "c.jpg", seed=9)
    table = load_table(_table(folder, "path,label\ndeep/c.jpg,mel\nother/c.jpg,nv\n"))
    assert table.frame["image_id"].tolist() == ["deep/c", "other/c"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("image;label\n00123;mel\nb.2;nv\n", "utf-8"),
        ("image\tlabel\n00123\tmel\nb.2\tnv\n", "utf-8"),
        ("image,label\r\n00123,mel\r\n\r\nb.2,nv\r\n", "utf-8-sig"),
        (' Image , LABEL \n 00123 , "Melanoma"\nb.2,Melanocytic naevus\n', "utf-8"),
    ],
)
def test_separators_byte_order_mark_blank_lines_and_letter_case(
    folder: Path, text: str, encoding: str
) -> None:
    assert load_table(_table(folder, text, encoding)).class_counts() == {"melanoma": 1, "nevus": 1}


@pytest.mark.parametrize(
    ("text", "encoding", "message"),
    [
        ("image,label\n00123,nævus\n", "latin-1", "is not UTF-8; save it as"),
        ("image,label\n00123,mel\n", "utf-16", "is not UTF-8"),
        ("", "utf-8", "it is empty"),
        ("image,label\n", "utf-8", "has no rows below its header"),
        ("image,label\n00123,mel,extra\n", "utf-8", "line 2 has 3 cells, the header has 2"),
        ("image,label,label\n00123,mel,nv\n", "utf-8", "two columns named 'label'"),
        ("image,label,Label\n00123,mel,nv\n", "utf-8", "two columns named 'label'"),
        ("photo,label\n00123,mel\n", "utf-8", "needs a column image or image_id or path; it has photo"),
        (
            "image,class\n00123,mel\n",
            "utf-8",
            "needs a column diagnosis or label; it has image, class. Rename the column with the labels to label",
        ),
        ("photo,class\n00123,mel\n", "utf-8", "(?s)needs a column image .*needs a column diagnosis or label"),
        ('image,label\n"00123,mel\n', "utf-8", "cannot be read as a table"),
    ],
)
def test_files_that_are_not_tables_are_rejected_with_a_reason(
    folder: Path, text: str, encoding: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        load_table(_table(folder, text, encoding))


def test_unknown_labels_name_the_nearest_and_missing_ones_lines(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_table(_table(folder, "image,label\n00123,melanome\nb.2,wart\nc,\nd,n/a\n"))
    message = str(caught.value)
    assert "1 row with unknown label 'melanome': did you mean 'melanoma'?" in message
    assert "1 row with unknown label 'wart'" in message
    for option in ("data.classes=[a,b] in a recipe", "--class a --class b", 'classes=["a", "b"] in Python'):
        assert option in message
    assert "rows without a label: 2 (line 4, line 5)" in message
    assert "Allowed: melanoma, nevus" in message


def test_only_unknown_labels_are_one_error(folder: Path) -> None:
    spec = _table(folder, "image,label,lesion_id\n00123,wart,L\nb.2,corn,L\nc,wart,M\n")
    with pytest.raises(DataError) as caught:
        load_table(spec)
    assert str(caught.value).startswith(f"{spec} cannot be used: unknown labels: 2 (2 rows with")
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(DataError, match="or add them to the classes"):
        load_table(spec, classes=["corn"])


def test_rows_with_unknown_labels_are_checked_for_images(folder: Path) -> None:
    with pytest.raises(DataError) as caught:
        load_table(_table(folder, "path,label\nx/1.jpg,wart\nx/2.jpg,mel\n"))
    assert "unknown labels: 1" in str(caught.value)
    assert "no row has an image: 1 (2 rows, 4 images)" in str(caught.value)


def test_different_unknown_labels_of_one_id_conflict(folder: Path) -> None:
    with pytest.raises(DataError, match=r"ids with conflicting rows: 1 \(c\)"):
        load_table(_table(folder, "image,label\nc,wart\nc,corn\n"))


def test_folder_in_place_of_a_table_names_the_table_in_it(folder: Path) -> None:
    with pytest.raises(DataError, match=r"or name a table of images: table:.*FILE\.csv"):
        load_table(str(folder))
    _table(folder, "image,label\nc,mel\n")
    for spec in (str(folder), f"table:{folder}"):
        with pytest.raises(DataError, match=r"name (?:the table|a table of images): table:.*mine\.csv$"):
            load_table(spec)
    (folder / "notes.txt").write_text("image,label\nc,mel\n")
    with pytest.raises(DataError, match=r"does not look like a table; use a CSV or Parquet file"):
        load_table(str(folder / "notes.txt"))
    assert len(load_table(f"table:{folder / 'notes.txt'}")) == 1


def test_custom_classes_are_exactly_those_named(folder: Path) -> None:
    spec = _table(folder, "image,label\n00123,wart\nb.2,corn\n")
    table = load_table(spec, classes=["corn", "wart", "cyst"])
    assert table.class_counts() == {"corn": 1, "wart": 1, "cyst": 0}
    assert table.warnings == (
        "classes without an image: 1 (cyst). A model cannot learn them from this table.",
    )
    with pytest.raises(DataError, match="unknown label 'wart'"):
        load_table(spec, classes=["corn", "melanoma"])


@pytest.mark.parametrize(
    "classes", [["corn", "corn"], ["melanoma", "nevus", "MEL"], ["NV", "naevus"], ["1", "2", "1"]]
)
def test_one_class_in_two_spellings_is_a_duplicate(folder: Path, classes: list[str]) -> None:
    with pytest.raises(
        DataError, match=f"contain a duplicate, {classes[0]} and |contain a duplicate, melanoma and MEL"
    ):
        load_table(_table(folder, "image,label\n00123,wart\nb.2,corn\n"), classes=classes)


def test_optional_columns_by_name_and_misspelled_ones(folder: Path, write_image) -> None:
    write_image(folder / "m" / "mask.png")
    text = (
        "image,label,lesionid,patient_id,sex,site,skin_tone,mask_path,part\n"
        "00123,mel,L1,P1,female,back,II,m/mask.png,Training\n"
        "b.2,nv,L1,P2,unknown,,,m/gone.png,val\n"
    )
    table = load_table(_table(folder, text))
    frame = table.frame
    assert frame["sex"].tolist() == ["female", ""]
    assert frame["split"].tolist() == ["train", "validation"]
    assert frame["mask_path"].tolist() == [str(folder / "m" / "mask.png"), ""]
    assert frame["lesion_id"].tolist() == frame["image_id"].tolist()
    (line,) = [line for line in table.warnings if "'lesionid'" in line and "'lesion_id'" in line]
    assert "without it, every image is its own lesion" in line
    assert [line for line in table.warnings if line.startswith("missing masks: 1")]


def test_unknown_splits_and_lesions_of_two_patients_raise(folder: Path) -> None:
    text = "image,label,split,lesion_id,patient_id\n00123,mel,fold1,L,P1\nb.2,mel,train,L,P2\n"
    with pytest.raises(DataError) as caught:
        load_table(_table(folder, text))
    assert "unknown splits: 1 ('fold1' (1 row))" in str(caught.value)
    assert "lesions of two patients: 1 (L: P1 and P2)" in str(caught.value)


@pytest.mark.parametrize("age", ["-1", "inf", "130", "old", "-inf"])
def test_impossible_ages_become_missing_with_a_warning(folder: Path, age: str) -> None:
    table = load_table(_table(folder, f"image,label,age\n00123,mel,{age}\nb.2,nv,NaN\n"))
    assert table.frame["age"].isna().all()
    assert table.warnings == (
        f"invalid ages: 1 (00123 {age!r}). Allowed: 0 to 120 years. They are set to unknown.",
    )


def test_missing_files_warn_and_only_missing_files_raise(folder: Path) -> None:
    table = load_table(_table(folder, "path,label\n00123.jpg,mel\nb.2.jpg,nv\ngone.jpg,mel\n"))
    assert len(table) == 2
    assert table.warnings[0].startswith("rows without an image: 1 (gone)")
    with pytest.raises(DataError, match=r"no row has an image: 1 \(2 rows, 4 images\)"):
        load_table(_table(folder, "path,label\nx/1.jpg,mel\nx/2.jpg,nv\n"))


def test_repeated_id_raises_only_if_the_files_differ(folder: Path, write_image) -> None:
    spec = _table(folder, "image,label\nc,mel\nd,nv\n")
    write_image(folder / "copy" / "c.jpg", seed=2)
    assert load_table(spec).warnings[0].startswith("identical image files: 1")
    write_image(folder / "copy" / "d.jpg", seed=99)
    with pytest.raises(DataError, match="different images with the same id: 1"):
        load_table(spec)


def test_parquet_equals_csv(folder: Path) -> None:
    rows = {"image": ["00123", "b.2"], "label": ["mel", "nv"], "age": [50.0, None], "site": ["back", None]}
    pd.DataFrame(rows).to_parquet(folder / "mine.parquet")
    table = load_table(str(folder / "mine.parquet"))
    written = load_table(_table(folder, "image,label,age,site\n00123,mel,50.0,back\nb.2,nv,,\n"))
    pd.testing.assert_frame_equal(table.frame, written.frame)
    (folder / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match="cannot be read as a table"):
        load_table(f"table:{folder / 'bad.parquet'}")


def test_classes_are_rejected_for_a_dataset_that_defines_them(ham10000: Path) -> None:
    with pytest.raises(DataError, match="HAM10000 has its own classes"):
        load_table(f"ham10000:{ham10000}", classes=["a", "b"])
