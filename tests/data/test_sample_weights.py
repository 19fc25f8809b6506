"""Confirmation weights: the three policies against manually computed weights, and class means on HAM10000."""

import numpy as np
import pytest

from lesionlens.core.errors import DataError
from lesionlens.data.sample_weights import diagnosis_confirmation_weights

METHODS = ["consensus", "follow_up", "confocal", "histo", "histo", "histo", ""]
DIAGNOSES = ["nevus", "nevus", "benign_keratosis", "melanoma", "nevus", "actinic_keratosis", "dermatofibroma"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("benign", [1, 2, 3, 1, 4, 1, 1]),
        ("nevus_only", [1, 2, 1, 1, 4, 1, 1]),
        ("authors_all", [1, 2, 3, 4, 4, 4, 1]),
    ],
)
def test_policies(policy: str, expected: list[int]) -> None:
    weights = diagnosis_confirmation_weights(METHODS, DIAGNOSES, policy)  # type: ignore[arg-type]
    assert weights.dtype == np.float32
    assert weights.tolist() == expected


def test_missing_confirmation_methods_raise() -> None:
    with pytest.raises(DataError, match="no image has one"):
        diagnosis_confirmation_weights(["", ""], ["nevus", "melanoma"], "benign")


@pytest.mark.real_data
def test_mean_weight_of_each_class_of_ham10000(real_data) -> None:
    import pandas as pd

    from lesionlens.core.taxonomy import canonical_name

    rows = pd.read_csv(real_data / "ham10000" / "HAM10000_metadata.csv")
    names = [canonical_name(dx) for dx in rows["dx"]]
    weights = diagnosis_confirmation_weights(rows["dx_type"].tolist(), names, "authors_all")
    means = pd.Series(weights).groupby(rows["dx"]).mean()
    expected = {"mel": 4, "bcc": 4, "akiec": 4, "bkl": 3.22, "nv": 2.67, "df": 2.43, "vasc": 2.42}
    assert means.round(2).to_dict() == pytest.approx(expected, abs=0.006)
