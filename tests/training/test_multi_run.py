"""Several runs of one recipe: which they are, what happens to them, what is left of them."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml
from rich.console import Console

from lesionlens.core.errors import DataError, RunError, RunInterrupted
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.result import read_evaluation, write_evaluation
from lesionlens.runs.run_dir import RunDir, write_recipe
from lesionlens.runs.run_statistics import read_summary
from lesionlens.runs.schema import Recipe
from lesionlens.training.multi_run import MultiRunDir, RunFns, expand_runs, resume_multi_run, run_all
from lesionlens.training.run import resume, train

BASE = Recipe.model_validate({"data": "ham10000:x", "model": "resnet14", "train": {"seed": 7}})


def recipe(**keys: int) -> Recipe:
    """Give the base with other numbers of runs and folds."""
    return BASE.model_copy(update=keys)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [("", 7, None)]),
        ({"n_folds": 5, "fold": 2}, [("", 7, 2)]),
        ({"num_repeats": 2}, [("run-01", 7, None), ("run-02", 8, None)]),
        ({"num_repeats": 2, "n_folds": 5, "fold": 4}, [("run-01", 7, 4), ("run-02", 8, 4)]),
        ({"n_folds": 3}, [("fold-0", 7, 0), ("fold-1", 7, 1), ("fold-2", 7, 2)]),
        (
            {"num_repeats": 2, "n_folds": 2},
            [("run-01-fold-0", 7, 0), ("run-01-fold-1", 7, 1), ("run-02-fold-0", 8, 0), ("run-02-fold-1", 8, 1)],
        ),
    ],
)  # fmt: skip
def test_the_runs_that_a_recipe_means(
    keys: dict[str, int], expected: list[tuple[str, int, int | None]]
) -> None:
    found = expand_runs(recipe(**keys))
    assert [(child.name, child.recipe.train.seed, child.recipe.fold) for child in found] == expected
    assert all(len(expand_runs(child.recipe)) == 1 for child in found)


def test_names_sort_as_they_are_run() -> None:
    names = [child.name for child in expand_runs(recipe(num_repeats=100))]
    assert names == sorted(names)


class Trained:
    """Stands for the training of one run: notes what was asked, fails where it is told to."""

    def __init__(self, failing: dict[str, BaseException] | None = None) -> None:
        self.failing = failing or {}
        self.calls: list[str] = []
        self.one = RunFns(self.start, self.resume)

    def start(self, recipe: Recipe, *, out: Path, console: Console) -> Path:
        self.calls.append(f"start {out.name}")
        out.mkdir()
        folder = RunDir(out)
        write_recipe(folder, recipe)
        folder.update(status="running")
        return self._finish(folder)

    def resume(self, path: Path, *, console: Console) -> Path:
        self.calls.append(f"resume {path.name}")
        return self._finish(RunDir(path))

    def _finish(self, folder: RunDir) -> Path:
        if folder.path.name in self.failing:
            raise self.failing[folder.path.name]
        rng = np.random.default_rng(len(self.calls))
        ids = [f"i{number}" for number in range(20)]
        scored = Predictions(ids, ids, ["a", "b"] * 10, rng.dirichlet((1, 1), 20), ("a", "b"))
        write_evaluation(folder.evaluation("test"), evaluate(scored, n_resamples=0))
        folder.update(status="finished")
        return folder.path


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Give data that have a fingerprint and no images."""
    table = SimpleNamespace(mark="one", fingerprint=lambda: table.mark)
    monkeypatch.setattr(
        "lesionlens.training.multi_run.set_up_run", lambda recipe: SimpleNamespace(table=table)
    )
    return table


QUIET = Console(quiet=True)


def started(out: Path, trained: Trained, **keys: int) -> Path:
    return run_all(recipe(**keys), "x", out=out, runs_dir=out.parent, console=QUIET, run_fns=trained.one)


def test_a_group_leaves_its_recipe_its_runs_and_their_summary(tmp_path: Path) -> None:
    trained = Trained()
    out = started(tmp_path / "g", trained, num_repeats=2, n_folds=2)
    assert trained.calls == [f"start run-0{run}-fold-{fold}" for run in (1, 2) for fold in (0, 1)]
    group = MultiRunDir(out)
    assert yaml.safe_load(group.recipe.read_text())["num_repeats"] == 2
    own = yaml.safe_load(group.run_dir("run-02-fold-1").recipe.read_text())
    assert (own["num_repeats"], own["fold"], own["train"]["seed"]) == (1, 1, 8)
    assert group.metadata()["status"] == "finished"
    assert {each["status"] for each in group.metadata()["runs_status"].values()} == {"finished"}
    assert list(read_summary(group.summary_csv).columns[-4:]) == [
        child.name for child in expand_runs(recipe(num_repeats=2, n_folds=2))
    ]
    assert "4 of 4 runs" in group.summary_md.read_text()


