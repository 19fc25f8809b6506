"""Steps that make masks: which runs need them, their order, failures, and resuming."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lesionlens.core.errors import DataError
from lesionlens.reproduction import mask_steps as module
from lesionlens.reproduction import runner
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.mask_steps import MaskStep, plan_masks
from lesionlens.reproduction.planner import ReproductionOptions, TablePlan, make_plan
from lesionlens.reproduction.profiles import PROFILES
from lesionlens.reproduction.run_state import read_failure
from lesionlens.reproduction.segmenter_spec import SegmenterSpec
from lesionlens.runs.run_dir import RunDir, write_recipe
from lesionlens.runs.schema import Recipe
from lesionlens.segmentation.predict import WriteSummary

QUIET = Console(quiet=True)
NAME = "attnmel/table3.4"


def mask_step(
    out: Path, *, profile: str = "paper", trained_on: str = "isic2018-task1:/t", device: str = "cpu"
) -> MaskStep:
    segmenter = load_table_spec(NAME).segmenter
    assert isinstance(segmenter, SegmenterSpec)
    return plan_masks(segmenter, "isic2018:/data", trained_on, PROFILES[profile], out, device="cpu")


def planned(out: Path, masks: MaskStep, *overrides: str) -> TablePlan:
    options = ReproductionOptions(PROFILES["paper"], out, overrides=overrides)
    return make_plan(NAME, load_table_spec(NAME), "isic2018:/data", options, artifact_sets={}, masks=masks)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace every computation, and return the list of calls."""
    calls: list[str] = []

    def train_segmentation(sources: Sequence[str], config: object, *, out: Path, console: Console) -> None:
        calls.append("segmenter")
        RunDir(out).update(status="finished")

    def segment_images(model: Path, sources: object, out_dir: Path, **options: Any) -> WriteSummary:
        calls.append(f"masks, {len(list(out_dir.glob('*')))} before")
        out_dir.mkdir(parents=True, exist_ok=True)
        return WriteSummary(1, 0, ())

    def train(recipe: Recipe, *, out: Path, console: Console) -> None:
        calls.append(f"run {recipe.model.name} {recipe.data.mask_dir is not None}")
        out.mkdir(parents=True)
        write_recipe(RunDir(out), recipe)
        RunDir(out).update(status="finished")

    monkeypatch.setattr(module, "train_segmentation", train_segmentation)
    monkeypatch.setattr(module, "segment_images", segment_images)
    monkeypatch.setattr(module, "load_table", lambda source: type("Table", (), {"paths": ()}))
    monkeypatch.setattr(runner, "train", train)
    return calls


def test_only_rows_with_predicted_masks_require_them(tmp_path: Path) -> None:
    masks = mask_step(tmp_path)
    requiring = {run.row for run in planned(tmp_path, masks).runs if run.job.requires}
    assert requiring == {"AttnMel-CNN-Lesion*"}
    assert not any(run.job.requires for run in planned(tmp_path, masks, "data.mask_dir=/mine").runs)


def test_names_depend_on_the_protocol_and_not_on_the_machine(tmp_path: Path) -> None:
    paper = mask_step(tmp_path)
    moved = mask_step(tmp_path / "elsewhere", trained_on="isic2018-task1:/other")
    assert (moved.key, moved.requires.key) == (paper.key, paper.requires.key)
    small = mask_step(tmp_path, profile="short")
    assert small.requires.key != paper.requires.key
    assert small.key != paper.key


def test_masks_are_made_first_and_once(tmp_path: Path, calls: list[str]) -> None:
    masks = mask_step(tmp_path)
    jobs = [job for job in planned(tmp_path, masks).jobs() if job.fold == 0][-2:]
    partial = masks.folder(tmp_path).with_name(f".{masks.key}.partial")
    partial.mkdir(parents=True)
    (partial / "a_segmentation.png").write_bytes(b"")  # left by a process that was killed
    for _ in range(2):
        runner.run_jobs([masks.requires, masks, *jobs], tmp_path, console=QUIET)
    assert calls == ["segmenter", "masks, 1 before", "run attnmel_cnn False", "run attnmel_cnn True"]
    assert [path.name for path in masks.folder(tmp_path).iterdir()] == ["a_segmentation.png"]


def test_runs_without_their_masks_fail_and_others_continue(tmp_path: Path, calls: list[str]) -> None:
    masks = mask_step(tmp_path, trained_on="")
    jobs = [job for job in planned(tmp_path, masks).jobs() if job.fold == 0][-2:]
    summary = runner.run_jobs([masks.requires, masks, *jobs], tmp_path, console=QUIET)
    assert calls == ["run attnmel_cnn False"]
    assert summary.failed == (masks.requires.key, masks.key, jobs[1].key)
    assert "pass --dataset isic2018-task1:FOLDER, or your own masks" in read_failure(tmp_path, jobs[1].key)
    with pytest.raises(DataError, match="pass --dataset isic2018-task1:FOLDER"):
        masks.requires.check_source()
