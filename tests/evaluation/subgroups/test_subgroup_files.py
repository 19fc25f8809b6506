"""Files and tables of the results by subgroup, and the option --by."""

import csv
import json
import math
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens import cli
from lesionlens.core.console import make_console
from lesionlens.core.errors import PredictionsError
from lesionlens.core.figure_style import figure_text
from lesionlens.evaluation import plots
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.subgroups import plots as subgroup_plots
from lesionlens.evaluation.subgroups.evaluate import evaluate_subgroups
from lesionlens.evaluation.subgroups.grouping import GroupSpec, group_images
from lesionlens.evaluation.subgroups.plots import draw_subgroup_forest
from lesionlens.evaluation.subgroups.result import SubgroupReport, read_subgroups
from lesionlens.evaluation.subgroups.tables import SubgroupTables, describe_subgroups, worst_group

from ...helpers.figure_layout import layout_faults
from ...helpers.images import write_lines
from ...helpers.random_predictions import random_predictions

TWO = ("other", "melanoma")
PREDICTIONS = random_predictions(120, classes=TWO, seed=12)
CELLS = np.random.default_rng(0).choice(["male", "female", "NA"], 120, p=[0.5, 0.45, 0.05]).tolist()


@pytest.fixture(scope="module")
def report() -> SubgroupReport:
    return evaluate_subgroups(PREDICTIONS, [group_images(GroupSpec("sex"), CELLS)], n_resamples=20)


