"""Labels of predictions and ground truths: one matching with classes, words for "not known", labels of no class."""

from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import PredictionsError
from lesionlens.core.taxonomy import canonical_name
from lesionlens.evaluation.comparison.alignment import align
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions

THREE = ("melanoma", "nevus", "benign_keratosis")


def write(path: Path, labels: list[str], *, classes: tuple[str, ...] = THREE, scores: object = None) -> Path:
    """Write predictions of which each is right for the class of its position."""
    table = (
        np.eye(len(classes))[np.arange(len(labels)) % len(classes)] if scores is None else np.array(scores)
    )
    header = ",".join(["image_id", "label", *(f"p_{name}" for name in classes)])
    rows = [
        f"i{n},{label},{','.join(map(str, row))}"
        for n, (label, row) in enumerate(zip(labels, table, strict=True))
    ]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["MEL", "nv", "bkl"], THREE),
        (["Malignant Melanoma", "NEVUS", "Pigmented benign keratosis"], THREE),
        (["melanoma", "nevus", "benign keratosis"], ("MEL", "NV", "BKL")),
        (["0.0", "1.0", "2.0"], ("0", "1", "2")),
        (["Wart", "keloid ", "SPITZ-nevus"], ("wart", "Keloid", "spitz_nevus")),
        (["NA", "None", "unknown"], ("NA", "none", "Unknown")),
        (["yes", "no", "?"], ("Yes", "No", "?")),
    ],
)
def test_labels_match_classes_in_files_and_truths(
    labels: list[str], classes: tuple[str, ...], tmp_path: Path
) -> None:
    file = write(tmp_path / "p.csv", labels, classes=classes)
    result = evaluate(read_predictions(file), n_resamples=0)
    assert result.value("accuracy", OVERALL) == 1
    assert result.support == (1, 1, 1)
    truth = tmp_path / "truth.csv"
    truth.write_text("image,label\n" + "".join(f"i{n}.jpg,{label}\n" for n, label in enumerate(labels)))
    blank = write(tmp_path / "blank.csv", ["", "", ""], classes=classes)
    joined = read_predictions(blank, ground_truth=truth)
    assert joined.label.tolist() == read_predictions(file).label.tolist()


@pytest.mark.parametrize("word", ["NA", "nan", "#N/A", "None", "<NA>", "unknown", "-", ".", "n.d."])
def test_words_for_not_known_are_no_labels_and_no_lesions(word: str, tmp_path: Path) -> None:
    text = "image_id,lesion_id,label,p_a,p_b\n"
    text += "".join(f"i{n},{word},{'a' if n % 2 else 'b'},0.6,0.4\n" for n in range(6))
    (tmp_path / "p.csv").write_text(text + f"x,L1,{word},0.6,0.4\n")
    predictions = read_predictions(tmp_path / "p.csv")
    assert predictions.lesion_id.tolist() == [*(f"i{n}" for n in range(6)), "L1"]
    assert predictions.label.tolist() == ["b", "a"] * 3 + [""]
    assert any(
        caveat.startswith("Lesions of 6 of 7 images are unknown") for caveat in evaluate(predictions).caveats
    )


def test_arrays_with_missing_values_are_read_alike() -> None:
    lesions = [None, float("nan"), "", "L1", "L1"]
    predictions = Predictions(
        list("abcde"), lesions, ["x", "y", None, "x", "y"], np.full((5, 2), 0.5), ("x", "y")
    )
    assert predictions.lesion_id.tolist() == ["a", "b", "c", "L1", "L1"]
    assert predictions.label.tolist() == ["x", "y", "", "x", "y"]


def test_an_image_is_not_of_the_lesion_of_its_name() -> None:
    predictions = Predictions(list("123"), ["", "1", "1"], ["x", "x", "y"], np.full((3, 2), 0.5), ("x", "y"))
    assert predictions.lesion_id.tolist() == ["1 (image)", "1", "1"]
    assert predictions.has_unknown_lesion.tolist() == [True, False, False]


def test_one_lesion_of_many_images_is_questioned(tmp_path: Path) -> None:
    lesions = ["0"] * 12 + [f"L{n}" for n in range(12)]
    predictions = Predictions(
        [f"i{n}" for n in range(24)], lesions, list("xy") * 12, np.full((24, 2), 0.5), ("x", "y")
    )
    assert "Check the lesion ids: '0' has 12 of 24 images." in evaluate(predictions, n_resamples=0).caveats


