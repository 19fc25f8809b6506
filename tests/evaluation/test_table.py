"""The tables of the terminal."""

import io

import pytest
from rich.console import Console

from lesionlens.data.taxonomy import DIAGNOSES
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.evaluation import Evaluation
from lesionlens.evaluation.table import evaluation_table

from .cases import drawn


def printed(evaluation: Evaluation, width: int = 100) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(evaluation_table(evaluation))
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("classes", [tuple(DIAGNOSES), ("other", "melanoma")])
def test_numbers_intervals_and_sizes_are_whole_in_80_columns_and_more(
    classes: tuple[str, ...], width: int
) -> None:
    found = evaluate(drawn(200, classes=classes), replicates=30)
    text = printed(found, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    if width == 80:
        assert all(name.replace("_", " ") in text for name in classes)
    text = " ".join(text.split())
    assert f"200 images of {found.lesions} lesions; 95 % intervals from 30 bootstrap replicates" in text
    for each in found.estimates:
        if each.metric != "accuracy" or each.of == "all":
            assert f"{each.value:.3f} ({each.low:.3f}–{each.high:.3f})" in text, each
    assert text.rstrip().endswith("Research use only, not a medical device.")


def test_what_is_undefined_is_a_dash_with_its_reason() -> None:
    label_only = [0.5, 0.5, 0, 0, 0, 0, 0]
    text = " ".join(printed(evaluate(drawn(80, prior=label_only), replicates=0), width=400).split())
    assert "dermatofibroma 0 0 – – –" in text
    assert "Note: No image of: basal_cell_carcinoma" in text
    assert "80 images of" in text
    assert "without intervals" in text


def test_remarks_on_a_class_are_gathered() -> None:
    found = evaluate(drawn(30, seed=2), replicates=20)
    remarked = [each for each in found.estimates if each.of == "dermatofibroma" and each.note]
    assert len(remarked) > 1
    assert len({each.note for each in remarked}) > 1, "the case needs a second remark on some of them"
    assert printed(found, width=400).count("Note: dermatofibroma: only") == 1
