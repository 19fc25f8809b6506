"""Classes with any name: those of our averages, of missing values, numbers, markup and other scripts."""

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from lesionlens.core.errors import ComparisonError, PredictionsError
from lesionlens.evaluation.caveats import grouped_caveats
from lesionlens.evaluation.comparison.io import write_comparison
from lesionlens.evaluation.comparison.models import compare_models
from lesionlens.evaluation.comparison.plots import write_comparison_figure
from lesionlens.evaluation.comparison.result import ComparisonReport
from lesionlens.evaluation.comparison.tables import comparison_table
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, OVERALL, WEIGHTED
from lesionlens.evaluation.plots import write_figures
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions
from lesionlens.evaluation.registry import parse_metric_key
from lesionlens.evaluation.result import Estimate, EvaluationResult
from lesionlens.evaluation.tables import evaluation_table
from lesionlens.runs.run_statistics import build_summary_table, read_summary, summarize_runs, write_summary

from ..helpers.random_predictions import random_predictions

pytestmark = pytest.mark.filterwarnings("ignore:No installed font has the characters")
CLASSES = ("a", "b", "c")
NAMES = [
    ("macro", "weighted", "all"),
    ("mean", "image", "label"),
    ("NA", "none", "unknown"),
    ("1", "2", "10"),
    ("yes/no", "a, b", 'the "third"'),
    ("[red]bold", "[/]", "$x^$"),
    ("na\u00efve", "良性", "🙂"),
    ("class:macro", "macro", "a; b"),
    ("few lesions (3)", "without 2", "_hidden"),
    ("p_a", "lesion_id", "other_class"),
]
NAMES_IN_FIGURES = NAMES[4:8]  # punctuation, markup and formulas, other scripts


def renamed(predictions: Predictions, names: tuple[str, ...]) -> Predictions:
    by_class = dict(zip(CLASSES, names, strict=True))
    label = [by_class[str(name)] for name in predictions.label]
    return replace(predictions, classes=names, label=np.array(label))


def translated(estimate: Estimate, names: tuple[str, ...]) -> Estimate:
    scope = estimate.scope
    return replace(estimate, scope=names[CLASSES.index(scope)]) if isinstance(scope, str) else estimate


def rendered(renderable: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=120).print(renderable)
    return stream.getvalue()


@pytest.fixture(scope="module")
def reference() -> Predictions:
    return random_predictions(60, classes=CLASSES, seed=5)


@pytest.fixture(scope="module")
def evaluation_of_reference(reference: Predictions) -> EvaluationResult:
    return evaluate(reference, n_resamples=20)


def other_model(reference: Predictions) -> Predictions:
    return replace(reference, scores=random_predictions(60, classes=CLASSES, seed=6).scores)


@pytest.fixture(scope="module")
def comparison_of_reference(reference: Predictions) -> ComparisonReport:
    return compare_models([reference, other_model(reference)], ["x", "y"], n_resamples=20)


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_numbers_do_not_depend_on_the_names(
    names: tuple[str, ...],
    reference: Predictions,
    evaluation_of_reference: EvaluationResult,
    tmp_path: Path,
) -> None:
    write_predictions(tmp_path / "p.csv", renamed(reference, names))
    result = evaluate(read_predictions(tmp_path / "p.csv"), n_resamples=20)
    expected = evaluation_of_reference
    assert [replace(estimate, caveats=()) for estimate in result.estimates] == [
        replace(translated(estimate, names), caveats=()) for estimate in expected.estimates
    ]
    assert EvaluationResult.from_json(result.to_json()) == result
    assert len(grouped_caveats(result)) == len(grouped_caveats(expected))
    text = rendered(evaluation_table(result))
    assert all(name.replace("_", " ") in text for name in names)


@pytest.mark.parametrize(
    "names",
    [NAMES_IN_FIGURES[0], *(pytest.param(names, marks=pytest.mark.slow) for names in NAMES_IN_FIGURES[1:])],
    ids=str,
)
def test_figures_of_any_names_are_written(
    names: tuple[str, ...], reference: Predictions, tmp_path: Path
) -> None:
    models = [renamed(model, names) for model in (reference, other_model(reference))]
    write_figures(tmp_path, evaluate(models[0], n_resamples=20))
    report = compare_models(models, ["[x]", "_y$1$"], n_resamples=20)
    write_comparison_figure(tmp_path, report, models, ["[x]", "_y$1$"])
    assert {path.suffix for path in tmp_path.iterdir()} == {".png", ".svg"}


