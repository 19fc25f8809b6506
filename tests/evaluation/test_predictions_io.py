"""Prediction files: reading, writing, and errors."""

import subprocess
import sys
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.isic_formats import write_isic2017, write_isic2018
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions

SEVEN = (
    "melanoma",
    "nevus",
    "basal_cell_carcinoma",
    "actinic_keratosis",
    "benign_keratosis",
    "dermatofibroma",
    "vascular_lesion",
)
OWN = (
    "image_id,lesion_id,label,p_melanoma,p_nevus\na,L1,melanoma,0.75,0.25\nb,L1,nevus,0.5,0.5\nc,,,0.1,0.9\n"
)


def write_file(folder: Path, text: str, name: str = "predictions.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_read_lesionlens_csv(tmp_path: Path) -> None:
    predictions = read_predictions(write_file(tmp_path, OWN))
    assert predictions.classes == ("melanoma", "nevus")
    assert predictions.image_id.tolist() == ["a", "b", "c"]
    assert predictions.lesion_id.tolist() == ["L1", "L1", "c"]
    assert predictions.label.tolist() == ["melanoma", "nevus", ""]
    assert predictions.targets().tolist() == [0, 1, -1]
    assert predictions.scores.tolist() == [[0.75, 0.25], [0.5, 0.5], [0.1, 0.9]]


def test_lesion_and_label_are_optional(tmp_path: Path) -> None:
    predictions = read_predictions(write_file(tmp_path, "\ufeffp_nevus,image_id,p_x\n 0.5 ,a,0.25\n\n"))
    assert (predictions.lesion_id.tolist(), predictions.label.tolist(), predictions.classes) == (
        ["a"],
        [""],
        ("nevus", "x"),
    )


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8))
def test_scores_round_trip_exactly(
    tmp_path_factory: pytest.TempPathFactory, scores: list[tuple[float, float]]
) -> None:
    names = [f'image "{n}", zoom' for n in range(len(scores))]
    before = Predictions(names, [""] * len(names), ["b"] * len(names), scores, ("a", "b"))
    path = tmp_path_factory.mktemp("round") / "p.csv"
    write_predictions(path, before)
    first = path.read_bytes()
    after = read_predictions(path)
    write_predictions(path, after)
    assert path.read_bytes() == first
    for name in ("image_id", "lesion_id", "label", "scores"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_isic2018_round_trip(tmp_path: Path) -> None:
    order = (*SEVEN[3:], *SEVEN[:3])
    scores = np.random.default_rng(0).random((4, 7))
    before = Predictions([f"ISIC_{n}" for n in range(4)], [""] * 4, [""] * 4, scores, order)
    write_isic2018(tmp_path / "out.csv", before)
    assert (tmp_path / "out.csv").read_text().splitlines()[0] == "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"
    after = read_predictions(tmp_path / "out.csv")
    assert after.classes == SEVEN
    np.testing.assert_array_equal(after.scores, scores[:, [order.index(name) for name in SEVEN]])


def test_isic2017_round_trip_derives_nevus(tmp_path: Path) -> None:
    text = "image_id,melanoma,seborrheic_keratosis\nISIC_1.jpg,0.8,0.7\nISIC_2,0.2,0.3\nISIC_3,0.1,0.6\n"
    predictions = read_predictions(write_file(tmp_path, text))
    assert predictions.classes == ("melanoma", "nevus", "seborrheic_keratosis")
    assert predictions.other_class == "nevus"
    assert predictions.image_id.tolist() == ["ISIC_1", "ISIC_2", "ISIC_3"]
    np.testing.assert_allclose(predictions.scores, [[0.8, 0.2, 0.7], [0.2, 0.7, 0.3], [0.1, 0.4, 0.6]])
    write_isic2017(tmp_path / "out.csv", predictions)
    assert (tmp_path / "out.csv").read_text() == text.replace(".jpg", "")


def test_isic_formats_reject_other_classes(tmp_path: Path) -> None:
    two = Predictions(["a"], ["a"], [""], [[0.5, 0.5]], ("melanoma", "other"))
    with pytest.raises(
        PredictionsError,
        match=r"ISIC 2018 format has the classes melanoma, nevus.*melanoma, other.*--format lesionlens",
    ):
        write_isic2018(tmp_path / "out.csv", two)
    with pytest.raises(
        PredictionsError, match="ISIC 2017 format needs scores of melanoma and seborrheic_keratosis"
    ):
        write_isic2017(tmp_path / "out.csv", two)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is empty"),
        ("image_id,p_a,p_b\n", "has no rows below its header"),
        ("image_id,p_a,p_a\nx,1,0\n", "two columns named 'p_a'"),
        ("image_id,p_a,p_b\nx,1,0\ny,1\n", "line 3 has 2 cells, the header has 3"),
        ('image_id,p_a,p_b\n"x,1,0\n', "unexpected end of data"),
        ("image_id,p_a,p_b\nx,1,0\nx,1,0\ny,0,1\n", r"duplicate images \(1\): x; keep one row"),
        ("image_id,p_a,p_b\n,1,0\n", "1 rows have no image_id"),
        ("image_id,p_a,p_b\nx,1,none\n", "row 1, column p_b: 'none' is not a number"),
        ("image_id,p_a,p_b\nx,1,\n", "row 1, column p_b: '' is not a number"),
        (
            "image_id,p_a,p_b\nx,0,0\ny,nan,-1\n",
            "2 scores are not numbers from 0 to 1, .* 'y', class 'a': nan",
        ),
        ("image_id,p_a,p_b\nx,3.5,-1\n", "3.5. Scores must be probabilities .softmax., not logits"),
        ("image_id,p_a,p_b\nx,75,25\n", "75.0. If the scores are percent, divide them by 100"),
        ("image_id,p_a,p_b\nx,1.00001,0\n", "Only rounding errors of up to 1e-06 are accepted"),
        ("image_id,p_a,p_b\nx,inf,0\n", "not numbers from 0 to 1"),
        ("image_id,p_a\nx,1\n", r"classes are \['a'\]: at least two"),
        (
            "image_id,label,p_nevus,p_other\nx,nevsu,1,0\n",
            "unknown label 'nevsu': did you mean 'nevus'.*images: x",
        ),
        (
            "image_id,label\nx,a\n",
            "which are not predictions. Allowed are image_id,lesion_id,label,p_<class>",
        ),
        (
            "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC,UNK\nx,1,0,0,0,0,0,0,0\n",
            "predictions of ISIC 2018 have no column UNK",
        ),
    ],
)
def test_invalid_file_raises(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(PredictionsError, match=message):
        read_predictions(write_file(tmp_path, text))


@pytest.mark.parametrize("column", ["image_id", "lesion_id", "label", "p_melanoma", "p_nevus"])
@pytest.mark.parametrize(
    ("cell", "kind"), [([0.5], "lists"), ({"id": 1}, "structures of id"), (b"\xff", "bytes")]
)
def test_parquet_column_without_text_raises(tmp_path: Path, column: str, cell: object, kind: str) -> None:
    table = pd.read_csv(StringIO(OWN)).astype({"p_nevus": object, "p_melanoma": object})
    table.assign(embedding=[[1.0, 2.0]] * 3).to_parquet(tmp_path / "p.parquet")
    assert len(read_predictions(tmp_path / "p.parquet")) == 3
    table.assign(**{column: [cell] * 3}).to_parquet(tmp_path / "p.parquet")
    with pytest.raises(
        PredictionsError, match=f"the column {column} holds {kind}; write numbers or text into it"
    ):
        read_predictions(tmp_path / "p.parquet")


def test_unreadable_file_raises(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match=r"there is no file .*gone\.csv"):
        read_predictions(tmp_path / "gone.csv")
    (tmp_path / "image.csv").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(PredictionsError, match="cannot be read as a table: it is an image") as error:
        read_predictions(tmp_path / "image.csv")
    assert "codec" not in str(error.value)
    assert "byte" not in str(error.value)
    with pytest.raises(PredictionsError, match="is a folder; name a CSV file") as error:
        read_predictions(tmp_path)
    assert "Errno" not in str(error.value)


@pytest.mark.parametrize("separator", [";", "\t"])
def test_read_spreadsheet_csv(tmp_path: Path, separator: str) -> None:
    text = "\ufeff" + OWN.replace(",", separator).replace("0.75", "0,75").replace("\n", "\r\n")
    predictions = read_predictions(write_file(tmp_path, text))
    reference = read_predictions(write_file(tmp_path, OWN, "reference.csv"))
    assert predictions.label.tolist() == reference.label.tolist()
    np.testing.assert_array_equal(predictions.scores, reference.scores)


def test_mismatched_arrays_raise() -> None:
    with pytest.raises(PredictionsError, match="do not match 2 images and 2 classes"):
        Predictions(["a", "b"], ["a", "b"], ["", ""], [[0.5, 0.5]], ("x", "y"))
    with pytest.raises(PredictionsError, match="there are no predictions"):
        Predictions([], [], [], np.empty((0, 2)), ("x", "y"))


def test_predictions_are_immutable_copies() -> None:
    scores = np.array([[0.5, 0.5]])
    predictions = Predictions(["a"], ["a"], [""], scores, ("x", "y"))
    scores[:] = 0
    assert predictions.scores.tolist() == [[0.5, 0.5]]
    with pytest.raises(ValueError, match="read-only"):
        predictions.scores[0, 0] = 1


@pytest.mark.parametrize("name", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", "a;b", "=1+1", "é🙂"])
def test_any_name_is_read_back(name: str, tmp_path: Path) -> None:
    before = Predictions([name, "x"], [name, "L"], ["a", "b"], [[1, 0], [0, 1]], ("a", "b"))
    write_predictions(tmp_path / "p.csv", before)
    after = read_predictions(tmp_path / "p.csv")
    assert after.image_id.tolist() == [name, "x"]
    assert after.lesion_id.tolist() == [name, "L"]


def test_one_image_under_two_names_is_an_error(tmp_path: Path) -> None:
    for name, images in (("one", ["x.jpg", "x", "y"]), ("part-1", ["x.jpg", "z"]), ("part-2", ["y", "x"])):
        rows = [f"{image},{'ab'[index % 2]},0.5,0.5" for index, image in enumerate(images)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["image_id,label,p_a,p_b", *rows, ""]))
    for names in (["one"], ["part-1", "part-2"]):
        with pytest.raises(PredictionsError, match=r"csv: x\.jpg and x mean the same image; keep one row"):
            read_predictions(*(tmp_path / f"{name}.csv" for name in names))


def test_predictions_are_read_without_statistics() -> None:
    """Importing scipy.stats takes half a second, which ``lesionlens predict`` would add to every call."""
    script = "import sys, lesionlens.evaluation.predictions_io; sys.exit('scipy.stats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
