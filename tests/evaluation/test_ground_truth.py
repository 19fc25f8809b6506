"""Ground truth in a separate file: its formats, and errors if it does not match the predictions."""

from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.ground_truth import read_ground_truth
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.predictions_io import read_predictions

THREE = "image_id,lesion_id,p_melanoma,p_nevus,p_seborrheic_keratosis\na,L1,1,0,0\nb,L2,0,1,0\nc,L2,0,0,1\n"


def read_joined(folder: Path, truth: str, predictions: str = THREE):
    (folder / "predictions.csv").write_text(predictions)
    (folder / "truth.csv").write_text(truth)
    return read_predictions(folder / "predictions.csv", ground_truth=folder / "truth.csv")


def test_isic2017_ground_truth_is_joined_by_name(tmp_path: Path) -> None:
    predictions_with_labels = read_joined(
        tmp_path, "image_id,melanoma,seborrheic_keratosis\nc,0.0,0.0\na,1.0,0.0\nb,0.0,1.0\n"
    )
    assert predictions_with_labels.label.tolist() == ["melanoma", "seborrheic_keratosis", "nevus"]
    assert predictions_with_labels.lesion_id.tolist() == ["L1", "L2", "L2"]


def test_isic2018_images_with_zero_weight_are_excluded(tmp_path: Path) -> None:
    truth = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC,score_weight,validation_weight\n"
    truth += "a,1,0,0,0,0,0,0,1,0\nb,0,1,0,0,0,0,0,0,0\n"
    predictions_with_labels = read_joined(tmp_path, truth, "image_id,p_melanoma,p_nevus\na,1,0\nb,0,1\n")
    assert predictions_with_labels.label.tolist() == ["melanoma"]
    assert predictions_with_labels.caveats == (
        "Excluded, because the official scorer gives it no weight: b (1 image).",
    )


def test_label_table_with_lesions_and_codes(tmp_path: Path) -> None:
    predictions_with_labels = read_joined(
        tmp_path, "image_id,lesion_id,dx\na,X,mel\nb,,NV\nc,Z,Seborrheic keratosis\n"
    )
    assert predictions_with_labels.label.tolist() == ["melanoma", "nevus", "seborrheic_keratosis"]
    assert predictions_with_labels.lesion_id.tolist() == ["X", "L2", "Z"]


def test_other_diagnoses_become_other(tmp_path: Path) -> None:
    predictions = "image_id,p_other,p_melanoma\na,1,0\nb,0,1\nc,0,1\n"
    predictions_with_labels = read_joined(tmp_path, "image_id,label\na,nevus\nb,MEL\nc,BKL\n", predictions)
    assert predictions_with_labels.label.tolist() == ["other", "melanoma", "other"]
    with pytest.raises(PredictionsError, match="unknown label 'melanomia': did you mean 'melanoma'"):
        read_joined(tmp_path, "image_id,label\na,melanomia\nb,MEL\nc,BKL\n", predictions)


@pytest.mark.parametrize(
    "truth",
    [
        "image,label,lesion_id\na,MEL,X\nb,nv,L2\nc,Seborrhoeic keratosis,unknown\n",
        "Path;Diagnosis;lesion_id\nphotos/a.jpg;Melanoma;X\nphotos\\b.PNG;Melanocytic nevus;L2\nc;SK;\n",
        "\ufeffimage\tpart\tlabel\tlesion_id\nb.jpg\t\tnaevus\t\na.jpg\ttest\tmel\tX\nc.jpg\t\tsk\t\n",
    ],
)
def test_image_table_is_a_ground_truth(tmp_path: Path, truth: str) -> None:
    predictions_with_labels = read_joined(tmp_path, truth)
    assert predictions_with_labels.image_id.tolist() == ["a", "b", "c"]
    assert predictions_with_labels.label.tolist() == ["melanoma", "nevus", "seborrheic_keratosis"]
    assert predictions_with_labels.lesion_id.tolist() == ["X", "L2", "L2"]


def test_custom_labels_match_classes_in_any_case(tmp_path: Path) -> None:
    predictions = "image_id,p_Spitz_nevus,p_wart\nx/a.jpg,1,0\ny/a.jpg,0,1\nb,0,1\n"
    predictions_with_labels = read_joined(
        tmp_path, "image,label\ny/a.png,Wart\nx/a.png,spitz nevus\nb,?\n", predictions
    )
    assert predictions_with_labels.label.tolist() == ["Spitz_nevus", "wart", ""], (
        "directories distinguish duplicate names"
    )


def test_names_that_differ_only_in_directories_are_distinct(tmp_path: Path) -> None:
    with pytest.raises(PredictionsError, match=r"name the image a .* twice, as x/a.jpg and y/a.jpg"):
        read_joined(tmp_path, "image,label\nx/a.jpg,nevus\ny/a.jpg,nevus\nb,nevus\nc,nevus\n")


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        (
            "image_id,label\na,nevus\nb,nevus\nd,nevus\ne,nevus\n",
            r"1 predicted .* \(c\); 2 labeled .* \(d, e\)",
        ),
        ("image_id,label\na,nevus\nb,nevus\nc,nevus\na,melanoma\n", "duplicate images: a"),
        ("image_id,label\na,nevus\nb,nevus\nc,wart\n", "unknown label 'wart'"),
        ("image_id,label\na,nevus\nb,nevus\nc,vascular_lesion\n", "unknown label 'vascular_lesion'"),
        (
            "image_id,melanoma,seborrheic_keratosis\na,1,1\nb,0,0\nc,0,0\n",
            "not exactly one class for 1 image: a",
        ),
        (
            "image_id,melanoma,seborrheic_keratosis\na,0.5,0.5\nb,0,0\nc,0,0\n",
            "not exactly one class for 1 image: a",
        ),
        ("image_id,age\na,3\n", "which are not a ground truth. Allowed are image,label"),
    ],
)
def test_invalid_ground_truth_raises(tmp_path: Path, truth: str, message: str) -> None:
    with pytest.raises(PredictionsError, match=message):
        read_joined(tmp_path, truth)


@pytest.mark.real_data
def test_official_isic2017_file(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "isic2017" / "ISIC-2017_Validation_Part3_GroundTruth.csv"
    truth = read_ground_truth(path)
    names, counts = np.unique(truth.label, return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {
        "melanoma": 30,
        "nevus": 78,
        "seborrheic_keratosis": 42,
    }
    perfect = evaluate(read_predictions(path, ground_truth=path), n_resamples=0)
    assert perfect.value("auc") == perfect.value("accuracy", OVERALL) == 1
