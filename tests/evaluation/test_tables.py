"""Tables of an evaluation for the terminal."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from lesionlens.core.taxonomy import DIAGNOSES
from lesionlens.evaluation.caveats import grouped_caveats
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import EstimateCaveat, EvaluationResult
from lesionlens.evaluation.tables import evaluation_table

from ..helpers.random_predictions import random_predictions


def render(evaluation: EvaluationResult, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(evaluation_table(evaluation))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("classes", [tuple(DIAGNOSES), ("other", "melanoma")])
def test_tables_fit_80_columns_and_more(classes: tuple[str, ...], width: int) -> None:
    result = evaluate(random_predictions(200, classes=classes), n_resamples=30)
    text = render(result, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    if width == 80:
        assert all(name.replace("_", " ") in text for name in classes)
    text = " ".join(text.split())
    assert f"200 images of {result.n_lesions} lesions; 95 % intervals from 30 bootstrap resamples" in text
    for estimate in result.estimates:
        metric = METRICS[estimate.metric]
        if metric.is_tabulated or metric.class_function is None or estimate.scope is OVERALL:
            assert f"{estimate.value:.3f} ({estimate.low:.3f}–{estimate.high:.3f})" in text, estimate
    assert text.rstrip().endswith("Research use only, not a medical device.")


def test_undefined_is_a_dash_with_its_reason() -> None:
    label_only = [0.5, 0.5, 0, 0, 0, 0, 0]
    text = " ".join(
        render(evaluate(random_predictions(80, prior=label_only), n_resamples=0), width=400).split()
    )
    assert "dermatofibroma 0 0 – – –" in text
    assert "Note: No images of: basal cell carcinoma" in text
    assert "80 images of" in text
    assert "without intervals" in text


def test_each_caveat_is_one_line() -> None:
    result = evaluate(random_predictions(30, seed=2), n_resamples=20)
    few = [
        name
        for name, lesions in zip(result.classes, result.lesion_support, strict=True)
        if 0 < lesions < 10  # some have none
    ]
    assert len(few) > 2
    lines = grouped_caveats(result)
    rough = [line for line in lines if "the interval is a rough guide only" in line]
    assert len(rough) == 1
    assert rough[0].startswith("Few lesions (3–6): ")
    assert all(name.replace("_", " ") in rough[0] for name in few)
    kinds = {line.split(" Applies to ")[0] for line in lines}
    assert len(kinds) == len(lines) <= 6
    assert "replicate" not in " ".join(lines)
    text = render(result, width=2000)
    assert all(f"Note: {line}" in text for line in lines)


def test_caveat_lists_its_classes_and_metrics() -> None:
    caveat = "the same in every resample: the interval is too narrow to trust"
    result = evaluate(random_predictions(60, classes=("a_b", "c")), n_resamples=0)
    estimates = tuple(
        replace(estimate, caveats=(EstimateCaveat(caveat),))
        if estimate.metric == "auc" or (estimate.metric, estimate.scope) == ("f1", "a_b")
        else estimate
        for estimate in result.estimates
    )
    assert grouped_caveats(replace(result, estimates=estimates)) == [
        "The same in every resample: the interval is too narrow to trust. "
        "Applies to a b (AUC, F1); c, mean of classes, weighted mean (AUC)."
    ]
