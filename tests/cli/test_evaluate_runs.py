"""``lesionlens evaluate`` on run directories, and on directories of several runs."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lesionlens import cli
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.runs.run_statistics import read_summary

from ..helpers.fake_groups import FOLDS, REPEATS, TWO, predict_fold, write_run_group, write_tested_run
from ..helpers.random_predictions import random_predictions


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lesionlens", "evaluate", *arguments, "--bootstrap-samples", "20"])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    return int(exit_info.value.code or 0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the run "my run" (test), the run val (validation), three folds cv and three repeats rep."""
    folder = tmp_path_factory.mktemp("runs")
    run_dir = write_tested_run(folder / "my run", random_predictions(60, classes=TWO))
    shutil.copytree(
        write_tested_run(folder / "val", random_predictions(40, classes=TWO), split="validation").path
        / "predictions",
        run_dir.path / "predictions",
        dirs_exist_ok=True,
    )
    write_run_group(folder / "cv", predict_fold, FOLDS)
    write_run_group(folder / "rep", predict_fold, REPEATS)
    return folder


@pytest.mark.parametrize("path", ["my run", "my run/", "./my run", "cv/../my run", "{}/my run"])
def test_run_is_evaluated_as_its_file(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    assert run(monkeypatch, "my run/predictions/test.csv") == 0
    expected = capsys.readouterr().out
    assert "60 images of" in expected
    assert run(monkeypatch, path.format(workdir)) == 0
    assert capsys.readouterr().out == expected


def test_validation_split_of_a_run_is_evaluated(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "val", "--split", "val") == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "40 images of" in output
    assert "Note: These are the validation images of the run." in output


def test_labels_of_all_splits_are_selected(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    predictions = random_predictions(60, classes=TWO)
    rows = [f"{name},{TWO[k % 2]},test" for k, name in enumerate(predictions.image_id)]
    Path("labels.csv").write_text("\n".join(["image,label,split", *rows, "T1,melanoma,train", ""]))
    assert run(monkeypatch, "my run", "--labels", "labels.csv", "--split", "test") == 0
    assert "Only images of the split test: 60 of 61." in capsys.readouterr().out


def test_threshold_is_tuned_on_the_validation_split_of_a_run(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--threshold", "youden", "--tune-threshold-on")
    assert run(monkeypatch, "my run", *options, "my run") == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "(youden, tuned on my run, 40 images)" in output
    assert run(monkeypatch, "my run", *options, "cv") == 1
    assert "pass the run that is evaluated: --tune-threshold-on RUN" in capsys.readouterr().err


def test_folds_are_pooled(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "cv", "-o", "out") == 0
    output = " ".join(capsys.readouterr().out.split())
    assert output.startswith(
        "cv: cross-validation with 3 folds, test split Pooled folds 150 images of 83 lesions"
    )
    assert "Note: Pooled predictions of 3 folds" in output
    assert "rank scores of different models" in output
    assert "Mean over 3 folds, each evaluated separately" in output
    assert output.endswith("Research use only, not a medical device.")
    folds = [read_predictions(f"cv/fold-{fold}/predictions/test.csv") for fold in range(3)]
    positive = [fold.label == "melanoma" for fold in folds]
    scores = [fold.scores[:, 1] for fold in folds]
    pooled = roc_auc_score(np.concatenate(positive), np.concatenate(scores))
    by_fold = [roc_auc_score(*fold) for fold in zip(positive, scores, strict=True)]
    record = json.loads(Path("out/evaluation.json").read_text())
    values = {(row["metric"], row["class"]): row["value"] for row in record["estimates"]}
    assert values["auc", "melanoma"] == pytest.approx(pooled)
    row = read_summary(Path("out/summary.csv")).query("metric == 'auc' and `class` == 'melanoma'").iloc[0]
    assert row["mean"] == pytest.approx(np.mean(by_fold))
    assert [row[f"fold-{fold}"] for fold in range(3)] == pytest.approx(by_fold)
    assert f"{pooled:.3f} (" in output
    assert f"AUC melanoma {np.mean(by_fold):.3f}" in output
    written = {path.name for path in Path("out").iterdir()}
    assert written >= {"report.html", "summary.md", "roc.png", "confusion.svg", "precision_recall.png"}


def test_repeats_are_averaged(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "rep/", "--task", "melanoma", "--threshold", "0.3") == 0
    output = " ".join(capsys.readouterr().out.split())
    assert output.startswith("rep: 3 repeats with different seeds, test split Mean over 3 repeats")
    assert "Note: All runs were evaluated on the same 52 images of 28 lesions" in output
    assert "Pooled" not in output
    sensitivities = [
        (fold.scores[fold.label == "melanoma", 1] >= 0.3).mean()
        for fold in (read_predictions(f"rep/run-0{number}/predictions/test.csv") for number in (1, 2, 3))
    ]
    assert f"Sensitivity melanoma {np.mean(sensitivities):.3f}" in output


def test_only_finished_run_of_a_group(
    workdir: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(runs / "rep", "single")
    for name in ("run-01", "run-03"):
        shutil.rmtree(f"single/{name}")
    assert run(monkeypatch, "single") == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "Mean over 1 repeat, each" in output
    assert "Note: Not finished: run-01 (missing), run-03 (missing)." in output
    assert run(monkeypatch, "single/run-02") == 0
    assert "52 images of 28 lesions" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["val"],
            "val has no test predictions: its dataset has no test split; to evaluate its validation images",
        ),
        (["my run", "--split", "train"], "not for 'train'"),
        (["."], ". is neither a run directory"),
        (["my run/predictions"], "It is part of"),
        (["nowhere"], "nowhere"),
        (["cv", "my run"], "cv has several runs, but my run is one run."),
        (
            ["my run/predictions/test.csv", "cv"],
            "cv has several runs, but my run/predictions/test.csv is a file.",
        ),
        (["cv", "rep"], "cv and rep have several runs each"),
        (
            ["cv", "--labels", "x.csv"],
            "--labels does not apply to directories of several runs, because each run",
        ),
        (["cv", "--isic-submission", "x.csv"], "--isic-submission does not apply"),
        (["cv", "--threshold", "youden"], "must be tuned on other images"),
        (
            ["rep", "--split", "validation"],
            "has no validation predictions: its dataset has no validation split",
        ),
    ],
)
def test_invalid_runs_raise(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    assert run(monkeypatch, *arguments) == 1
    assert message in capsys.readouterr().err
