"""The command ``lesionlens compare``: its output, its files and its errors."""

import json
import re
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console
from scipy import stats

from lesionlens import cli
from lesionlens.evaluation.comparison import delong, holm
from lesionlens.evaluation.comparison.models import compare_models
from lesionlens.evaluation.comparison.plots import comparison_figure
from lesionlens.evaluation.comparison.runs import compare_runs
from lesionlens.evaluation.comparison.tables import comparison_table
from lesionlens.evaluation.comparison.tests import mcnemar
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.metric import MACRO, OVERALL
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.runs.schema import Recipe

from ...helpers.fake_groups import REPEATS, write_run_group
from ...helpers.random_predictions import random_predictions

TWO = ("other", "melanoma")


def run(monkeypatch: pytest.MonkeyPatch, arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lesionlens", "compare", *arguments.split()])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    return int(exit_info.value.code or 0)


def models(n: int = 80, *, classes: tuple[str, ...] = TWO) -> list[Predictions]:
    """Simulate three models of the same images with increasing noise; each image is its own lesion."""
    first = random_predictions(n, classes=classes)
    first = replace(first, lesion_id=first.image_id)
    noise = np.random.default_rng(9).random((2, *first.scores.shape))
    return [first, *(replace(first, scores=first.scores / 2 + extra / 2) for extra in noise)]


@pytest.fixture(scope="module")
def prediction_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a.csv, b.csv and c.csv of the same images, and few.csv without five of them."""
    folder = tmp_path_factory.mktemp("predictions")
    for name, model in zip("abc", models(), strict=True):
        write_predictions(folder / f"{name}.csv", model)
    write_predictions(folder / "few.csv", models()[1].select(np.arange(5, 80)))
    write_predictions(folder / "many.csv", replace(random_predictions(80), label=np.full(80, "")))
    return folder


@pytest.fixture
def workdir(tmp_path: Path, prediction_files: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: a copy of the files of predictions."""
    shutil.copytree(prediction_files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    return tmp_path


def runs(seed: int, names: str = "run-01 run-02 run-03 run-04") -> dict[str, EvaluationResult]:
    return {
        name: evaluate(random_predictions(60, classes=TWO, seed=seed + index), n_resamples=0)
        for index, name in enumerate(names.split())
    }


def predict_repeat(recipe: Recipe, *, first_seed: int) -> Predictions:
    return random_predictions(60, classes=TWO, seed=first_seed + recipe.train.seed - 7)


def test_two_files_are_compared_and_written(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.csv b.csv --bootstrap-samples 60 -o out") == 0
    output = capsys.readouterr().out
    a, b, _ = models()
    exact = delong(a.label == "melanoma", a.scores[:, 1], b.scores[:, 1])
    assert "80 images of 80 lesions; 95 % intervals" in output
    assert "a − b: above zero the first is better" in output
    assert re.search(rf"AUC, melanoma +0\.\d+ +0\.\d+ +\+{exact.difference:.3f} .*DeLong", output)
    assert "Research use only, not a medical device." in output
    assert {file.name for file in Path("out").iterdir()} == {
        f"comparison.{kind}" for kind in ("json", "csv", "png", "svg")
    }
    table = pd.read_csv("out/comparison.csv", keep_default_na=False, na_values={"p": "", "p_holm": ""})
    table = table.set_index(["metric", "class", "aggregate", "test"])
    assert table.loc[("auc", "melanoma", "", "DeLong"), "p"] == pytest.approx(exact.p)
    correct = [model.scores.argmax(axis=1) == model.targets() for model in (a, b)]
    assert table.loc[("accuracy", "", "all", "McNemar"), "p"] == pytest.approx(mcnemar(*correct).p)
    primary = table[table["p_holm"].notna()]
    np.testing.assert_allclose(primary["p_holm"], holm(primary["p"]))
    assert len(primary) == 8
    record = json.loads(Path("out/comparison.json").read_text())
    assert record["settings"]["n_resamples"] == 60
    assert [row["p"] for row in record["comparisons"]] == pytest.approx(list(table["p"]))


def test_all_pairs_of_one_metric_are_compared(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = "a.csv b.csv c.csv --all-pairs -m auc:melanoma -m accuracy --bootstrap-samples 20"
    assert run(monkeypatch, arguments) == 0
    output = capsys.readouterr().out
    assert [line.split(":")[0] for line in output.splitlines() if " − " in line] == [
        "a − b",
        "a − c",
        "b − c",
    ]
    assert "corrected for all 6 differences with a p" in output
    assert run(monkeypatch, "a.csv b.csv c.csv -m auc --bootstrap-samples 20") == 0
    assert "corrected for all 2 differences" in capsys.readouterr().out


def test_threshold_applies_to_all_models(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(monkeypatch, "a.csv b.csv --threshold 0.3 -m sensitivity:melanoma --bootstrap-samples 20 -o out")
        == 0
    )
    assert "Decision rule: thresholds (given): melanoma 0.3;" in capsys.readouterr().out
    a, b, _ = models()
    melanoma = a.label == "melanoma"
    sensitivities = [(model.scores[melanoma, 1] >= 0.3).mean() for model in (a, b)]
    record = json.loads(Path("out/comparison.json").read_text())
    (row,) = record["comparisons"]
    assert [row["value_first"], row["value_second"]] == pytest.approx(sensitivities)
    assert sensitivities[0] != (a.scores[melanoma].argmax(axis=1) == 1).mean()
    assert record["settings"]["decision"] == "thresholds (given): melanoma 0.3"


def test_common_images_are_compared_on_request(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.csv few.csv") == 1
    assert "few lacks 5 (ISIC_0000000" in capsys.readouterr().err
    assert run(monkeypatch, "a.csv few.csv --common-images --bootstrap-samples 20") == 0
    assert "Compared on the 75 images that all files have, of 80." in capsys.readouterr().out


def test_models_of_other_classes_are_compared_on_a_task(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.csv many.csv --bootstrap-samples 20") == 1
    assert "reduce both to a common binary task: --task CLASS" in capsys.readouterr().err
    write_predictions("seven.csv", replace(random_predictions(80), label=np.full(80, "melanoma")))
    write_predictions("a2.csv", replace(models()[0], label=np.full(80, "melanoma")))
    truth = pd.DataFrame(
        {"image": random_predictions(80).image_id, "label": np.where(np.arange(80) % 3, "nevus", "melanoma")}
    )
    truth.to_csv("truth.csv", index=False)
    assert run(monkeypatch, "a2.csv seven.csv --task melanoma --labels truth.csv --bootstrap-samples 20") == 0
    assert "AUC, melanoma" in capsys.readouterr().out


def test_multi_image_lesions_use_the_bootstrap() -> None:
    a, b, _ = models()
    lesions = np.repeat(np.arange(40), 2).astype(str)
    a, b = (
        replace(model, lesion_id=lesions, label=np.array(TWO)[np.arange(80) // 2 % 2]) for model in (a, b)
    )
    report = compare_models([a, b], ["a", "b"], n_resamples=20)
    assert {comparison.primary_test.test for comparison in report.comparisons} == {"bootstrap"}
    assert [test.test for test in report.comparisons[0].tests] == ["bootstrap", "DeLong"]
    assert report.caveats[-1].startswith(
        "The smallest possible p of a bootstrap of 20 resamples is 0.095, or 0.76 after Holm's correction for 8"
    )
    assert report.caveats[0].startswith("40 of 40 lesions have several images. DeLong's and McNemar's")


def test_only_classes_with_images_are_compared() -> None:
    a = random_predictions(120, prior=[0.3, 0.4, 0.3, 0, 0, 0, 0])
    report = compare_models([a, a], ["a", "b"], n_resamples=10)
    aucs = [comparison.scope for comparison in report.comparisons if comparison.metric == "auc"]
    assert aucs == [*(name for name in a.classes if (a.label == name).any()), MACRO]
    assert all(np.isnan(comparison.primary_test.p) for comparison in report.comparisons)


def test_groups_of_runs_are_paired_by_name(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arl, baseline = runs(1), runs(11)
    for name, first_seed in (("ARL", 1), ("BASELINE", 11)):
        predict = partial(predict_repeat, first_seed=first_seed)
        write_run_group(workdir / name, predict, {**REPEATS, "num_repeats": 4})
    assert run(monkeypatch, "ARL BASELINE --all-pairs -m auc:melanoma -m accuracy -o out") == 0
    output = capsys.readouterr().out
    assert "Runs: ARL 4, BASELINE 4; 95 % intervals" in output
    table = pd.read_csv("out/comparison.csv").query("metric == 'auc'").set_index("test")["p"]
    a, b = (
        [evaluation.value("auc", "melanoma") for evaluation in evaluations.values()]
        for evaluations in (arl, baseline)
    )
    assert table["paired t"] == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert table["Wilcoxon"] == pytest.approx(stats.wilcoxon(a, b).pvalue)
    assert table["independent t"] == pytest.approx(stats.ttest_ind(a, b).pvalue)
    assert table["sign flip"] == pytest.approx(
        stats.permutation_test((np.subtract(a, b),), np.mean, permutation_type="samples").pvalue
    )


def test_unpaired_runs_use_the_independent_t_test() -> None:
    a, b = runs(1), runs(11, "run-05 run-06 run-07")
    report = compare_runs([a, b], ["a", "b"], keys=[("auc", "melanoma")])
    values = [[evaluation.value("auc", "melanoma") for evaluation in group.values()] for group in (a, b)]
    assert report.comparisons[0].primary_test.p == pytest.approx(stats.ttest_ind(*values).pvalue)
    assert report.comparisons[0].values == pytest.approx(tuple(map(np.mean, values)))
    assert any("have 0 of up to 4 run names in common" in caveat for caveat in report.caveats)
    few = compare_runs([a, runs(11, "run-02 run-03 run-09")], ["a", "b"], keys=[("auc", "melanoma")])
    assert few.comparisons[0].primary_test.n == 2
    assert any("have 2 of up to 4 run names in common" in caveat for caveat in few.caveats)


def test_different_images_and_excluded_runs_have_caveats() -> None:
    a = runs(1)
    equal = compare_runs([a, a], ["a", "b"], keys=[("auc", "melanoma")])
    predictions = random_predictions(60, classes=TWO, seed=2)
    blind = evaluate(predictions.select(predictions.label == "other"), n_resamples=0)
    report = compare_runs([a, {**a, "run-02": blind}], ["a", "b"], keys=[("auc", "melanoma")])
    assert report.caveats == (
        *equal.caveats,
        "AUC, melanoma is undefined in 1 of 4 runs of b: they are excluded from its comparison.",
        "b was evaluated on other test images than a (other class counts in run-02): the images may cause the "
        "difference.",
    )
    assert report.comparisons[0].primary_test.n == 3


def test_undefined_metric_adds_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    predictions = random_predictions(60, classes=TWO, seed=2)
    blind = evaluate(predictions.select(predictions.label == "other"), n_resamples=0)
    keys = [("auc", "melanoma"), ("accuracy", OVERALL)]
    for others, heads in (
        ("run-01 run-02", "p, paired t +Holm +Wilcoxon +sign flip +independent t"),
        ("run-08 run-09", "p, independent t +Holm"),
    ):
        report = compare_runs([runs(1), dict.fromkeys(others.split(), blind)], ["a", "b"], keys=keys)
        Console(width=120).print(comparison_table(report))
        output = capsys.readouterr().out
        assert re.search(rf"Metric +First +Second +Difference +{heads} *\n", output)
        assert re.search(r"AUC, melanoma +0\.944 +– +– +– *\n", output)


def test_too_few_resamples_have_a_caveat() -> None:
    a, b, _ = models()
    report = compare_models([a, b], ["a", "b"], n_resamples=99, keys=[("f1", MACRO)])
    assert report.sample_description == "80 images of 80 lesions"
    assert report.caveats == (
        "Lesions are unknown: each image counts as its own lesion. If several images show the same lesion, the "
        "intervals are too narrow and p is too small.",
        "The smallest possible p of a bootstrap of 99 resamples is 0.02.",
    )
    report = compare_models([a, b], ["a", "b"], n_resamples=99, keys=[("f1", name) for name in (MACRO, *TWO)])
    assert report.caveats[-1] == (
        "The smallest possible p of a bootstrap of 99 resamples is 0.02, or 0.06 after Holm's correction for 3 "
        "differences: use more --bootstrap-samples, or fewer --metric."
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("a.csv", "two or more different prediction files"),
        ("a.csv a.csv", "two or more different prediction files"),
        ("a.csv .", ". is neither a run directory"),
        ("a.csv nowhere", "nowhere"),
        (
            "a.csv b.csv --threshold 0.3 --decision isic",
            "--decision isic and --threshold 0.3 are mutually exclusive",
        ),
        ("a.csv b.csv --threshold 30%", "Did you mean 0.3"),
        (
            "a.csv b.csv --threshold youden",
            "is tuned for each model, but compare uses the same threshold",
        ),
        ("a.csv b.csv -m acu", "unknown metric 'acu': did you mean 'auc'"),
        ("a.csv b.csv -m auc:nevus", "unknown auc of 'nevus'"),
        ("many.csv many.csv.bak", "many.csv.bak"),
    ],
)
def test_invalid_arguments_raise(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    assert run(monkeypatch, arguments) == 1
    assert message in capsys.readouterr().err


def test_figure_has_aucs_and_differences() -> None:
    a, b, c = models()
    pair = compare_models([a, b], ["one", "other"], n_resamples=20)
    figure = comparison_figure(pair, [a, b], ["one", "other"])
    output = [text.get_text() for axes in figure.axes for text in axes.texts]
    auc = pair.comparisons[0]
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == [f"one {auc.values[0]:.3f}", f"other {auc.values[1]:.3f}"]
    assert any(text.startswith(f"difference +{auc.interval_result.difference:.3f} (") for text in output)
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()][:2] == ["AUC", "Average precision"]
    assert [text.get_text() for text in figure.texts] == [
        "one − other",
        "Research use only, not a medical device.",
    ]
    three = compare_models(
        [a, b, c], ["a", "b", "c"], n_resamples=5, all_pairs=True, keys=[("auc", "melanoma")]
    )
    assert len(comparison_figure(three, [a, b, c], ["a", "b", "c"]).axes) == 1 + 3
    assert len(comparison_figure(three).axes) == 3


def test_marks_of_differences_without_an_interval_are_hollow() -> None:
    a, _, _ = models()
    report = compare_models([a, a], ["one", "same"], n_resamples=20)
    marks = [line for line in comparison_figure(report).axes[0].lines if line.get_marker() == "o"]
    assert {line.get_markerfacecolor() for line in marks} == {"white"}


def test_undefined_metrics_and_few_lesions_have_caveats() -> None:
    a, b, _ = models()
    few = np.flatnonzero(a.label == "other")[:5]
    report = compare_models([a.select(few), b.select(few)], ["a", "b"], n_resamples=10)
    assert np.isnan(report.comparisons[0].primary_test.p)
    assert report.caveats[:2] == (
        "Few lesions (other 5): their intervals and p are rough guides only.",
        "– means undefined. No image of this class: AUC, melanoma; Average precision, melanoma; Sensitivity, melanoma; "
        "F1, melanoma. The same in (nearly) every resample: Precision, melanoma.",
    )


@pytest.mark.slow
def test_figure_of_many_classes_is_written(tmp_path: Path) -> None:
    from lesionlens.evaluation.comparison.plots import write_comparison_figure

    a, b, _ = models(200, classes=("w", "x", "y", "z"))
    report = compare_models([a, b], ["a", "b"], n_resamples=20)
    png, svg = write_comparison_figure(tmp_path, report, [a, b], ["a", "b"])
    with Image.open(png) as image:
        assert min(image.size) > 1000
    assert "</svg>" in svg.read_text()


@pytest.mark.parametrize(
    ("metrics", "direction"),
    [
        ("auc ece", "above zero the first is better, and below zero where lower is better"),
        ("ece", "below zero the first is better"),
    ],
)
def test_direction_of_metrics_is_stated(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    metrics: str,
    direction: str,
) -> None:
    options = " ".join(f"--metric {name}" for name in metrics.split())
    assert run(monkeypatch, f"a.csv b.csv --bootstrap-samples 20 {options}") == 0
    output = capsys.readouterr().out
    assert f"a − b: {direction}\n" in output
    assert "Calibration error (lower is better)" in output