def test_the_plan_is_told_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=100)
    run_all(
        recipe(n_folds=2), "x", out=tmp_path / "g", runs_dir=tmp_path, console=console, run_fns=Trained().one
    )
    said = capsys.readouterr().out
    assert said.index("fold-1: seed 7, fold 1 of 2") < said.index("1 of 2\n")


def test_a_run_that_fails_is_recorded_and_the_others_go_on(tmp_path: Path) -> None:
    failing = {"run-02": DataError("no such image"), "run-04": ValueError("odd")}
    first = Trained(failing)
    with pytest.raises(
        RunError,
        match=r"(?s)2 of 4 runs failed:.*run-02: no such image.*run-04: ValueError\('odd'\).*--resume",
    ):
        started(tmp_path / "g", first, num_repeats=4)
    group = MultiRunDir(tmp_path / "g")
    record = group.metadata()
    assert record["status"] == "failed"
    assert record["runs_status"]["run-02"] == {"status": "failed", "message": "no such image"}
    assert record["runs_status"]["run-03"] == {"status": "finished"}
    assert "ValueError: odd" in group.traceback_path("run-04").read_text()
    assert list(read_summary(group.summary_csv).columns[-2:]) == ["run-01", "run-03"]

    again = Trained()
    resume_multi_run(group.path, console=QUIET, run_fns=again.one)
    assert again.calls == ["resume run-02", "resume run-04"]
    assert group.metadata()["status"] == "finished"
    assert "4 of 4 runs" in group.summary_md.read_text()
    with pytest.raises(RunError, match=r"all 4 runs of .* are finished"):
        resume_multi_run(group.path, console=QUIET, run_fns=again.one)


def test_a_group_that_is_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    with pytest.raises(RunInterrupted, match=r"stopped in run-02.*--resume"):
        started(tmp_path / "g", Trained({"run-02": RunInterrupted("Ctrl-C")}), num_repeats=3)
    group = MultiRunDir(tmp_path / "g")
    assert group.metadata()["status"] == "interrupted"
    assert {name: each["status"] for name, each in group.metadata()["runs_status"].items()} == {
        "run-01": "finished",
        "run-02": "interrupted",
        "run-03": "missing",
    }
    (group.path / "run-03").mkdir()  # killed while it began
    (group.path / "run-03" / "recipe.yaml").write_text("half")
    again = Trained()
    resume_multi_run(group.path, console=QUIET, run_fns=again.one)
    assert again.calls == ["resume run-02", "start run-03"]


def test_nothing_is_summed_up_where_nothing_was_finished(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="2 of 2 runs failed"):
        started(tmp_path / "g", Trained({f"run-0{n}": RunError("full") for n in (1, 2)}), num_repeats=2)
    assert not MultiRunDir(tmp_path / "g").summary_csv.exists()


def test_changed_data_are_not_gone_on_with(tmp_path: Path, data: SimpleNamespace) -> None:
    with pytest.raises(RunError):
        started(tmp_path / "g", Trained({"run-01": RunError("x")}), num_repeats=2)
    data.mark = "another"
    with pytest.raises(RunError, match=r"data of .* are not what they were"):
        resume_multi_run(tmp_path / "g", console=QUIET, run_fns=Trained().one)


def test_bad_data_are_refused_before_there_is_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(recipe: Recipe) -> None:
        raise DataError("no such folder")

    monkeypatch.setattr("lesionlens.training.multi_run.set_up_run", refuse)
    with pytest.raises(DataError, match="no such folder"):
        started(tmp_path / "g", Trained(), num_repeats=2)
    assert not (tmp_path / "g").exists()


def test_a_group_is_known_by_its_record(tmp_path: Path) -> None:
    assert not MultiRunDir(tmp_path).exists()
    (tmp_path / "multi_run.json").write_text(json.dumps({}))
    assert not MultiRunDir(tmp_path).exists()
    (tmp_path / "recipe.yaml").write_text("")
    assert MultiRunDir(tmp_path).exists()


@pytest.mark.slow
def test_two_runs_and_one_of_them_lost(recipe: str, words: list[str], tmp_path: Path) -> None:
    group = MultiRunDir(train(recipe, [*words, "train.epochs=1", "num_repeats=2"], out=tmp_path / "group"))
    names = ["run-01", "run-02"]
    weights = [(group.run_dir(name).best_model / "model.safetensors").read_bytes() for name in names]
    assert weights[0] != weights[1]
    splits = [group.run_dir(name).splits_csv.read_text() for name in names]
    assert splits[0] == splits[1]  # the seed of the split is the recipe's, not the run's
    found = read_summary(group.summary_csv).set_index(["metric", "scope"])
    for name in names:
        value = read_evaluation(group.run_dir(name).evaluation("test")).value("auc")
        assert found.loc[("auc", "macro"), name] == pytest.approx(value)
    before = group.summary_csv.read_text()
    shutil.rmtree(group.run_dir("run-02").path)
    resume(group.path)
    assert (group.run_dir("run-02").best_model / "model.safetensors").read_bytes() == weights[1]
    assert group.summary_csv.read_text() == before
