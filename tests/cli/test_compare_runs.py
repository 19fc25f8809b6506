"""``lesionlens compare`` on run directories, and on directories of several runs."""

import shutil
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lesionlens import cli
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.pooling import pool_folds
from lesionlens.evaluation.predictions_io import read_predictions, write_predictions

from ..helpers.fake_groups import FOLDS, REPEATS, predict_fold, run_recipe, write_run_group, write_tested_run


def run(monkeypatch: pytest.MonkeyPatch, arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lesionlens", "compare", *arguments.split()])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    return int(exit_info.value.code or 0)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the runs a and b, the folds cv-a and cv-b, repeats, and repeated folds; b is worse than a."""
    folder = tmp_path_factory.mktemp("runs")
    for name, skill in (("a", 0.5), ("b", 0.2)):
        predict = partial(predict_fold, skill=skill)
        write_tested_run(folder / name, predict(run_recipe()))
        write_run_group(folder / f"cv-{name}", predict, FOLDS)
        write_run_group(folder / f"rep-{name}", predict, REPEATS)
        write_run_group(folder / f"rcv-{name}", predict, {**FOLDS, "num_repeats": 2})
    return folder


OPTIONS = "--bootstrap-samples 30 -m auc:melanoma -m f1:melanoma -m accuracy"


def test_runs_are_compared_as_their_files(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, f"a/predictions/test.csv b/predictions/test.csv {OPTIONS}") == 0
    expected = capsys.readouterr().out
    assert "a − b" in expected
    for inputs in ("a/ ./b", "a b/predictions/test.csv", f"{workdir}/a b"):
        assert run(monkeypatch, f"{inputs} {OPTIONS}") == 0
        assert capsys.readouterr().out == expected


def test_folds_are_paired_by_image(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in "ab":
        folds = {f: read_predictions(f"cv-{name}/fold-{f}/predictions/test.csv") for f in range(3)}
        write_predictions(f"{name}.csv", pool_folds({f"fold-{f}": fold for f, fold in folds.items()}))
    assert run(monkeypatch, f"a.csv b.csv {OPTIONS} -o files") == 0
    capsys.readouterr()
    assert run(monkeypatch, f"cv-a cv-b {OPTIONS} -o folds") == 0
    output = capsys.readouterr().out
    assert "150 images of 83 lesions; 95 % intervals" in output
    assert "Note: Pooled predictions of 3 folds" in output
    tables = [
        pd.read_csv(f"{name}/comparison.csv").drop(columns=["first", "second"]) for name in ("files", "folds")
    ]
    pd.testing.assert_frame_equal(*tables)
    assert "comparison.png" in {path.name for path in Path("folds").iterdir()}


def test_repeats_are_paired_by_seed(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "rep-a rep-b -m auc:melanoma --task melanoma -o out") == 0
    assert "Runs: rep-a 3, rep-b 3" in capsys.readouterr().out
    aucs = [
        [
            evaluate(read_predictions(f"rep-{name}/run-0{r}/predictions/test.csv"), n_resamples=0).value(
                "auc", "melanoma"
            )
            for r in (1, 2, 3)
        ]
        for name in "ab"
    ]
    p = pd.read_csv("out/comparison.csv").set_index("test")["p"]
    assert p["paired t"] == pytest.approx(stats.ttest_rel(*aucs).pvalue)


def test_repeated_folds_are_paired_by_pool(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "rcv-a rcv-b -m auc:melanoma -o out") == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "Runs: rcv-a 2, rcv-b 2" in output
    assert "Folds of different repeats have test images in common" in output
    pools = [
        [
            pool_folds(
                {
                    f"{f}": read_predictions(f"rcv-{name}/run-0{r}-fold-{f}/predictions/test.csv")
                    for f in range(3)
                }
            )
            for r in (1, 2)
        ]
        for name in "ab"
    ]
    aucs = [[evaluate(pool, n_resamples=0).value("auc", "melanoma") for pool in group] for group in pools]
    p = pd.read_csv("out/comparison.csv").set_index("test")["p"]
    assert p["paired t"] == pytest.approx(stats.ttest_rel(*aucs).pvalue)


def test_unfinished_repeats_are_named(
    workdir: Path, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(runs / "rep-a", "few")
    shutil.rmtree("few/run-02")
    assert run(monkeypatch, "few rep-b -m accuracy") == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "Note: few: Not finished: run-02 (missing). Resume with: lesionlens train --resume few" in output
    shutil.rmtree("few/run-01")
    assert run(monkeypatch, "few rep-b -m accuracy") == 1
    assert "few has fewer than two finished runs, the minimum for a comparison; not finished: run-01" in (
        capsys.readouterr().err
    )


def test_pairs_with_different_images_have_a_caveat(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def predict(recipe: object) -> object:
        other = predict_fold(recipe)
        names = np.char.add("other-", other.image_id)
        return type(other)(names, other.lesion_id, other.label, other.scores, other.classes)

    write_run_group(workdir / "other", predict, REPEATS)
    assert run(monkeypatch, "rep-a other -m accuracy") == 0
    output = " ".join(capsys.readouterr().out.split())
    assert "other was evaluated on other images than rep-a in run-01, run-02, run-03" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("a", "two or more different prediction files"),
        ("a link", "two or more different prediction files"),
        ("a a/predictions/test.csv", "two or more different prediction files"),
        ("a cv-a", "cv-a has several runs, but a is one run."),
        ("cv-a cv-a/fold-0", "cv-a has several runs, but cv-a/fold-0 is one run."),
        ("cv-a/fold-0 cv-a/fold-1", "the files have no image in common"),
        (
            "cv-a rep-a",
            "cv-a (cross-validation with 3 folds) and rep-a (3 repeats with different seeds) cannot be",
        ),
        ("cv-a rcv-a", "folds are pooled and compared image by image"),
        (
            "cv-a cv-b --labels x.csv",
            "--labels does not apply to directories of several runs, because each run has",
        ),
        (
            "rep-a rep-b --bootstrap-samples 9",
            "--bootstrap-samples does not apply to directories of several runs",
        ),
        (". a", ". is neither a run directory"),
        ("a b --split validation", "a has no validation predictions"),
    ],
)
def test_invalid_runs_raise(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    Path("link").symlink_to("a")
    assert run(monkeypatch, arguments) == 1
    assert message in capsys.readouterr().err