@pytest.mark.parametrize("code", ["-1", "-999", "-1.0"])
def test_codes_of_lesions_for_not_known(code: str, tmp_path: Path) -> None:
    file, truth = tmp_path / "p.csv", tmp_path / "truth.csv"
    file.write_text(
        f"image_id,lesion_id,label,p_a,p_b\n1,{code},a,0.6,0.4\n2,{code},b,0.6,0.4\n3,L,b,0.6,0.4\n"
    )
    truth.write_text(f"image,label,lesion_id\n1,a,{code}\n2,b,{code}\n3,b,L\n")
    for labels in (None, truth):
        assert read_predictions(file, ground_truth=labels).lesion_id.tolist() == ["1", "2", "L"]


@pytest.mark.parametrize("lesions", [["x", "x", "y"], ["pool", "pool", "pool"]])
def test_lesions_of_several_classes_are_questioned(lesions: list[str]) -> None:
    predictions = Predictions(list("123"), lesions, ["a", "b", "b"], np.full((3, 2), 0.5), ("a", "b"))
    caveat = f"Check the lesion ids: images of one lesion have different labels: '{lesions[0]}' (a, b)."
    assert caveat in evaluate(predictions, n_resamples=0).caveats


@pytest.mark.parametrize("spelling", ["nevus", "nv", "NEVUS", "Melanocytic naevus"])
def test_the_other_class_is_matched_as_labels_are(spelling: str, tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", ["melanoma", "nevus", "bkl"] * 2)
    assert read_predictions(file, other_class=spelling).other_class == "nevus"
    derived = write(tmp_path / "d.csv", ["MEL", "nv", "NV"], classes=("melanoma", "benign_keratosis"))
    predictions = read_predictions(derived, other_class=spelling)
    assert predictions.label.tolist() == ["melanoma", "nevus", "nevus"]
    assert predictions.other_class == "nevus"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nevs", "unknown other class 'nevs': did you mean 'nevus'"),
        ("SCC", "unknown other class 'SCC'.*Neither a class nor a label"),
        ("other", "unknown other class 'other'"),
        ("wart", "unknown other class 'wart'"),
    ],
)
def test_an_unknown_other_class_raises(name: str, message: str, tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", ["melanoma", "nevus", "bkl"])
    with pytest.raises(PredictionsError, match=message):
        read_predictions(file, other_class=name)


def test_other_means_all_labels_of_no_class(tmp_path: Path) -> None:
    labels = ["MEL", "SCC", "wart", "nan", "nv"]
    scores = [[0.9, 0.2], [0.1, 0.2], [0.3, 0.1], [0.5, 0.1], [0.1, 0.8]]
    file = write(tmp_path / "p.csv", labels, classes=("melanoma", "nevus"), scores=scores)
    with pytest.raises(
        PredictionsError, match=r"unknown label 'SCC'.*Other unknown labels: 'wart' \(1 image\)"
    ):
        read_predictions(file)
    predictions = read_predictions(file, other_class="other")
    assert predictions.label.tolist() == ["melanoma", "other", "other", "", "nevus"]
    assert predictions.caveats == ("Labels counted as the other class: SCC (1), wart (1).",)
    result = evaluate(predictions, n_resamples=0)
    assert result.value("accuracy", OVERALL) == result.value("sensitivity", MACRO) == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["melanomia", "nevus"], "unknown label 'melanomia': did you mean 'melanoma'.*Correct them"),
        (["0", "1"], "unknown label '0'.*None of the labels is one of the classes: check both"),
        (["wart", "keloid"], "None of the labels is one of the classes"),
    ],
)
def test_unknown_labels_raise(labels: list[str], message: str, tmp_path: Path) -> None:
    file = write(tmp_path / "p.csv", labels, classes=("melanoma", "nevus"))
    with pytest.raises(PredictionsError, match=message):
        read_predictions(file)
    if labels[0] == "melanomia":  # a misspelled label is not counted as the other class
        file = write(tmp_path / "q.csv", [*labels, "wart"], classes=("melanoma", "nevus"))
        with pytest.raises(PredictionsError, match="melanomia"):
            read_predictions(file, other_class="other")


