"""Layout of every figure, for any number of classes, long and CJK names: no text leaves the figure or overlaps another.

Without fonts for CJK names they are rendered as boxes, which are wider than the characters.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.core.taxonomy import DIAGNOSES
from lesionlens.datasets.audit.audit import DuplicateFinding, ImageRef
from lesionlens.datasets.audit.report import contact_sheet_figure
from lesionlens.evaluation.comparison.models import compare_models
from lesionlens.evaluation.comparison.plots import comparison_figure
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.plots import FIGURES
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.evaluation.score_plots import SCORE_FIGURES
from lesionlens.explanation.map_controls import CENTER
from lesionlens.explanation.panel import panel_figure
from lesionlens.explanation.score_drop import ScoreDrop
from lesionlens.report.plots import attention_scale_plot, class_balance_plot, learning_curve_plot
from lesionlens.reproduction.figures.base import add_footer
from lesionlens.reproduction.figures.dot_plot import dot_plot
from lesionlens.reproduction.figures.image_grid import ColorScale, GridCell, GridRow, image_grid_figure
from lesionlens.reproduction.figures.roc import mean_roc_figure
from lesionlens.reproduction.figures.scale_gates import draw_scale_gates
from lesionlens.reproduction.figures.sweep import sweep_figure
from lesionlens.reproduction.planner import TableResults

from .helpers.fake_runs import fake_results, fake_table_spec
from .helpers.figure_layout import layout_faults
from .helpers.images import write_image
from .helpers.random_predictions import random_predictions

NAMES: dict[str, Callable[[int], str]] = {
    "short": lambda index: list(DIAGNOSES)[index] if index < len(DIAGNOSES) else f"c{index}",
    "long": lambda index: (
        f"melanoma of subtype {index}, superficially spreading, of the trunk, confirmed by histology"
    ),
    "unbroken": lambda index: f"{'W' * 22}-{'x' * 30}{index}",
    "cjk": lambda index: f"第{index}类：表浅扩散型黑色素瘤（经组织病理学证实）メラノーマ 흑색종",
}


def cases(*, default: Mapping[str, Collection[int]]) -> list[Any]:
    """Return every kind of names with 1 to 12 of them; all but the default ones are slow."""
    return [
        pytest.param(
            names, k, marks=() if k in default.get(names, ()) else pytest.mark.slow, id=f"{names}-{k}"
        )
        for names in NAMES
        for k in range(1, 13)
    ]


CLASSES = cases(default={"long": (1, 12), "cjk": (3,)})
SCORE_CLASSES = cases(default={"long": (12,), "cjk": (3,)})
ROWS = cases(default={"long": (12,), "cjk": (1,)})


def class_names(names: str, k: int) -> tuple[str, ...]:
    return tuple(map(NAMES[names], range(k)))


@cache
def evaluation(names: str, k: int) -> EvaluationResult:
    return evaluate(random_predictions(30 + 10 * k, classes=class_names(names, k)), n_resamples=5)


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize(("names", "k"), [case for case in CLASSES if case.values[1] > 1])
def test_figures_of_an_evaluation(figure: str, names: str, k: int) -> None:
    assert layout_faults(FIGURES[figure](evaluation(names, k))) == []


@pytest.mark.parametrize("figure", SCORE_FIGURES)
@pytest.mark.parametrize(("names", "k"), [case for case in SCORE_CLASSES if case.values[1] > 1])
def test_figures_of_scores(figure: str, names: str, k: int) -> None:
    assert layout_faults(SCORE_FIGURES[figure](evaluation(names, k))) == []


@pytest.mark.parametrize("figure", FIGURES)
def test_figures_of_large_counts_and_empty_classes(figure: str) -> None:
    result = evaluation("long", 3)
    counts = ((1_234_567, 98_765, 0), (0, 0, 0), (7, 1_000_000, 0))
    large = replace(result, confusion_matrix=counts, support=(1_333_332, 0, 1_000_007), curves={})
    assert layout_faults(FIGURES[figure](large)) == []


@pytest.mark.parametrize(("names", "k"), CLASSES)
def test_class_balance(names: str, k: int) -> None:
    sizes = np.random.default_rng(k).integers(0, 50_000, (3, k))
    counts = {
        split: dict(zip(class_names(names, k), map(int, images), strict=True))
        for split, images in zip(("train", "validation", "test"), sizes, strict=True)
    }
    assert layout_faults(class_balance_plot(counts)) == []


def training_log(epochs: int, scales: tuple[str, ...] = ()) -> pd.DataFrame:
    t = np.arange(epochs)
    columns = {
        "train_loss": 2e4 * np.exp(-t),
        "val_loss": np.exp(-t),
        "lr": 1e-6 / (t + 1),
        "val_auc": 0.9 - 0.1 / (t + 1),
    }
    return pd.DataFrame(
        {
            "epoch": t + 1,
            **columns,
            "val_balanced_accuracy": 0.5,
            **dict.fromkeys(scales, 1e-3 + 1e-6 * t),
        }
    )


@pytest.mark.parametrize("epochs", [1, 2, 3, 12, 1000])
def test_learning_curves(epochs: int) -> None:
    assert layout_faults(learning_curve_plot(training_log(epochs), selected_epoch=epochs)) == []


@pytest.mark.parametrize("epochs", [1, 12])
@pytest.mark.parametrize("blocks", [(1,), (3, 8, 36, 3), (1, 1, 1, 1, 1)])
def test_attention_scales(epochs: int, blocks: tuple[int, ...]) -> None:
    scales = [
        f"alpha/layer{stage}.{block}" for stage, count in enumerate(blocks, 1) for block in range(count)
    ]
    figure = attention_scale_plot(training_log(epochs, (*scales, "gamma/soft")))
    assert figure is not None
    assert layout_faults(figure) == []


@cache
def model_predictions(names: str, k: int, num_models: int) -> list[Predictions]:
    first = random_predictions(60, classes=class_names(names, max(2, k)))
    rng = np.random.default_rng(0)
    return [
        replace(first, scores=(first.scores + noise * rng.random(first.scores.shape)) / (1 + noise))
        for noise in range(num_models)
    ]


@pytest.mark.parametrize(("names", "k"), CLASSES)
def test_comparison(names: str, k: int) -> None:
    num_models = 9 if names == "unbroken" else 4 if k == 1 else 2
    models, labels = model_predictions(names, k, num_models), class_names(names, num_models)
    keys = [("auc", name) for name in class_names(names, k)] + [
        ("accuracy", OVERALL),
        ("average_precision", MACRO),
    ]
    report = compare_models(models, labels, keys=keys, n_resamples=5)
    assert layout_faults(comparison_figure(report, models, labels)) == []
    if k == 1:
        assert layout_faults(comparison_figure(report)) == []


FOOTER = (
    f"{RESEARCH_USE_NOTICE} Synthetic images. Profile smoke: a small network replaces each named network."
)


def table_results(
    out: Path, names: str, num_rows: int, figure: dict[str, object] | None, group: str = ""
) -> TableResults:
    """Simulate a run for each row; columns, axes and variants have names of the same kind."""
    rows = [
        {
            "name": name,
            "recipe": "demo",
            "group": group and f"{name} {index % 3}",
            "x_value": (0.1 * index) ** 2 or None,
        }
        for index, name in enumerate(class_names(names, num_rows))
    ]
    rows[0]["published"] = {class_names(names, 2)[0]: 90.0}
    columns = [{"name": name, "metric": "auc", "class": "melanoma"} for name in class_names(names, 4)]
    spec = fake_table_spec(rows=rows, columns=columns, unit="percent", figure=figure)
    return fake_results(
        out, spec, {(str(row["name"]), ""): [0.5 + 0.1 * index] for index, row in enumerate(rows)}
    )


@pytest.mark.parametrize("kind", ["dots", "roc", "sweep", "sweep of groups"])
@pytest.mark.parametrize(("names", "k"), ROWS)
def test_plots_of_a_table(tmp_path: Path, names: str, k: int, kind: str) -> None:
    name = class_names(names, 1)[0]
    figure = {"kind": kind.split()[0], "caption": "Plot.", "target": "melanoma" if kind == "roc" else name}
    group = name if kind == "sweep of groups" else ""
    results = table_results(
        tmp_path, names, k, None if kind == "dots" else {**figure, "x_label": name}, group
    )
    draft = {"dots": dot_plot, "roc": mean_roc_figure}.get(kind, sweep_figure)(results)
    assert draft is not None
    add_footer(draft.figure, FOOTER)
    assert layout_faults(draft.figure) == []


@pytest.mark.parametrize(("names", "k"), ROWS)
def test_grid_of_images(names: str, k: int) -> None:
    image = np.full((6, 8, 3), 128, np.uint8)
    cells = [GridCell(image, f"{name}\n0.53") for name in class_names(names, k)]
    scale = ColorScale(colormaps["viridis"], "lowest weight", "highest")
    figure = image_grid_figure([GridRow(name, cells) for name in class_names(names, 3)], scale=scale)
    add_footer(figure, FOOTER)
    assert layout_faults(figure) == []


@pytest.mark.parametrize(
    ("names", "k", "epochs"),
    [("long", 1, 2), ("cjk", 4, 300), *(pytest.param("cjk", 4, n, marks=pytest.mark.slow) for n in (1, 2))],
)
def test_scale_gates(names: str, k: int, epochs: int) -> None:
    columns = {f"alpha/layer{stage}.2": name for stage, name in enumerate(class_names(names, k), 1)}
    logs = [training_log(epochs, (*columns,)).set_index("epoch")] * 2
    image = GridCell(np.full((6, 8, 3), 128, np.uint8), class_names(names, 1)[0])
    figure = draw_scale_gates(columns, logs, [image] * (k + 1), class_names(names, 1)[0])
    add_footer(figure, FOOTER)
    assert layout_faults(figure) == []


@pytest.mark.parametrize(
    ("names", "num_maps"),
    [("short", 1), ("long", 2), ("unbroken", 1), ("unbroken", 7), ("cjk", 1), ("cjk", 12)],
)
def test_panel_of_maps(names: str, num_maps: int) -> None:
    image, classes = np.full((6, 8, 3), 128, np.uint8), class_names(names, 3)
    map_names = ["end-crops", "gradcam", *(f"gate-{name}" for name in class_names(names, num_maps))][
        :num_maps
    ]
    figure = panel_figure(
        image, dict.fromkeys(map_names, image), name=f"{classes[0] * 3}.jpg",
        scores=dict.fromkeys(classes, 0.33), label=classes[0], target_class=classes[1],
        score_drops=dict.fromkeys((*map_names[1:], CENTER), ScoreDrop(0.33, 0.1)), dpi=110,
    )  # fmt: skip
    assert layout_faults(figure) == []


@pytest.mark.parametrize(
    "names", [pytest.param(names, marks=() if names == "long" else pytest.mark.slow) for names in NAMES]
)
def test_contact_sheet_of_duplicates(tmp_path: Path, names: str) -> None:
    write_image(tmp_path / "a.png", size=(6, 8))
    first, second = (
        ImageRef(name, name, "train", name, "", str(tmp_path / "a.png")) for name in class_names(names, 2)
    )
    pairs = [DuplicateFinding(first, second, "near", 0.95)] * 22
    assert layout_faults(contact_sheet_figure(pairs)) == []


@pytest.mark.parametrize(
    ("texts", "fault"),
    [
        ([(0.5, 0.5, "a", {}), (0.9, 0.5, "leaves the figure" * 3, {})], "leaves the figure"),
        ([(0.5, 0.5, "first", {}), (0.505, 0.51, "second", {})], "'first' overlaps 'second'"),
        ([(0.2, 0.2, "first" * 5, {"rotation": 40}), (0.3, 0.35, "second", {})], "overlaps 'second'"),
        ([(0.2, 0.2, "first" * 5, {"rotation": 40}), (0.3, 0.22, "second", {})], ""),
        ([(0.03, 0.92, "a", {})], "'a' overlaps the legend"),
    ],
)
def test_check_of_layouts(texts: list[tuple[float, float, str, dict[str, float]]], fault: str) -> None:
    figure = Figure((4, 3))
    figure.legend([figure.add_artist(Line2D([], []))], ["line"], loc="upper left")
    for x, y, text, options in texts:
        figure.text(x, y, text, **options)
    faults = layout_faults(figure)
    assert any(fault in message for message in faults) if fault else faults == []
