"""Figures of an evaluation: any number of classes, their labels, and no import of pyplot."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.core import fonts
from lesionlens.core.taxonomy import DIAGNOSES
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.plots import FIGURES, confusion_figure, roc_figure, write_figures
from lesionlens.evaluation.score_plots import SCORE_FIGURES
from lesionlens.evaluation.thresholds import Thresholds

from ..helpers.random_predictions import random_predictions


@pytest.mark.slow
def test_every_figure_is_written_with_two_rows_of_panels(tmp_path: Path) -> None:
    result = evaluate(random_predictions(90, classes=tuple(DIAGNOSES)[:5]), n_resamples=10)
    for path in write_figures(tmp_path, result, suffixes=["png"]):
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        assert min(pixels.shape[:2]) > 300
        assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"{name}.png" for name in sorted(FIGURES | SCORE_FIGURES)
    ]


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_vector_formats_are_written(tmp_path: Path, suffix: str) -> None:
    result = evaluate(random_predictions(60, classes=("a", "b")), n_resamples=0)
    assert all(path.stat().st_size > 2000 for path in write_figures(tmp_path, result, suffixes=[suffix]))


def test_missing_glyphs_are_boxes_except_in_svg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FALLBACK_FONTS", ())
    result = evaluate(random_predictions(60, classes=("黑色素瘤", "nevus")), n_resamples=0)
    write_figures(tmp_path, result, suffixes=["svg"])
    assert "黑色素瘤 (" in (tmp_path / "confusion.svg").read_text(encoding="utf-8")
    with pytest.warns(
        UserWarning, match="No installed font has the characters 瘤素色黑: the PNG and PDF files show boxes"
    ):
        write_figures(tmp_path, result, suffixes=["png", "svg", "pdf"])


def test_panel_titles_have_class_metric_and_interval() -> None:
    result = evaluate(random_predictions(90, prior=[0.5, 0.5, 0, 0, 0, 0, 0]), n_resamples=10)
    figure = roc_figure(result)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        name.replace("_", " ") for name in result.classes
    ]
    first = figure.axes[0].texts[0].get_text()
    auc = result.estimate("auc", "melanoma")
    assert first.startswith(f"AUC {auc.value:.3f} ({auc.low:.3f}–{auc.high:.3f})\n{result.support[0]} images")
    assert figure.axes[6].texts[0].get_text().startswith("no image of this class")
    assert not figure.axes[6].lines
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["this class", "its 95 % interval over lesions", "other classes", "chance"]


def test_confusion_matrix_cells_have_fraction_and_count() -> None:
    result = evaluate(random_predictions(90, classes=("a", "b")), n_resamples=0)
    texts = [text.get_text() for text in confusion_figure(result).axes[0].texts]
    cells = np.array(result.confusion_matrix)
    expected = [
        f"{100 * cells[i, j] / cells[i].sum():.0f} %\n{cells[i, j]}" for i in range(2) for j in range(2)
    ]
    assert texts == expected


def test_confusion_matrix_label_names_the_decision_rule() -> None:
    p = random_predictions(90, classes=("a", "b"))
    for decision, label in (
        ("argmax", "Predicted class (largest score)"),
        (Thresholds({"b": 0.3}), "Predicted class (threshold)"),
    ):
        axes = confusion_figure(evaluate(p, n_resamples=0, decision=decision)).axes[0]
        assert axes.get_xlabel() == label
    each_its_own = evaluate(p, n_resamples=0, decision=Thresholds({"a": 0.9, "b": 0.9}))
    assert confusion_figure(each_its_own).axes[0].get_xlabel() == "Predicted class (largest score)"
    assert each_its_own.confusion_matrix == evaluate(p, n_resamples=0).confusion_matrix


def test_imports_are_minimal() -> None:
    script = (
        "import sys\n"
        "import lesionlens.evaluation.evaluate, lesionlens.evaluation.predictions_io, lesionlens.evaluation.tables\n"
        "assert not {'torch', 'matplotlib', 'sklearn'} & set(sys.modules)\n"
        "import lesionlens.evaluation.plots\n"
        "assert not {'torch', 'matplotlib.pyplot'} & set(sys.modules)\n"
        "import lesionlens.report.build\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