def test_files_have_every_number(report: SubgroupReport, tmp_path: Path) -> None:
    report.write(tmp_path)
    saved = read_subgroups(tmp_path / "subgroups.json")
    assert saved.keys == report.keys
    assert repr(saved) == repr(report)  # NaN is not equal to itself
    with (tmp_path / "subgroups.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    metrics = [metric for group in report.subgroups for metric in group.metrics]
    assert len(rows) == len(metrics)
    for row, metric in zip(rows, metrics, strict=True):
        number = float(row["difference"] or "nan")
        assert (number == metric.difference) or (math.isnan(number) and math.isnan(metric.difference))
        assert row["scope"] == str(metric.scope)


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": "lesionlens-subgroups/0"}', "no JSON"])
def test_other_files_are_errors(tmp_path: Path, text: str) -> None:
    (tmp_path / "subgroups.json").write_text(text)
    with pytest.raises(PredictionsError, match="evaluate the predictions again: lesionlens evaluate PRED"):
        read_subgroups(tmp_path / "subgroups.json")
    with pytest.raises(PredictionsError, match="cannot read"):
        read_subgroups(tmp_path / "missing.json")


def test_figure_has_every_group_and_metric(report: SubgroupReport) -> None:
    figure = draw_subgroup_forest(report)
    text = figure_text(figure)
    for name in (
        "sex",
        "female",
        "unknown (8 lesions)",
        "Sensitivity",
        "Balanced accuracy",
        "not a medical device",
    ):
        assert name in text
    panels = figure.axes
    assert len(panels) == len(report.keys)
    points = [line for line in panels[0].lines if line.get_marker() == "o"]
    expected = [group.metric(report.keys[0]).difference for group in report.subgroups]
    np.testing.assert_allclose([line.get_xdata()[0] for line in points][:2], expected[:2])
    assert {line.get_markerfacecolor() for line in points} == {"white"}
    one = draw_subgroup_forest(report, report.keys[:1])
    assert len(one.axes) == 1
    assert layout_faults(one) == layout_faults(figure) == []


def test_worst_group_has_enough_lesions(report: SubgroupReport) -> None:
    groups = report.subgroups
    key = report.keys[0]
    worst = worst_group(groups, key)
    assert worst is not None
    large = [group for group in groups if group.n_lesions >= 10]
    assert worst.metric(key).value == min(group.metric(key).value for group in large)
    assert worst_group(groups[:1], key) is None


@pytest.mark.parametrize("width", [80, 120])
def test_tables_fit_the_width(report: SubgroupReport, width: int) -> None:
    console = make_console()
    console.width = width
    with console.capture() as capture:
        console.print(SubgroupTables(report))
    text = capture.get()
    assert max(map(len, text.splitlines())) <= width
    for part in ("By sex", "female", "unknown", "No group differs", "Worst groups", "not a medical device"):
        assert part in text


def test_significant_differences_are_listed_once(report: SubgroupReport) -> None:
    pair = [
        replace(group, metrics=tuple(replace(metric, p=0.001, p_holm=0.002) for metric in group.metrics))
        for group in report.subgroups[:2]
    ]
    lines = describe_subgroups(replace(report, subgroups=tuple(pair)))
    header = next(line for line in lines if line.startswith("Worst"))
    assert lines[0].startswith("Groups that differ from all other images (*: p below 0.05 after Holm's")
    assert lines.index(header) == 1 + len(report.keys)
    assert all(re.search(r"p 0\.002$", line) for line in lines[1 : lines.index(header)])


def run(monkeypatch: pytest.MonkeyPatch, arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lesionlens", "evaluate", *arguments.split()])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    return int(exit_info.value.code or 0)


@pytest.fixture(autouse=True)
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures of an evaluation take seconds, and have tests of their own."""
    monkeypatch.setattr(plots, "write_figures", lambda *_: [])
    monkeypatch.setattr(subgroup_plots, "write_subgroup_figure", lambda *_: [])


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with predictions, p.csv, and metadata, m.csv."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    write_predictions("p.csv", PREDICTIONS)
    names = map(str, PREDICTIONS.image_id)
    rows = [f"{name},{sex},{index % 90}" for index, (name, sex) in enumerate(zip(names, CELLS, strict=True))]
    Path("m.csv").write_text("\n".join(["image_id,sex,age_approx", *rows]) + "\n")
    return tmp_path


def test_command_writes_subgroups(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (
        "p.csv --by sex,age:0,45 --by-metric auc:melanoma --metadata m.csv --bootstrap-samples 20 -o e"
    )
    assert run(monkeypatch, arguments) == 0
    output = capsys.readouterr().out
    assert "By sex" in output
    assert "45 and over" in output
    saved = json.loads((workdir / "e" / "subgroups.json").read_text())
    assert {group["column"] for group in saved["subgroups"]} == {"sex", "age"}
    assert (workdir / "e" / "subgroups.csv").is_file()
    grouping = group_images(GroupSpec("sex"), CELLS)
    expected = evaluate_subgroups(PREDICTIONS, [grouping], keys=[("auc", "melanoma")], n_resamples=0)
    values = [group["metrics"][0]["value"] for group in saved["subgroups"] if group["column"] == "sex"]
    assert values == [group.metrics[0].value for group in expected.subgroups]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("p.csv --by sx --metadata m.csv", "--by: unknown column 'sx': did you mean 'sex'?"),
        ("p.csv --by age:old --metadata m.csv", "'old' is not the edge of a bin"),
        ("p.csv --by lesion_id", "different values"),
        ("p.csv --metadata m.csv", "--by-metric and --metadata require --by COLUMNS"),
        ("p.csv --by sex --metadata none.csv", "none.csv does not exist"),
        (
            "p.csv --by ita --metadata m.csv",
            "--by ita is measured on the images, but their dataset is not known",
        ),
    ],
)
def test_command_explains_errors(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    assert run(monkeypatch, arguments + " --bootstrap-samples 0") == 1
    assert message in " ".join(capsys.readouterr().err.split())


@pytest.fixture
def image_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A dataset of light and brown images, some with dark corners, and predictions, p.csv."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    names = [f"i{index}" for index in range(24)]
    for index, name in enumerate(names):
        pixels = np.full((40, 50, 3), (232, 200, 180) if index % 3 else (120, 82, 60), np.uint8)
        if index % 2:
            pixels[:5, :5] = pixels[:5, -5:] = pixels[-5:, :5] = pixels[-5:, -5:] = 2
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    labels = ["melanoma" if index % 4 < 2 else "nevus" for index in range(24)]
    rows = [f"{name}.png,{label}" for name, label in zip(names, labels, strict=True)]
    write_lines(tmp_path / "images.csv", "image,label", rows)
    scores = np.random.default_rng(0).random((24, 1))
    predictions = Predictions(
        np.array(names),
        np.array(names),
        np.array(labels),
        np.hstack([scores, 1 - scores]),
        ("melanoma", "nevus"),
    )
    write_predictions("p.csv", predictions)
    return "table:images.csv"


def test_skin_tone_without_a_column_is_the_measured_ita(
    image_table: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = f"p.csv --by skin_tone,artifacts --metadata {image_table} --bootstrap-samples 0 -o e"
    with pytest.warns(UserWarning, match="the same value: hair, ruler, ink_markings, color_patch$"):
        assert run(monkeypatch, arguments) == 0
    report = read_subgroups("e/subgroups.json")
    assert {column: [group.n_images for group in groups] for column, groups in report.by_column().items()} == {
        "ITA": [16, 8], "dark_corners (detected)": [12, 12]
    }  # fmt: skip
    text = " ".join(capsys.readouterr().out.split())
    assert "ITA is the color of the skin at the border of the images." in text
    assert "is not a phototype" in text


def test_artifact_labels_replace_the_detectors(image_table: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"i{index},{int(index < 6)}" for index in range(24)]
    write_lines(Path("artifacts.csv"), "image_id,bubble", rows)
    arguments = f"p.csv --by artifacts --metadata {image_table} --bootstrap-samples 0 -o e"
    assert run(monkeypatch, arguments) == 0
    groups = read_subgroups("e/subgroups.json").by_column()
    assert {name: [(g.name, g.n_images) for g in groups[name]] for name in groups} == {
        "bubble": [("no", 18), ("yes", 6)]
    }
