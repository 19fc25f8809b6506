"""Columns of a calibrated model in prediction files: written, read, selected, pooled, and rejected if damaged."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.binarize import to_binary_task
from lesionlens.evaluation.join import join_predictions
from lesionlens.evaluation.pooling import pool_folds
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions

CLASSES = ("melanoma", "a|b", "nevus")


def calibrated(ids: str = "xyz") -> Predictions:
    names, n = np.array(list(ids)), len(ids)
    scores = np.arange(1, 3 * n + 1).reshape(n, 3) / 10
    return Predictions(
        names,
        names,
        np.full(n, "nevus"),
        scores,
        CLASSES,
        calibrated_scores=scores / 2,
        prediction_sets=np.array([[True, True, False], [False, False, False], [False, False, True]])[:n],
        abstain=np.array([True, True, False])[:n],
        ood_percentile=np.array([12.5, np.nan, 100])[:n],
    )


def test_columns_follow_the_old_ones_and_are_read_back(tmp_path: Path) -> None:
    file = tmp_path / "p.csv"
    write_predictions(file, calibrated())
    header, first, *_ = file.read_text().splitlines()
    assert header == (
        "image_id,lesion_id,label,p_melanoma,p_a|b,p_nevus,calibrated_melanoma,calibrated_a|b,calibrated_nevus,"
        "prediction_set,abstain,ood_percentile"
    )
    assert first.endswith(r"melanoma|a\|b,true,12.5")
    loaded = read_predictions(file)
    for name in ("scores", "calibrated_scores", "prediction_sets", "abstain", "ood_percentile"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(calibrated(), name))


def test_files_of_two_parts_are_joined_by_class(tmp_path: Path) -> None:
    files = tmp_path / "a.csv", tmp_path / "b.csv"
    write_predictions(files[0], calibrated())
    write_predictions(files[1], calibrated("uvw").with_class_order(CLASSES[::-1]))
    joined = read_predictions(*files)
    assert joined.calibrated_scores is not None
    np.testing.assert_allclose(joined.calibrated_scores, joined.scores / 2)
    plain = replace(calibrated("uvw"), calibrated_scores=None, ood_percentile=None)
    write_predictions(files[1], plain)
    partial = read_predictions(*files)
    assert partial.calibrated_scores is None
    assert partial.abstain is not None
    assert "only some of the joined predictions" in " ".join(partial.caveats)


def test_ground_truth_keeps_the_columns_of_its_images(tmp_path: Path) -> None:
    file, truth = tmp_path / "p.csv", tmp_path / "truth.csv"
    write_predictions(file, calibrated())
    truth.write_text("image,label\nz.jpg,melanoma\nx.jpg,nevus\n")
    labeled = read_predictions(file, ground_truth=truth, common_images=True)
    assert labeled.ood_percentile is not None
    assert dict(zip(labeled.label, labeled.ood_percentile, strict=True)) == {"nevus": 12.5, "melanoma": 100}


def test_pooled_folds_keep_fields_that_all_have() -> None:
    pooled = pool_folds({"fold-0": calibrated(), "fold-1": replace(calibrated("uvw"), abstain=None)})
    assert pooled.abstain is None
    assert pooled.prediction_sets is not None
    assert pooled.prediction_sets.shape == (6, 3)
    last = pooled.select(np.array([5])).prediction_sets
    assert last is not None
    assert last.tolist() == [[False, False, True]]


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("calibrated_nevus", "1.2", "1 values of calibrated_scores are not numbers from 0 to 1"),
        ("prediction_set", "wart", "is not a set of the classes"),
        ("prediction_set", "melanoma|", "is not a set of the classes"),
        ("prediction_set", "|melanoma", "is not a set of the classes"),
        ("prediction_set", "melanoma|nevus\\", "is not a set of the classes"),
        ("prediction_set", "melanoma|melanoma", "is not a set of the classes"),
        ("abstain", "maybe", "maybe"),
        ("ood_percentile", "-1", "not numbers from 0 to 100"),
    ],
)
def test_damaged_cells_are_rejected(tmp_path: Path, column: str, cell: str, message: str) -> None:
    file = tmp_path / "p.csv"
    write_predictions(file, calibrated())
    header, first, *rest = (line.split(",") for line in file.read_text().splitlines())
    first[header.index(column)] = cell
    file.write_text("\n".join(map(",".join, (header, first, *rest))))
    with pytest.raises(PredictionsError, match=message):
        read_predictions(file)


def test_wrong_shapes_are_rejected() -> None:
    with pytest.raises(PredictionsError, match=r"abstain has the shape \(1,\)"):
        replace(calibrated(), abstain=np.array([True]))


def test_fields_that_a_task_or_a_join_loses_are_reported() -> None:
    against_rest = to_binary_task(calibrated(), "melanoma")
    assert against_rest.predictions.calibrated_scores is not None
    assert against_rest.caveats == (
        "The prediction sets are of other classes than the evaluated ones and are excluded.",
    )
    pair = to_binary_task(calibrated(), "melanoma/nevus")
    assert "The calibrated scores and the prediction sets are of other classes" in pair.caveats[-1]
    assert to_binary_task(calibrated(), "all").caveats == ()
    binary = [
        replace(
            against_rest.predictions,
            label=np.array(["other", "other", "other"]),
            classes=("other", name),
        )
        for name in ("melanoma", "nevus")
    ]
    joined = join_predictions(binary)
    assert joined.calibrated_scores is None
    assert "The calibrated scores are of other classes" in joined.caveats[-1]
