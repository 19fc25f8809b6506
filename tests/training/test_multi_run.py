"""Several runs of one recipe: repeats and folds, failures, resuming and summary."""

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
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.result import read_evaluation, write_evaluation
from lesionlens.runs.load import load_recipe
from lesionlens.runs.multi_run_dir import MultiRunDir, expand_runs
from lesionlens.runs.run_dir import RunDir, write_recipe
from lesionlens.runs.run_statistics import read_summary
from lesionlens.runs.schema import Recipe
from lesionlens.training.multi_run import RunFns, resume_multi_run, run_all
from lesionlens.training.resolve import ResolvedRecipe
from lesionlens.training.run import resume, train

BASE = Recipe.model_validate({"data": "ham10000:x", "model": "resnet14", "train": {"seed": 7}})


def recipe(**keys: int) -> Recipe:
    """Return the base recipe with other numbers of repeats and folds."""
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
def test_runs_of_a_recipe(keys: dict[str, int], expected: list[tuple[str, int, int | None]]) -> None:
    specs = expand_runs(recipe(**keys))
    assert [(spec.name, spec.recipe.train.seed, spec.recipe.fold) for spec in specs] == expected
    assert all(len(expand_runs(spec.recipe)) == 1 for spec in specs)


def test_names_sort_in_order_of_runs() -> None:
    names = [spec.name for spec in expand_runs(recipe(num_repeats=100))]
    assert names == sorted(names)


class FakeTraining:
    """Records calls instead of training, and fails for given runs."""

    def __init__(self, failing: dict[str, BaseException] | None = None) -> None:
        self.failing = failing or {}
        self.calls: list[str] = []
        self.run_fns = RunFns(self.start, self.resume)

    def start(self, recipe: Recipe, *, out: Path, console: Console, command: str | None) -> Path:
        self.calls.append(f"start {out.name}")
        out.mkdir()
        run_dir = RunDir(out)
        write_recipe(run_dir, recipe)
        run_dir.start(command=command, status="running")
        return self._finish(run_dir)

    def resume(self, path: Path, *, console: Console) -> Path:
        self.calls.append(f"resume {path.name}")
        return self._finish(RunDir(path))

    def _finish(self, run_dir: RunDir) -> Path:
        if run_dir.path.name in self.failing:
            raise self.failing[run_dir.path.name]
        rng = np.random.default_rng(len(self.calls))
        fold = load_recipe(str(run_dir.recipe)).fold or 0
        ids = [f"i{number}" for number in range(20 * fold, 20 * fold + 20)]
        predictions = Predictions(ids, ids, ["a", "b"] * 10, rng.dirichlet((1, 1), 20), ("a", "b"))
        write_predictions(run_dir.predictions("test"), predictions)
        write_evaluation(run_dir.evaluation("test"), evaluate(predictions, n_resamples=0))
        run_dir.update(status="finished")
        return run_dir.path


