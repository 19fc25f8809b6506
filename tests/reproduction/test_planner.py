"""Tests of plans: the runs of each row, with the overrides of profile and user, shared by identical rows."""

from dataclasses import replace
from pathlib import Path

import pytest

from lesionlens.core.errors import RecipeError
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.planner import ReproductionOptions, TablePlan, make_plan
from lesionlens.reproduction.profiles import PROFILES
from lesionlens.runs.run_dir import RunDir, write_recipe

SOURCE = "isic2017:/data/isic2017"


def planned(name: str, out: Path, *, sets: dict[str, str] | None = None, **requested: object) -> TablePlan:
    options = replace(ReproductionOptions(PROFILES["short"], out), **requested)  # type: ignore[arg-type]
    return make_plan(name, load_table_spec(name), SOURCE, options, artifact_sets=sets or {})


def test_two_tasks_three_runs_each(tmp_path: Path) -> None:
    plan = planned("arl/table5", tmp_path)
    assert len(plan.jobs()) == 3 * 2 * 3
    assert {(run.variant, run.job.run) for run in plan.runs} == {
        (p, r) for p in ("M", "SK") for r in range(3)
    }
    assert {run.job.recipe.data.source for run in plan.runs} == {SOURCE}
    assert sorted({run.job.recipe.train.seed for run in plan.runs}) == [0, 1, 2]


def test_figures_use_the_runs_of_their_table(tmp_path: Path) -> None:
    table, figure = planned("attnmel/table3.2", tmp_path), planned("attnmel/fig3.2-2017", tmp_path)
    assert {job.key for job in figure.jobs()} <= {job.key for job in table.jobs()}


def test_selected_rows_with_other_repeats_and_overrides(tmp_path: Path) -> None:
    plan = planned(
        "arl/table5",
        tmp_path,
        rows=("*sigmoid",),
        repeats=2,
        overrides=("train.epochs=3", "data.split_seed=7"),
    )
    assert plan.requested_rows == ("Mixed sigmoid",)
    assert len(plan.jobs()) == 4
    assert {(job.recipe.train.epochs, job.recipe.data.split_seed) for job in plan.jobs()} == {(3, 7)}


def test_page_has_its_command(tmp_path: Path) -> None:
    plan = planned("arl/table5", tmp_path)
    paths = ReproductionOptions(
        PROFILES["paper"], tmp_path, overrides=("train.num_threads=1", "data.mask_dir=/my masks")
    )
    assert plan.results(paths, []).command == (
        "lesionlens reproduce arl/table5 train.num_threads=1 'data.mask_dir=/my masks' --profile paper "
        "--dataset isic2017:FOLDER"
    )
    smoke = ReproductionOptions(PROFILES["smoke"], tmp_path, overrides=("train.epochs=3",), repeats=2)
    synthetic = replace(plan, source=f"isic2017:{tmp_path}/data/smoke-isic2017")
    assert synthetic.results(smoke, []).command == (
        "lesionlens reproduce arl/table5 train.epochs=3 --profile smoke --repeats 2"
    )


def test_row_uses_its_artifact_dataset(tmp_path: Path) -> None:
    name = "open/artifact-bias-ink"
    sets = {key: f"table:/sets/{key}/images.csv" for key in load_table_spec(name).artifact_sets}
    plan = planned(name, tmp_path, sets=sets)
    of_row = {run.row: run.job.recipe.data.source for run in plan.runs}
    assert of_row["AttnMel-CNN, 0.95"] == sets["strong"]
    assert of_row["AttnMel-CNN, 0"] == sets["even"]
    with pytest.raises(RecipeError, match="unknown artifact set 'even'"):
        planned(name, tmp_path, sets={"odd": SOURCE})


def test_progress_of_each_run(tmp_path: Path) -> None:
    plan = planned("arl/table5", tmp_path, rows=("Mixed sigmoid",))
    done, begun, broken, *_ = plan.jobs()
    for job, status in ((done, "finished"), (begun, "interrupted")):
        folder = RunDir(job.run_dir(tmp_path).path)
        folder.path.mkdir(parents=True)
        write_recipe(folder, job.recipe)
        folder.update(status=status)
    (tmp_path / "failures").mkdir()
    (tmp_path / "failures" / f"{broken.key}.json").write_text('{"message": "no masks"}')
    results = plan.results(ReproductionOptions(PROFILES["short"], tmp_path), ["Only a trial."])
    states = {cell.run_dir.path.name: (cell.state, cell.message) for cell in results.cells}
    assert states[done.key] == ("finished", "")
    assert states[begun.key] == ("started", "")
    assert states[broken.key] == ("failed", "no masks")
    assert len(results.cells) == 18  # the page has all rows, not only the requested ones
    assert [cell.run for cell in results.cells_for("Mixed sigmoid", "M")] == [0]
