"""Predictions of a run: its file, and errors about runs that are unfinished, damaged or incomplete."""

import json
from pathlib import Path

import numpy as np
import pytest

from lesionlens.core.errors import DamagedFileError, PredictionsError, RunError
from lesionlens.runs.multi_run_dir import MultiRunDir
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.run_predictions import (
    find_predictions,
    open_runs,
    read_run_predictions,
    recorded_caveats,
    saved_split,
)

from ..helpers.fake_groups import TWO, write_tested_run
from ..helpers.random_predictions import random_predictions

SCORES = random_predictions(20, classes=TWO)


def test_predictions_of_a_run_are_read(tmp_path: Path) -> None:
    run_dir = write_tested_run(tmp_path / "a run", SCORES, caveats=("few images.",))
    predictions = read_run_predictions(open_runs(tmp_path / "a run"))
    np.testing.assert_array_equal(predictions.scores, SCORES.scores)
    np.testing.assert_array_equal(predictions.lesion_id, SCORES.lesion_id)
    assert predictions.caveats == ("About the split: few images.",)
    assert find_predictions(run_dir) == tmp_path / "a run" / "predictions" / "test.csv"


@pytest.mark.parametrize("status", ["running", "interrupted", "trained"])
def test_unfinished_run_names_the_resume_command(tmp_path: Path, status: str) -> None:
    run_dir = write_tested_run(tmp_path / "a run", SCORES, status=status)
    message = rf"status: {status}\)\. Resume with: lesionlens train --resume '{tmp_path}/a run'"
    with pytest.raises(RunError, match=message):
        find_predictions(run_dir)


def test_run_without_a_test_split_has_validation_images(tmp_path: Path) -> None:
    run_dir = write_tested_run(tmp_path / "r", SCORES, split="validation")
    with pytest.raises(
        RunError, match=r"no test predictions: its dataset has no test split.*--split validation"
    ):
        find_predictions(run_dir)
    assert "optimistically biased" in read_run_predictions(run_dir, "validation").caveats[0]


def test_missing_and_damaged_files_raise(tmp_path: Path) -> None:
    run_dir = write_tested_run(tmp_path / "r", SCORES)
    run_dir.predictions("test").write_text("image_id,p_a\n")
    with pytest.raises(PredictionsError, match=r"predictions of .*/r cannot be read"):
        read_run_predictions(run_dir)
    run_dir.predictions("test").unlink()
    with pytest.raises(RunError, match=r"test.csv is missing, although the run is finished"):
        find_predictions(run_dir)
    (run_dir.path / "metadata.json").write_text("{")
    with pytest.raises(DamagedFileError, match=r"metadata\.json is damaged"):
        find_predictions(run_dir)


def test_other_directories_name_the_runs_nearby(tmp_path: Path) -> None:
    with pytest.raises(
        RunError, match=r"neither a run directory .* Pass a directory that lesionlens train wrote"
    ):
        open_runs(tmp_path)
    run_dir = write_tested_run(tmp_path / "r", SCORES)
    (tmp_path / "notes").mkdir()
    with pytest.raises(RunError, match=rf"It contains r: pass the path of one, such as {run_dir.path}"):
        open_runs(tmp_path)
    with pytest.raises(RunError, match=rf"It is part of {run_dir.path}: pass that"):
        open_runs(run_dir.path / "predictions")


def test_directory_of_several_runs_comes_first(tmp_path: Path) -> None:
    run_dir = write_tested_run(tmp_path / "r", SCORES)
    assert isinstance(open_runs(run_dir.path), RunDir)
    (run_dir.path / "multi_run.json").write_text(json.dumps({}))
    assert isinstance(open_runs(run_dir.path), MultiRunDir)


def test_splits_have_any_spelling() -> None:
    assert [saved_split(name) for name in ("", "Test", "val")] == ["test", "test", "validation"]
    with pytest.raises(RunError, match="not for 'train'"):
        saved_split("train")


def test_recorded_caveats_are_sentences() -> None:
    data = {
        "synthetic_data_notice": "Not patients.",
        "caveats": ["of an earlier version", {"text": "a leak."}],
    }
    assert recorded_caveats({"data": data}) == (
        "Not patients.",
        "About the split: of an earlier version.",
        "About the split: a leak.",
    )
    assert recorded_caveats({}) == ()