@pytest.fixture(autouse=True)
def data(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Replace the dataset by one that has only a fingerprint."""
    table = SimpleNamespace(hash="one", fingerprint=lambda: table.hash)
    monkeypatch.setattr(
        "lesionlens.training.multi_run.set_up_run", lambda resolved: SimpleNamespace(table=table)
    )
    return table


QUIET = Console(quiet=True)


def start(out: Path, training: FakeTraining, **keys: int) -> Path:
    return run_all(recipe(**keys), "x", out=out, runs_dir=out.parent, console=QUIET, run_fns=training.run_fns)


def test_directory_contains_recipe_runs_and_summary(tmp_path: Path) -> None:
    training = FakeTraining()
    out = start(tmp_path / "g", training, num_repeats=2, n_folds=2)
    assert training.calls == [f"start run-0{run}-fold-{fold}" for run in (1, 2) for fold in (0, 1)]
    multi_run_dir = MultiRunDir(out)
    assert yaml.safe_load(multi_run_dir.recipe.read_text())["num_repeats"] == 2
    own = yaml.safe_load(multi_run_dir.run_dir("run-02-fold-1").recipe.read_text())
    assert (own["num_repeats"], own["fold"], own["train"]["seed"]) == (1, 1, 8)
    assert multi_run_dir.metadata()["status"] == "finished"
    assert {run["status"] for run in multi_run_dir.metadata()["runs_status"].values()} == {"finished"}
    assert list(read_summary(multi_run_dir.summary_csv).columns[-4:]) == [
        spec.name for spec in expand_runs(recipe(num_repeats=2, n_folds=2))
    ]
    assert "4 of 4 runs" in multi_run_dir.summary_md.read_text()
    pools = [read_evaluation(out / name / "evaluation.json") for name in ("run-01", "run-02")]
    assert [pool.n_images for pool in pools] == [40, 40]
    assert "Pooled folds, run-02" in multi_run_dir.report.read_text()


def test_plan_is_printed_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(width=100)
    run_all(
        recipe(n_folds=2),
        "x",
        out=tmp_path / "g",
        runs_dir=tmp_path,
        console=console,
        run_fns=FakeTraining().run_fns,
    )
    output = capsys.readouterr().out
    assert output.index("fold-1: seed 7, fold 1 of 2") < output.index("1 of 2\n")


def test_failed_run_does_not_stop_the_others(tmp_path: Path) -> None:
    failing = {"run-02": DataError("no such image"), "run-04": ValueError("odd")}
    first = FakeTraining(failing)
    with pytest.raises(
        RunError,
        match=r"(?s)2 of 4 runs failed:.*run-02: no such image.*run-04: ValueError\('odd'\).*--resume",
    ):
        start(tmp_path / "g", first, num_repeats=4)
    multi_run_dir = MultiRunDir(tmp_path / "g")
    metadata = multi_run_dir.metadata()
    assert metadata["status"] == "failed"
    assert metadata["runs_status"]["run-02"] == {"status": "failed", "message": "no such image"}
    assert metadata["runs_status"]["run-03"] == {"status": "finished"}
    assert "ValueError: odd" in multi_run_dir.traceback_path("run-04").read_text()
    assert list(read_summary(multi_run_dir.summary_csv).columns[-2:]) == ["run-01", "run-03"]
    assert "Not finished: run-02 (interrupted), run-04 (interrupted)." in multi_run_dir.report.read_text()

    again = FakeTraining()
    resume_multi_run(multi_run_dir.path, console=QUIET, run_fns=again.run_fns)
    assert again.calls == ["resume run-02", "resume run-04"]
    assert multi_run_dir.metadata()["status"] == "finished"
    assert "4 of 4 runs" in multi_run_dir.summary_md.read_text()
    with pytest.raises(RunError, match=r"all 4 runs of .* are finished"):
        resume_multi_run(multi_run_dir.path, console=QUIET, run_fns=again.run_fns)


def test_interrupted_runs_resume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["lesionlens", "train", "x", "num_repeats=3"])
    with pytest.raises(RunInterrupted, match=r"interrupted in run-02.*--resume"):
        start(tmp_path / "g", FakeTraining({"run-02": RunInterrupted("Ctrl-C")}), num_repeats=3)
    multi_run_dir = MultiRunDir(tmp_path / "g")
    assert multi_run_dir.metadata()["status"] == "interrupted"
    assert {name: run["status"] for name, run in multi_run_dir.metadata()["runs_status"].items()} == {
        "run-01": "finished",
        "run-02": "interrupted",
        "run-03": "missing",
    }
    (multi_run_dir.path / "run-03").mkdir()  # killed at its start
    (multi_run_dir.path / "run-03" / "recipe.yaml").write_text("half")
    again = FakeTraining()
    monkeypatch.setattr("sys.argv", ["lesionlens", "train", "--resume", "g"])
    resume_multi_run(multi_run_dir.path, console=QUIET, run_fns=again.run_fns)
    assert again.calls == ["resume run-02", "start run-03"]
    commands = {multi_run_dir.run_dir(f"run-0{number}").metadata()["command"] for number in (1, 2, 3)}
    assert commands == {"lesionlens train x num_repeats=3"}


def test_interrupted_evaluation_of_all_runs_is_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lesionlens.training.multi_run.write_group_evaluation", interrupt)
        with pytest.raises(KeyboardInterrupt):
            start(tmp_path / "g", FakeTraining(), num_repeats=2)
    multi_run_dir = MultiRunDir(tmp_path / "g")
    assert not multi_run_dir.summary_csv.exists()
    again = FakeTraining()
    resume_multi_run(multi_run_dir.path, console=QUIET, run_fns=again.run_fns)
    assert again.calls == []
    assert multi_run_dir.report.is_file()
    assert multi_run_dir.metadata()["status"] == "finished"


def test_no_summary_without_finished_runs(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="2 of 2 runs failed"):
        start(tmp_path / "g", FakeTraining({f"run-0{n}": RunError("full") for n in (1, 2)}), num_repeats=2)
    assert not MultiRunDir(tmp_path / "g").summary_csv.exists()
    assert not MultiRunDir(tmp_path / "g").report.exists()


def test_changed_dataset_is_not_resumed(tmp_path: Path, data: SimpleNamespace) -> None:
    with pytest.raises(RunError):
        start(tmp_path / "g", FakeTraining({"run-01": RunError("x")}), num_repeats=2)
    data.hash = "another"
    with pytest.raises(RunError, match=r"dataset of .* has changed"):
        resume_multi_run(tmp_path / "g", console=QUIET, run_fns=FakeTraining().run_fns)


def test_invalid_data_precede_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def raise_error(resolved: ResolvedRecipe) -> None:
        raise DataError("no such folder")

    monkeypatch.setattr("lesionlens.training.multi_run.set_up_run", raise_error)
    with pytest.raises(DataError, match="no such folder"):
        start(tmp_path / "g", FakeTraining(), num_repeats=2)
    assert not (tmp_path / "g").exists()


def test_directory_needs_metadata_and_recipe(tmp_path: Path) -> None:
    assert not MultiRunDir(tmp_path).exists()
    (tmp_path / "multi_run.json").write_text(json.dumps({}))
    assert not MultiRunDir(tmp_path).exists()
    (tmp_path / "recipe.yaml").write_text("")
    assert MultiRunDir(tmp_path).exists()


@pytest.mark.slow
def test_lost_run_is_trained_again(recipe: str, base_overrides: list[str], tmp_path: Path) -> None:
    multi_run_dir = MultiRunDir(
        train(recipe, [*base_overrides, "train.epochs=1", "num_repeats=2"], out=tmp_path / "group")
    )
    names = ["run-01", "run-02"]
    weights = [(multi_run_dir.run_dir(name).best_model / "model.safetensors").read_bytes() for name in names]
    assert weights[0] != weights[1]
    splits = [multi_run_dir.run_dir(name).splits_csv.read_text() for name in names]
    assert splits[0] == splits[1]  # the split seed is the same for all runs
    summary = read_summary(multi_run_dir.summary_csv).set_index(["metric", "aggregate"])
    for name in names:
        value = read_evaluation(multi_run_dir.run_dir(name).evaluation("test")).value("auc")
        assert summary.loc[("auc", "macro"), name] == pytest.approx(value)
    before = multi_run_dir.summary_csv.read_text()
    shutil.rmtree(multi_run_dir.run_dir("run-02").path)
    resume(multi_run_dir.path)
    assert (multi_run_dir.run_dir("run-02").best_model / "model.safetensors").read_bytes() == weights[1]
    assert multi_run_dir.summary_csv.read_text() == before
