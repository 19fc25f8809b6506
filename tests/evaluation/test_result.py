"""Evaluation results as JSON files."""

import json
from pathlib import Path

import pytest

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.result import EvaluationResult, read_evaluation, write_evaluation

from ..helpers.random_predictions import random_predictions

ABSENT = [0.5, 0.5, 0, 0, 0, 0, 0]


def test_evaluation_file_round_trip(tmp_path: Path) -> None:
    result = evaluate(random_predictions(60, seed=1), n_resamples=20)
    write_evaluation(tmp_path / "e.json", result)
    assert read_evaluation(tmp_path / "e.json") == result


def test_undefined_is_null_in_json() -> None:
    text = evaluate(random_predictions(60, prior=ABSENT), n_resamples=20).to_json()
    fields = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not valid JSON"))
    absent = [
        record
        for record in fields["estimates"]
        if (record["metric"], record["class"]) == ("auc", "dermatofibroma")
    ]
    assert absent[0]["value"] is None
    assert EvaluationResult.from_json(text).to_json() == text


def test_unknown_metric_or_class_raises() -> None:
    result = evaluate(random_predictions(60), n_resamples=0)
    with pytest.raises(PredictionsError, match=r"unknown metric 'aux'.*auc"):
        result.value("aux")
    with pytest.raises(PredictionsError, match="unknown auc of 'melanomas': did you mean 'melanoma'"):
        result.value("auc", "melanomas")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": "other/1"}', '{"format": "lesionlens-evaluation/1"}']
)
def test_other_files_raise(tmp_path: Path, text: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(PredictionsError, match=r"e\.json: this .*evaluate (its|the) predictions again"):
        read_evaluation(tmp_path / "e.json")
    with pytest.raises(PredictionsError, match="cannot read the evaluation"):
        read_evaluation(tmp_path / "gone.json")
