"""The command ``lesionlens evaluate``."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from lesionlens import cli
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.thresholds import youden_threshold

from ..helpers.random_predictions import random_predictions

TWO = ("other", "melanoma")


def run(monkeypatch: pytest.MonkeyPatch, arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lesionlens", "evaluate", *arguments.split()])
    with pytest.raises(SystemExit) as exit_info:
        cli.main()
    return int(exit_info.value.code or 0)


@pytest.fixture
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with validation.csv and test.csv of one model, and sk.csv of another on the test images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    write_predictions("validation.csv", random_predictions(80, classes=TWO, seed=1))
    test = random_predictions(80, classes=TWO, seed=2)
    names = np.array([f"T{name}" for name in test.image_id])
    write_predictions("test.csv", Predictions(names, names, test.label, test.scores, TWO))
    blank = np.full(80, "other")
    scores = test.scores[::-1]
    write_predictions("sk.csv", Predictions(names, names, blank, scores, ("other", "seborrheic_keratosis")))
    write_predictions("many.csv", random_predictions(80, seed=3))
    return tmp_path


def test_threshold_tuned_on_other_images_is_recorded(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(
            monkeypatch,
            "test.csv --threshold youden --tune-threshold-on validation.csv --bootstrap-samples 20 -o e",
        )
        == 0
    )
    output = " ".join(capsys.readouterr().out.split())
    threshold = youden_threshold(random_predictions(80, classes=TWO, seed=1), "melanoma")
    rule = "(youden, tuned on validation.csv, 80 images)"
    assert f"melanoma is predicted if its score is {threshold:.4g} or more, otherwise other {rule}" in output
    recorded = json.loads((workdir / "e" / "evaluation.json").read_text())
    assert recorded["thresholds"] == {"melanoma": threshold}
    assert recorded["threshold_rule"] == "youden, tuned on validation.csv, 80 images"


def test_headline_names_the_task(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "many.csv --task melanoma --threshold 0.3 --bootstrap-samples 0") == 0
    output = capsys.readouterr().out
    assert output.startswith("melanoma against the rest: 80 images of")
    assert "melanoma is predicted if its score is 0.3 or more, otherwise other (given)" in output
    assert run(monkeypatch, "many.csv --task melanoma/nevus --bootstrap-samples 0") == 0
    output = capsys.readouterr().out
    assert output.startswith("melanoma against nevus: ")
    assert "are neither melanoma nor nevus and are excluded" in output


def test_two_models_are_joined_and_written_as_isic_submission(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "test.csv sk.csv --isic-submission sent.csv --bootstrap-samples 0") == 0
    assert "seborrheic keratosis" in capsys.readouterr().out
    lines = Path("sent.csv").read_text().splitlines()
    assert lines[0] == "image_id,melanoma,seborrheic_keratosis"
    assert len(lines) == 81


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "test.csv --threshold youden",
            "tuned on other images than those that are evaluated.*--tune-threshold-on FILE",
        ),
        (
            "test.csv --threshold 0.3 --tune-threshold-on validation.csv",
            "is a number, so there is nothing to tune",
        ),
        ("test.csv --tune-threshold-on validation.csv", "--tune-threshold-on requires --threshold youden"),
        ("test.csv --threshold 0.3 --decision isic", "are mutually exclusive"),
        ("test.csv --threshold 3", "the threshold '3' is neither a score from 0 to 1"),
        ("test.csv --threshold best --tune-threshold-on validation.csv", "'best' is neither a score"),
        ("test.csv --threshold 50%", "neither a score .* Did you mean 0.5"),
        ("test.csv --threshold 0,5", "neither a score .* Did you mean 0.5"),
        ("test.csv --threshold nan", "'nan' is neither a score"),
        ("test.csv --threshold inf", "'inf' is neither a score"),
        ("test.csv --threshold 1_0", "'1_0' is neither a score"),
        ("test.csv --threshold -0.1", "'-0.1' is neither a score"),
        ("test.csv --threshold youdn", "Did you mean youden"),
        ("test.csv --threshold YOUDEN", "Did you mean youden"),
        ("test.csv --threshold youden:0.5", "Did you mean youden.$"),
        (
            "test.csv --threshold sensitivity:89% --tune-threshold-on validation.csv",
            "Did you mean sensitivity:0.89",
        ),
        ("test.csv --threshold sensitivity:0 --tune-threshold-on validation.csv", "neither a score"),
        ("test.csv --common-images", "--common-images requires --labels FILE"),
        ("test.csv --split validation", "test.csv has no column split"),
        ("many.csv test.csv", "only predictions of one diagnosis against the rest"),
    ],
)
def test_contradictory_options_raise(
    workdir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    assert run(monkeypatch, f"{arguments} --bootstrap-samples 0") == 1
    assert re.search(message, capsys.readouterr().err)


def test_predictive_values_are_printed_and_written(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(monkeypatch, "many.csv --bootstrap-samples 20 --prevalence MEL:0.02 --prevalence nevus:0.9") == 0
    )
    lines = re.findall(r"At a prevalence of (\S+) %, (\S+): PPV \S+ \S+, NPV", capsys.readouterr().out)
    assert lines == [("2", "melanoma"), ("90", "nevus")]
    assert run(monkeypatch, "test.csv --prevalence 0.02 --bootstrap-samples 0 -o e") == 0
    recorded = json.loads((workdir / "e" / "evaluation.json").read_text())
    assert recorded["prevalence"] == {"melanoma": 0.02}
    assert {"reliability.png", "decision_curve.svg"} <= {path.name for path in (workdir / "e").iterdir()}
    assert run(monkeypatch, "many.csv --prevalence 0.02") == 1
    assert "a prevalence needs its class" in capsys.readouterr().err
