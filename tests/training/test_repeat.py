"""A recipe of two runs, trained: two run folders, one summary, resumed as a whole."""

import shutil
from pathlib import Path

import pytest

from lesionlens.evaluation.result import read_evaluation
from lesionlens.training.multi_run import MultiRunDir
from lesionlens.runs.run_statistics import read_summary
from lesionlens.training.run import resume, train


@pytest.mark.slow
def test_two_runs_and_one_of_them_lost(recipe: str, words: list[str], tmp_path: Path) -> None:
    group = MultiRunDir(train(recipe, [*words, "train.epochs=1", "runs=2"], out=tmp_path / "group"))
    names = ["run-01", "run-02"]
    weights = [(group.run_dir(name).best_model / "model.safetensors").read_bytes() for name in names]
    assert weights[0] != weights[1]
    splits = [group.run_dir(name).splits_csv.read_text() for name in names]
    assert splits[0] == splits[1]  # the seed of the split is the recipe's, not the run's
    found = read_summary(group.summary_csv).set_index(["metric", "of"])
    for name in names:
        value = read_evaluation(group.run_dir(name).evaluation("test")).value("auc")
        assert found.loc[("auc", "macro"), name] == pytest.approx(value)
    before = group.summary_csv.read_text()
    shutil.rmtree(group.run_dir("run-02").path)
    resume(group.path)
    assert (group.run_dir("run-02").best_model / "model.safetensors").read_bytes() == weights[1]
    assert group.summary_csv.read_text() == before
