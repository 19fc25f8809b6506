"""``lesionlens compare`` as a person types it, and what it leaves."""

import json
import re
import sys
from dataclasses import replace
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
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.result import EvaluationResult, write_evaluation

from ...helpers.random_predictions import random_predictions

TWO = ("other", "melanoma")


def run(monkeypatch: pytest.MonkeyPatch, words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lesionlens", "compare", *words.split()])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


def models(n: int = 80, *, classes: tuple[str, ...] = TWO) -> list[Predictions]:
    """Three models of the same images, each image its own lesion; each with more noise than the one before."""
    first = random_predictions(n, classes=classes)
    first = replace(first, lesion_id=first.image_id)
    noise = np.random.default_rng(9).random((2, *first.scores.shape))
    return [first, *(replace(first, scores=first.scores / 2 + each / 2) for each in noise)]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a.csv, b.csv and c.csv of the same images, and few.csv without five of them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    for name, each in zip("abc", models(), strict=True):
        write_predictions(f"{name}.csv", each)
    write_predictions("few.csv", models()[1].select(np.arange(5, 80)))
    write_predictions("many.csv", replace(random_predictions(80), label=np.full(80, "")))
    return tmp_path


def group(path: Path, evaluations: dict[str, EvaluationResult]) -> None:
    """Write what is left of a recipe that was run several times."""
    children = {name: {"status": "finished"} for name in evaluations}
    path.mkdir()
    (path / "recipe.yaml").write_text("num_repeats: 3\n")
    (path / "multi_run.json").write_text(json.dumps({"runs_status": children, "split": "test"}))
    for name, each in evaluations.items():
        write_evaluation(path / name / "evaluation" / "test.json", each)
        (path / name / "metadata.json").write_text('{"status": "finished"}')
        (path / name / "recipe.yaml").write_text("{}\n")


def runs(seed: int, names: str = "run-01 run-02 run-03 run-04") -> dict[str, EvaluationResult]:
    return {
        name: evaluate(random_predictions(60, classes=TWO, seed=seed + place), n_resamples=0)
        for place, name in enumerate(names.split())
    }


def test_two_files_are_compared_printed_written_and_drawn(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.csv b.csv --bootstrap-samples 60 -o out") == 0
    said = capsys.readouterr().out
    a, b, _ = models()
    exact = delong(a.label == "melanoma", a.scores[:, 1], b.scores[:, 1])
    assert "80 images of 80 lesions; 95 % intervals" in said
    assert "a − b: above zero the first is better" in said
    assert re.search(rf"AUC, melanoma +0\.\d+ +0\.\d+ +\+{exact.difference:.3f} .*DeLong", said)
    assert "Research use only, not a medical device." in said
    assert {file.name for file in Path("out").iterdir()} == {
        f"comparison.{kind}" for kind in ("json", "csv", "png", "svg")
    }
    table = pd.read_csv("out/comparison.csv").set_index(["metric", "scope", "test"])
    assert table.loc[("auc", "melanoma", "DeLong"), "p"] == pytest.approx(exact.p)
    hits = [(each.scores.argmax(axis=1) == each.targets()) for each in (a, b)]
    assert table.loc[("accuracy", "all", "McNemar"), "p"] == pytest.approx(mcnemar(*hits).p)
    shown = table[table["p_holm"].notna()]
    np.testing.assert_allclose(shown["p_holm"], holm(shown["p"]))
    assert len(shown) == 8
    record = json.loads(Path("out/comparison.json").read_text())
    assert record["settings"]["n_resamples"] == 60
    assert [row["p"] for row in record["comparisons"]] == pytest.approx(list(table["p"]))


def test_a_class_of_many_is_asked_about_by_name_and_every_pair_is_compared(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "a.csv b.csv c.csv --all-pairs -m auc:melanoma -m accuracy --bootstrap-samples 20"
    assert run(monkeypatch, words) == 0
    said = capsys.readouterr().out
    assert [line.split(":")[0] for line in said.splitlines() if " − " in line] == ["a − b", "a − c", "b − c"]
    assert "corrected for all 6 differences with a p" in said
    assert run(monkeypatch, "a.csv b.csv c.csv -m auc --bootstrap-samples 20") == 0
    assert "corrected for all 2 differences" in capsys.readouterr().out


def test_a_threshold_decides_for_all_as_it_does_in_an_evaluation(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(monkeypatch, "a.csv b.csv --threshold 0.3 -m sensitivity:melanoma --bootstrap-samples 20 -o out")
        == 0
    )
    assert "Decided by thresholds (given): melanoma 0.3;" in capsys.readouterr().out
    a, b, _ = models()
    melanoma = a.label == "melanoma"
    shares = [(each.scores[melanoma, 1] >= 0.3).mean() for each in (a, b)]
    record = json.loads(Path("out/comparison.json").read_text())
    (row,) = record["comparisons"]
    assert [row["value_first"], row["value_second"]] == pytest.approx(shares)
    assert shares[0] != (a.scores[melanoma].argmax(axis=1) == 1).mean()
    assert record["settings"]["decision"] == "thresholds (given): melanoma 0.3"


def test_other_images_are_named_and_common_ones_compared_on_request(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.csv few.csv") == 1
    assert "few lacks 5 (ISIC_0000000" in capsys.readouterr().err
    assert run(monkeypatch, "a.csv few.csv --common-images --bootstrap-samples 20") == 0
    assert "Compared on the 75 images that all have, of 80." in capsys.readouterr().out


def test_models_of_other_classes_answer_one_question(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "a.csv many.csv --bootstrap-samples 20") == 1
    assert "ask one question that both answer: --task CLASS" in capsys.readouterr().err
    write_predictions("seven.csv", replace(random_predictions(80), label=np.full(80, "melanoma")))
    write_predictions("a2.csv", replace(models()[0], label=np.full(80, "melanoma")))
    truth = pd.DataFrame(
        {"image": random_predictions(80).image_id, "label": np.where(np.arange(80) % 3, "nevus", "melanoma")}
    )
    truth.to_csv("truth.csv", index=False)
    assert run(monkeypatch, "a2.csv seven.csv --task melanoma --labels truth.csv --bootstrap-samples 20") == 0
    assert "AUC, melanoma" in capsys.readouterr().out


def test_lesions_of_several_images_are_judged_by_the_bootstrap() -> None:
    a, b, _ = models()
    lesions = np.repeat(np.arange(40), 2).astype(str)
    a, b = (replace(each, lesion_id=lesions, label=np.array(TWO)[np.arange(80) // 2 % 2]) for each in (a, b))
    found = compare_models([a, b], ["a", "b"], n_resamples=20)
    assert {each.primary_test.test for each in found.comparisons} == {"bootstrap"}
    assert [each.test for each in found.comparisons[0].tests] == ["bootstrap", "DeLong"]
    assert found.caveats[-1].startswith(
        "A bootstrap of 20 resamples gives no p below 0.095, and where all 8 diff"
    )
    assert found.caveats[0].startswith("40 of 40 lesions have several images. DeLong's and McNemar's")


def test_of_many_classes_those_with_images_are_compared() -> None:
    a = random_predictions(120, prior=[0.3, 0.4, 0.3, 0, 0, 0, 0])
    found = compare_models([a, a], ["a", "b"], n_resamples=10)
    aucs = [each.scope for each in found.comparisons if each.metric == "auc"]
    assert aucs == [*(name for name in a.classes if (a.label == name).any()), "macro"]
    assert all(each.primary_test.p == 1 for each in found.comparisons if each.metric == "auc")


def test_groups_of_runs_are_compared_run_by_run(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = runs(1), runs(11)
    group(here / "ARL", one)
    group(here / "PLAIN", other)
    assert run(monkeypatch, "ARL PLAIN --all-pairs -m auc:melanoma -m accuracy -o out") == 0
    said = capsys.readouterr().out
    assert "Runs: ARL 4, PLAIN 4; 95 % intervals" in said
    table = pd.read_csv("out/comparison.csv").query("metric == 'auc'").set_index("test")["p"]
    a, b = ([each.value("auc", "melanoma") for each in found.values()] for found in (one, other))
    assert table["paired t"] == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert table["Wilcoxon"] == pytest.approx(stats.wilcoxon(a, b).pvalue)
    assert table["independent t"] == pytest.approx(stats.ttest_ind(a, b).pvalue)
    assert table["sign flip"] == pytest.approx(
        stats.permutation_test((np.subtract(a, b),), np.mean, permutation_type="samples").pvalue
    )


def test_runs_that_are_no_pairs_are_judged_as_independent_ones() -> None:
    a, b = runs(1), runs(11, "run-05 run-06 run-07")
    found = compare_runs([a, b], ["a", "b"], keys=[("auc", "melanoma")])
    values = [[each.value("auc", "melanoma") for each in group.values()] for group in (a, b)]
    assert found.comparisons[0].primary_test.p == pytest.approx(stats.ttest_ind(*values).pvalue)
    assert found.comparisons[0].values == pytest.approx(tuple(map(np.mean, values)))
    assert any("share 0 names of runs" in note for note in found.caveats)
    few = compare_runs([a, runs(11, "run-02 run-03 run-09")], ["a", "b"], keys=[("auc", "melanoma")])
    assert few.comparisons[0].primary_test.n == 2
    assert any("share 2 of up to 4 runs" in note for note in few.caveats)


def test_runs_of_other_images_and_runs_left_out_are_said() -> None:
    a = runs(1)
    alike = compare_runs([a, a], ["a", "b"], keys=[("auc", "melanoma")])
    one = random_predictions(60, classes=TWO, seed=2)
    blind = evaluate(one.select(one.label == "other"), n_resamples=0)
    found = compare_runs([a, {**a, "run-02": blind}], ["a", "b"], keys=[("auc", "melanoma")])
    assert found.caveats == (
        *alike.caveats,
        "auc:melanoma is not defined in 1 of 4 runs of b: these are left out of it.",
        "b was measured on other test images than a (run-02: other numbers of a class): what differs may be the "
        "images.",
    )
    assert found.comparisons[0].primary_test.n == 3


def test_a_metric_that_no_run_defines_names_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    one = random_predictions(60, classes=TWO, seed=2)
    blind = evaluate(one.select(one.label == "other"), n_resamples=0)
    keys = [("auc", "melanoma"), ("accuracy", "all")]
    for others, heads in (
        ("run-01 run-02", "p, paired t +Holm +Wilcoxon +sign flip +independent t"),
        ("run-08 run-09", "p, independent t +Holm"),
    ):
        found = compare_runs([runs(1), dict.fromkeys(others.split(), blind)], ["a", "b"], keys=keys)
        Console(width=120).print(comparison_table(found))
        said = capsys.readouterr().out
        assert re.search(rf"Metric +First +Second +Difference +{heads} *\n", said)
        assert re.search(r"AUC, melanoma +0\.944 +– +– +– *\n", said)


def test_too_few_resamples_for_as_many_differences_are_said() -> None:
    a, b, _ = models()
    found = compare_models([a, b], ["a", "b"], n_resamples=99, keys=[("f1", "macro")])
    assert found.sample_description == "80 images of 80 lesions"
    assert found.caveats == (
        "Lesions are not known: each image counts as its own. Where some show the same lesion, the intervals are too "
        "narrow and p is too small.",
        "A bootstrap of 99 resamples gives no p below 0.02.",
    )
    found = compare_models(
        [a, b], ["a", "b"], n_resamples=99, keys=[("f1", name) for name in ("macro", *TWO)]
    )
    assert found.caveats[-1] == (
        "A bootstrap of 99 resamples gives no p below 0.02, and where all 3 differences have it Holm's is 0.06: give "
        "more --bootstrap-samples, or fewer --metric."
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a.csv", "two or more different files"),
        ("a.csv a.csv", "two or more different files"),
        ("a.csv .", "a.csv is no folder and others are"),
        (". nowhere", "nowhere is no folder and others are"),
        (". ..", "is no folder of several runs: it has no multi_run.json"),
        (". .. --task melanoma", "--task is for files of predictions"),
        ("a.csv b.csv --threshold 0.3 --decision isic", "--decision isic and --threshold 0.3 exclude each"),
        (". .. --bootstrap-samples 2000", "--bootstrap-samples is for files of predictions"),
        ("a.csv b.csv -m acu", "unknown metric 'acu': did you mean 'auc'"),
        ("a.csv b.csv -m auc:nevus", "unknown auc of 'nevus'"),
        ("many.csv many.csv.bak", "many.csv.bak"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: str, message: str
) -> None:
    assert run(monkeypatch, words) == 1
    assert message in capsys.readouterr().err


def test_figures_say_both_areas_and_every_difference() -> None:
    a, b, c = models()
    two = compare_models([a, b], ["one", "other"], n_resamples=20)
    figure = comparison_figure(two, [a, b], ["one", "other"])
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    auc = two.comparisons[0]
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == [f"one {auc.values[0]:.3f}", f"other {auc.values[1]:.3f}"]
    assert any(text.startswith(f"difference +{auc.interval_result.difference:.3f} (") for text in said)
    assert [text.get_text() for text in figure.axes[1].get_yticklabels()][:2] == ["AUC", "Average precision"]
    assert [text.get_text() for text in figure.texts] == ["Research use only, not a medical device."]
    three = compare_models(
        [a, b, c], ["a", "b", "c"], n_resamples=5, all_pairs=True, keys=[("auc", "melanoma")]
    )
    assert len(comparison_figure(three, [a, b, c], ["a", "b", "c"]).axes) == 1 + 3
    assert len(comparison_figure(three).axes) == 3


def test_what_is_not_defined_or_rests_on_few_lesions_is_said() -> None:
    a, b, _ = models()
    few = np.flatnonzero(a.label == "other")[:5]
    found = compare_models([a.select(few), b.select(few)], ["a", "b"], n_resamples=10)
    assert np.isnan(found.comparisons[0].primary_test.p)
    assert found.caveats[:2] == (
        "Few lesions (other 5): take their intervals and p as a rough guide.",
        "– is not defined: the class, or any other, has no image, or none is decided for it.",
    )


@pytest.mark.slow
def test_a_figure_of_many_classes_is_written(tmp_path: Path) -> None:
    from lesionlens.evaluation.comparison.plots import write_comparison_figure

    a, b, _ = models(200, classes=("w", "x", "y", "z"))
    found = compare_models([a, b], ["a", "b"], n_resamples=20)
    png, svg = write_comparison_figure(tmp_path, found, [a, b], ["a", "b"])
    with Image.open(png) as image:
        assert min(image.size) > 1000
    assert "</svg>" in svg.read_text()
