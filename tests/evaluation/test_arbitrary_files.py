"""Arbitrary files of predictions and labels: a consistent result, or a LesionLensError."""

import csv
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from lesionlens.core.errors import LesionLensError
from lesionlens.evaluation.binarize import to_binary_task
from lesionlens.evaluation.comparison.alignment import align
from lesionlens.evaluation.comparison.io import write_comparison
from lesionlens.evaluation.comparison.models import compare_models
from lesionlens.evaluation.comparison.tables import comparison_table
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.plots import write_figures
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.evaluation.tables import evaluation_table
from lesionlens.evaluation.thresholds import constant_thresholds

WORDS = st.sampled_from(
    [
        *(
            "a",
            "b",
            "c",
            "x",
            "y",
            "",
            "NA",
            "nan",
            "none",
            "#REF!",
            "-",
            "0",
            "1",
            "1.0",
            "é",
            "良性",
            "macro",
            "all",
        ),
        *(
            "MEL",
            "melanoma",
            "nevus",
            "nv",
            "SCC",
            "UNK",
            "other",
            "yes/no",
            "a+b",
            "[red]",
            "$x$",
            '"',
            "a,b",
            " a ",
        ),
        *("a\nb", "\r", "\x00", "=1+1"),
    ]
)
GOOD_WORDS = [
    "a",
    "b",
    "NA",
    "none",
    "1",
    "良性",
    "macro",
    "all",
    "MEL",
    "nevus",
    "other",
    "yes/no",
    "[red]",
    "$x$",
]
NAMES = WORDS | WORDS | st.text(max_size=6)
IMAGE_NAMES = ["a", "b", "c", "d", "e", "f", "g", "x/h.jpg", "ISIC_0000001", "ISIC_0035068", "1", "NA", ""]
IMAGES = st.sampled_from(IMAGE_NAMES[:-1]) | st.sampled_from(IMAGE_NAMES) | st.text(min_size=1, max_size=4)
ODD_NUMBERS = ["0,5", "1.0000001", "-1e-9", "nan", "inf", "1e999", "50%", "2", "", "1_0", "½", "-1", "x"]
NUMBERS = st.floats(0, 1).map(repr) | st.sampled_from(["0", "1", "0.5"])
COLUMNS = st.sampled_from(
    [
        *(
            "image_id",
            "image",
            "path",
            "lesion_id",
            "label",
            "diagnosis",
            "dx",
            "other_class",
            "split",
            "score_weight",
        ),
        *(
            "p_a",
            "p_b",
            "p_melanoma",
            "p_nevus",
            "p_value",
            "p_",
            "melanoma",
            "seborrheic_keratosis",
            "Label",
            "",
        ),
        *("MEL", "NV", "BCC", "AKIEC", "AK", "BKL", "DF", "VASC", "SCC", "UNK"),
    ]
)
SPLITS = st.sampled_from(["train", "val", "test", "TEST set", "", "x"])
RARELY = st.sampled_from([False] * 7 + [True])