def test_averages_stay_apart_from_classes_of_their_names(reference: Predictions) -> None:
    result = evaluate(renamed(reference, NAMES[0]), n_resamples=0)
    expected = evaluate(reference, n_resamples=0)
    for scope in (MACRO, WEIGHTED):
        assert result.value("auc", scope) == expected.value("auc", scope)
        assert result.value("auc", str(scope)) != result.value("auc", scope)
    assert result.value("accuracy", OVERALL) == expected.value("accuracy", OVERALL)
    records = json.loads(result.to_json())["estimates"]
    means = [record for record in records if (record["metric"], record["aggregate"]) == ("auc", "macro")]
    assert [(record["class"], record["value"]) for record in means] == [(None, expected.value("auc"))]


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_comparisons_do_not_depend_on_the_names(
    names: tuple[str, ...], reference: Predictions, comparison_of_reference: ComparisonReport, tmp_path: Path
) -> None:
    expected = comparison_of_reference
    models = [renamed(model, names) for model in (reference, other_model(reference))]
    report = compare_models(models, ["[x]", "_y$1$"], n_resamples=20)
    assert [comparison.primary_test for comparison in report.comparisons] == [
        comparison.primary_test for comparison in expected.comparisons
    ]
    assert "[x]" in rendered(comparison_table(report))
    write_comparison(tmp_path, report)
    record = json.loads((tmp_path / "comparison.json").read_text())
    scopes = {(row["class"], row["aggregate"]) for row in record["comparisons"]}
    assert scopes == {*((name, None) for name in names), (None, "macro"), (None, "all")}


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("auc:macro", MACRO),
        ("auc:class:macro", "macro"),
        ("auc:class:all", "all"),
        ("auc:yes/no", "yes/no"),
        ("auc:a:b", "a:b"),
        ("auc:MEL", "melanoma"),
        ("auc", MACRO),
        ("balanced_accuracy", OVERALL),
        ("f1_weighted_by_predictions", WEIGHTED),
    ],
)
def test_a_metric_of_any_class_can_be_requested(text: str, scope: object) -> None:
    assert parse_metric_key(text, ("macro", "all", "yes/no", "a:b", "melanoma"))[1] == scope


@pytest.mark.parametrize("text", ["auc:all", "balanced_accuracy:macro", "f1_weighted_by_predictions:all"])
def test_an_aggregate_that_a_metric_lacks_is_not_a_class(text: str) -> None:
    name, _, scope = text.partition(":")
    with pytest.raises(ComparisonError, match=f"For the class use {name}:class:{scope}"):
        parse_metric_key(text, ("macro", "all", "b"))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("p_MEL,p_nevus,p_melanoma", "p_MEL and p_melanoma are scores of one class"),
        ("p_wart,p_cyst,P_wart", "p_wart and P_wart are scores of one class"),
        ("p_ a,p_b,p_a", "p_ a and p_a are scores of one class"),
        ("p_NV,p_b,p_Melanocytic naevus", "p_NV and p_Melanocytic naevus"),
    ],
)
def test_two_columns_of_one_class_raise(header: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"image_id,{header}\n1,0.2,0.3,0.5\n")
    with pytest.raises(PredictionsError, match=message):
        read_predictions(tmp_path / "p.csv")


@pytest.mark.parametrize("header", ["P_a,p_b", "p_ a,P_b ", "p_a,p_A"])
def test_columns_of_scores_in_other_spellings_are_read(header: str, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(f"image_id,{header}\n1,0.2,0.8\n")
    predictions = read_predictions(tmp_path / "p.csv")
    assert predictions.scores.tolist() == [[0.2, 0.8]]
    assert predictions.classes in {("a", "b"), ("a", "A")}


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_summaries_of_runs_keep_the_names(
    names: tuple[str, ...], reference: Predictions, tmp_path: Path
) -> None:
    result = evaluate(renamed(reference, names), n_resamples=0)
    write_summary(tmp_path / "summary.csv", summarize_runs({"run-01": result, "run-02": result}))
    table = read_summary(tmp_path / "summary.csv")
    values = {
        (row["metric"], row["class"], row["aggregate"]): row["mean"] for row in table.to_dict("records")
    }
    assert values["auc", "", "macro"] == pytest.approx(result.value("auc"))
    assert values["auc", names[0], ""] == pytest.approx(result.value("auc", names[0]))
    rendered(build_summary_table(table))