@pytest.mark.parametrize(
    ("header", "cells", "message"),
    [
        ("p_a,p_b,p_value", "0.75,0.25,0.99", "p_value: every column that begins with p_ .* sum to one"),
        ("p_max,p_a,p_b", "0.75,0.75,0.25", "p_max: every column"),
        ("p_a,p_b,p_value,p_entropy", "0.75,0.25,0.99,0.4", "p_value and p_entropy: every column"),
        ("p_a,p_b,p_id", "0.75,0.25,17", "p_id: every column .* has other values"),
        ("p_a,p_b,p_label", "0.75,0.25,a", "column p_label: 'a' is not a number.*Every column"),
        ("p_a,p_b,p_missing", "0.75,0.25,nan", "p_missing: every column"),
    ],
)
def test_columns_that_are_no_scores_raise(header: str, cells: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"image_id,label,{header}\nx,a,{cells}\ny,b,{cells}\n")
    with pytest.raises(PredictionsError, match=message):
        read_predictions(tmp_path / "p.csv")
    truth = tmp_path / "truth.csv"
    truth.write_text("image,label\nx,a\ny,b\n")
    with pytest.raises(PredictionsError, match=message):
        read_predictions(tmp_path / "p.csv", ground_truth=truth)


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("p_a,p_b,p_value", "0.75,0.2,0.05"),  # the sum is one
        ("p_a,p_b,p_melanoma", "0.75,0.25,0.5"),  # a diagnosis
        ("p_a,p_b,p_value", "0.7,0.6,0.5"),  # independent scores
    ],
)
def test_classes_without_images_are_no_error(header: str, cells: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"image_id,label,{header}\nx,a,{cells}\ny,b,{cells}\n")
    assert len(read_predictions(tmp_path / "p.csv").classes) == 3


def test_decisions_for_a_class_without_images_have_a_caveat() -> None:
    scores = [[0.7, 0.2, 0.9], [0.1, 0.8, 0.9], [0.1, 0.8, 0.3]]
    predictions = Predictions(list("xyz"), [""] * 3, ["a", "b", "b"], scores, ("a", "b", "value"))
    caveats = evaluate(predictions, n_resamples=0).caveats
    assert (
        "Predicted although no image is of this class: value (2) of 3 images. Check that it is a class."
        in caveats
    )


@pytest.mark.parametrize("score", [1.0000001192092896, 1 + 1e-6, -1e-7, -0.0])
def test_rounding_errors_of_scores_are_clipped(score: float) -> None:
    predictions = Predictions(["x", "y"], ["", ""], ["a", "b"], [[score, 0.0], [0.1, 0.9]], ("a", "b"))
    assert predictions.scores.min() >= 0
    assert predictions.scores.max() <= 1
    with pytest.raises(PredictionsError, match="Only rounding errors of up to 1e-06"):
        Predictions(["x"], [""], ["a"], [[1.0001, 0]], ("a", "b"))


@pytest.mark.parametrize(
    "classes", [("MEL", "NV", "BKL"), ("Benign keratosis", "Melanoma", "Nevus"), ("bkl", "nv", "mel")]
)
def test_models_with_other_spellings_are_compared(classes: tuple[str, ...], tmp_path: Path) -> None:
    a = read_predictions(write(tmp_path / "a.csv", ["MEL", "nv", "bkl"] * 2))
    columns = [THREE.index(canonical_name(name)) for name in classes]
    file = write(
        tmp_path / "b.csv", ["mel", "nevus", "BKL"] * 2, classes=classes, scores=a.scores[:, columns]
    )
    first, second = align([a, read_predictions(file)], ["a", "b"]).predictions
    assert second.classes == first.classes == THREE
    np.testing.assert_array_equal(first.scores, second.scores)
    assert first.label.tolist() == second.label.tolist()


def test_parts_with_other_spellings_are_joined(tmp_path: Path) -> None:
    first = write(tmp_path / "a.csv", ["MEL", "nv", "bkl"])
    text = write(tmp_path / "b.csv", ["MEL", "nv", "bkl"], classes=("MEL", "NV", "BKL")).read_text()
    (tmp_path / "b.csv").write_text(text.replace("\ni", "\nj"))
    joined = read_predictions(first, tmp_path / "b.csv")
    assert joined.classes == THREE
    assert joined.label.tolist() == list(THREE) * 2
    assert evaluate(joined, n_resamples=0).value("accuracy", OVERALL) == 1
