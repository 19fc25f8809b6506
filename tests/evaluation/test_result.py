"""The record of a measurement as a file."""

import json
from pathlib import Path

import pytest

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.result import EvaluationResult, read_evaluation, write_evaluation

from ..helpers.random_predictions import random_predictions

ABSENT = [0.5, 0.5, 0, 0, 0, 0, 0]


def test_the_file_gives_the_record_back_and_is_plain_json(tmp_path: Path) -> None:
    found = evaluate(random_predictions(60, seed=1), n_resamples=20)
    write_evaluation(tmp_path / "e.json", found)
    assert read_evaluation(tmp_path / "e.json") == found


def test_what_is_undefined_is_null_and_comes_back_as_nan() -> None:
    text = evaluate(random_predictions(60, prior=ABSENT), n_resamples=20).to_json()
    fields = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    absent = [
        each for each in fields["estimates"] if each["scope"] == "dermatofibroma" and each["metric"] == "auc"
    ]
    assert absent[0]["value"] is None
    assert EvaluationResult.from_json(text).to_json() == text


def test_a_metric_or_class_that_does_not_exist_is_said() -> None:
    found = evaluate(random_predictions(60), n_resamples=0)
    with pytest.raises(PredictionsError, match=r"unknown metric 'aux'.*auc"):
        found.value("aux")
    with pytest.raises(PredictionsError, match="unknown auc of 'melanomas': did you mean 'melanoma'"):
        found.value("auc", "melanomas")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "other/1"}', '{"format": "lesionlens-evaluation/1"}']
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(PredictionsError, match=r"e\.json: this .*evaluate (its predictions )?again"):
        read_evaluation(tmp_path / "e.json")
    with pytest.raises(PredictionsError, match="cannot read the evaluation"):
        read_evaluation(tmp_path / "gone.json")
