"""``lesionlens evaluate`` as a person types it."""

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


def run(monkeypatch: pytest.MonkeyPatch, words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["lesionlens", "evaluate", *words.split()])
    with pytest.raises(SystemExit) as left:
        cli.main()
    return int(left.value.code or 0)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with validation.csv and test.csv of one model, and sk.csv of another on the test images."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    write_predictions("validation.csv", random_predictions(80, classes=TWO, seed=1))
    found = random_predictions(80, classes=TWO, seed=2)
    names = np.array([f"T{name}" for name in found.image_id])
    write_predictions("test.csv", Predictions(names, names, found.label, found.scores, TWO))
    blank = np.full(80, "other")
    scores = found.scores[::-1]
    write_predictions("sk.csv", Predictions(names, names, blank, scores, ("other", "seborrheic_keratosis")))
    write_predictions("many.csv", random_predictions(80, seed=3))
    return tmp_path


def test_a_threshold_chosen_on_other_images_is_recorded(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(
            monkeypatch,
            "test.csv --threshold youden --tune-threshold-on validation.csv --bootstrap-samples 20 -o e",
        )
        == 0
    )
    said = " ".join(capsys.readouterr().out.split())
    limit = youden_threshold(random_predictions(80, classes=TWO, seed=1), "melanoma")
    assert (
        f"melanoma where its score is {limit:.4g} or more, else other (youden, tuned on validation.csv, 80 images)"
        in said
    )
    recorded = json.loads((here / "e" / "evaluation.json").read_text())
    assert recorded["thresholds"] == {"melanoma": limit}
    assert recorded["threshold_rule"] == "youden, tuned on validation.csv, 80 images"


def test_a_task_is_named_above_its_numbers(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "many.csv --task melanoma --threshold 0.3 --bootstrap-samples 0") == 0
    said = capsys.readouterr().out
    assert said.startswith("melanoma against the rest: 80 images of")
    assert "melanoma where its score is 0.3 or more, else other (given)" in said
    assert run(monkeypatch, "many.csv --task melanoma/nevus --bootstrap-samples 0") == 0
    said = capsys.readouterr().out
    assert said.startswith("melanoma against nevus: ")
    assert "are neither melanoma nor nevus and are left out" in said


def test_two_models_are_joined_and_written_as_the_challenge_takes_them(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "test.csv sk.csv --isic-submission sent.csv --bootstrap-samples 0") == 0
    assert "seborrheic keratosis" in capsys.readouterr().out
    lines = Path("sent.csv").read_text().splitlines()
    assert lines[0] == "image_id,melanoma,seborrheic_keratosis"
    assert len(lines) == 81


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "test.csv --threshold youden",
            "chosen by other images than those measured: .*--tune-threshold-on FILE",
        ),
        (
            "test.csv --threshold 0.3 --tune-threshold-on validation.csv",
            "is a number, so --tune-threshold-on has nothing",
        ),
        ("test.csv --tune-threshold-on validation.csv", "--tune-threshold-on is for --threshold youden"),
        ("test.csv --threshold 0.3 --decision isic", "exclude each other"),
        ("test.csv --threshold 3", "the threshold of melanoma is 3.0; allowed are numbers from 0 to 1"),
        ("test.csv --threshold best --tune-threshold-on validation.csv", "unknown threshold 'best'"),
        ("many.csv test.csv", "joined can be predictions of one diagnosis against the rest"),
    ],
)
def test_words_that_do_not_go_together_are_refused(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: str,
    message: str,
) -> None:
    assert run(monkeypatch, f"{words} --bootstrap-samples 0") == 1
    assert re.search(message, capsys.readouterr().err)