def to_text(header: list[str], rows: list[list[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream).writerows([header, *rows])
    return stream.getvalue()


@st.composite
def any_table(draw: st.DrawFn) -> str:
    """Return a table of columns that are used somewhere, with any cells."""
    header = draw(st.lists(COLUMNS | NAMES, min_size=1, max_size=12))
    cells = st.one_of(NUMBERS, st.sampled_from(ODD_NUMBERS), WORDS, IMAGES)
    rows = st.lists(st.lists(cells, min_size=len(header), max_size=len(header)), min_size=1, max_size=6)
    return to_text(header, draw(rows))


def or_rarely(draw: st.DrawFn, usual: st.SearchStrategy, unusual: st.SearchStrategy) -> st.SearchStrategy:
    """Return a strategy of usual cells, which in some files are mixed with unusual ones."""
    return usual | unusual if draw(RARELY) else usual


@st.composite
def tables(draw: st.DrawFn, count: int) -> list[str]:
    """Return predictions of the same images and classes with any names, in which some cells may be wrong."""
    names = or_rarely(draw, st.sampled_from(GOOD_WORDS), NAMES)
    classes = draw(st.lists(names, min_size=2, max_size=4, unique=True))
    names = or_rarely(draw, st.sampled_from(IMAGE_NAMES[:-2]), IMAGES)
    images = draw(st.lists(names, min_size=1, max_size=10, unique=True))
    labels = or_rarely(draw, st.sampled_from(classes), NAMES)
    lesions = or_rarely(draw, st.sampled_from(["L1", "L2", "L3", "L4", "NA", ""]), NAMES)
    scores = or_rarely(draw, NUMBERS, st.sampled_from(ODD_NUMBERS))
    shared = [[image, draw(lesions), draw(labels), draw(SPLITS)] for image in images]
    header = ["image_id", "lesion_id", "label", "split", *(f"p_{name}" for name in classes)]
    return [
        to_text(header, [[*row, *(draw(scores) for _ in classes)] for row in shared]) for _ in range(count)
    ]


@st.composite
def files(draw: st.DrawFn, count: int) -> tuple[list[str], str | None]:
    """Return texts of prediction files and, in some cases, of a ground truth for their images or for others."""
    anything = st.lists(any_table() | st.text(), min_size=count, max_size=count)
    texts = draw(anything if draw(RARELY) else tables(count))
    if draw(st.booleans()):
        return texts, None
    return texts, draw(any_table()) if draw(RARELY) else texts[0]


@st.composite
def options(draw: st.DrawFn) -> dict[str, object]:
    """Return options of `read_predictions`, most often the default."""
    return {
        "other_class": draw(NAMES) if draw(RARELY) else None,
        "split": draw(SPLITS) if draw(RARELY) else "",
        "common_images": draw(st.booleans()),
    }


DECISIONS = st.sampled_from(["argmax", "isic", 0.5])
TASKS = st.just("all") | st.just("all") | WORDS | st.builds("{}/{}".format, WORDS, WORDS)
once = settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)


def write(folder: Path, name: str, text: str | None) -> Path | None:
    if text is None:
        return None
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    return folder / name


def check_result(result: EvaluationResult, folder: Path) -> None:
    """Check that a result is complete and consistent, and that it can be shown and written."""
    assert EvaluationResult.from_json(result.to_json()).to_json() == result.to_json()
    assert sum(result.support) == result.n_images == sum(map(sum, result.confusion_matrix))
    for estimate in result.estimates:
        assert math.isnan(estimate.value) or 0 <= estimate.value <= METRICS[estimate.metric].highest
        assert math.isnan(estimate.low) or estimate.low < estimate.high
        assert estimate.caveats or not math.isnan(estimate.value)
    for width in (40, 80, 120):
        Console(file=io.StringIO(), width=width).print(evaluation_table(result))


def check_evaluation(
    folder: Path, texts: list[str], truth: str | None, reading: dict, decision: object, task: str
) -> None:
    file, labels = write(folder, "p.csv", texts[0]), write(folder, "t.csv", truth)
    assert file is not None
    try:
        predictions = read_predictions(file, ground_truth=labels, **reading)
        rule = decision
        if isinstance(decision, float):
            rule = constant_thresholds(decision, to_binary_task(predictions, task).predictions)
        result = evaluate(predictions, n_resamples=4, decision=rule, task=task)
    except LesionLensError:
        return
    check_result(result, folder)
    write_predictions(folder / "again.csv", predictions)
    again = read_predictions(folder / "again.csv")
    assert again.label.tolist() == predictions.label.tolist()
    assert again.lesion_id.tolist() == predictions.lesion_id.tolist()
    np.testing.assert_array_equal(again.scores, predictions.scores)


def check_comparison(folder: Path, texts: list[str], truth: str | None, reading: dict) -> None:
    labels = write(folder, "t.csv", truth)
    files = [write(folder, f"{n}.csv", text) for n, text in enumerate(texts)]
    try:
        models = [read_predictions(file, ground_truth=labels, **reading) for file in files if file]
        aligned = align(models, ["[a]", "b"], intersect=reading["common_images"])
        report = compare_models(aligned.predictions, ["[a]", "b"], n_resamples=4)
    except LesionLensError:
        return
    for comparison in report.comparisons:
        for test in (comparison.primary_test, comparison.interval_result):
            assert math.isnan(test.low) or test.low < test.high
            assert math.isnan(test.p) or 0 < test.p <= 1
            assert test.reason or not math.isnan(test.p)
    write_comparison(folder, report)
    for width in (40, 80, 120):
        Console(file=io.StringIO(), width=width).print(comparison_table(report))


@once
@given(files(1), options(), DECISIONS, TASKS)
def test_any_file_ends_in_a_result_or_an_error(
    tmp_path: Path, inputs: tuple[list[str], str | None], reading: dict, decision: object, task: str
) -> None:
    check_evaluation(tmp_path, *inputs, reading, decision, task)


@pytest.mark.slow
@settings(once, max_examples=10_000)
@given(files(1), options(), DECISIONS, TASKS)
def test_many_files_end_in_a_result_or_an_error(
    tmp_path: Path, inputs: tuple[list[str], str | None], reading: dict, decision: object, task: str
) -> None:
    check_evaluation(tmp_path, *inputs, reading, decision, task)


ONLY_OTHER = "image_id,label,p_b,p_c\na,d,0.2,0.3\nx,d,0.5,0.5\n"


@once
@given(files(2), options())
@example(([ONLY_OTHER, ONLY_OTHER], None), {"other_class": "d", "split": "", "common_images": False})
def test_any_two_files_end_in_a_comparison_or_an_error(
    tmp_path: Path, inputs: tuple[list[str], str | None], reading: dict
) -> None:
    check_comparison(tmp_path, *inputs, reading)


@pytest.mark.slow
@settings(once, max_examples=10_000)
@given(files(2), options())
def test_many_files_end_in_a_comparison_or_an_error(
    tmp_path: Path, inputs: tuple[list[str], str | None], reading: dict
) -> None:
    check_comparison(tmp_path, *inputs, reading)


@pytest.mark.filterwarnings("ignore:No installed font has the characters")
@settings(once, max_examples=1)
@given(tables(1))
@example(
    [to_text(["image_id", "label", "p_$a$", "p_^_{"], [["x", "$a$", "1", "0"], ["y", "^_{", "0.2", "0.8"]])]
)
def test_figures_of_any_names_are_written(tmp_path: Path, texts: list[str]) -> None:
    file = write(tmp_path, "p.csv", texts[0])
    assert file is not None
    try:
        result = evaluate(read_predictions(file), n_resamples=4)
    except LesionLensError:
        return
    write_figures(tmp_path, result)
