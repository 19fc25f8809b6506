"""Runtime estimate of a run: from images and epochs, or from a finished equal run."""

import time
from pathlib import Path
from typing import Any

import pytest

from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.reproduction import plan_data
from lesionlens.reproduction import runtime_estimate as pace
from lesionlens.reproduction.jobs import expand_jobs
from lesionlens.reproduction.plan_data import PlanData
from lesionlens.reproduction.profiles import get_profile
from lesionlens.reproduction.runtime_estimate import OVERHEAD_SECONDS, estimate_runtime
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import write_recipe
from lesionlens.training.setup import read_task_data

from ..helpers.tiny_datasets import write_isic2017


@pytest.fixture
def overrides(tmp_path: Path) -> list[str]:
    root = write_isic2017(tmp_path / "isic2017", (8, 4, 4))
    network = ["model.backbone=test_resnet", "model.weights=none", "model.input_size=32", "train.device=cpu"]
    return [
        f"data.source=isic2017:{root}",
        *network,
        "train.epochs=3",
        "crops.train.count=2",
        "crops.test.count=5",
    ]


def test_estimate_counts_training_and_scored_crops(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_seconds_per_input", lambda *_: pace.SecondsPerInput(10.0, 1.0))
    job = expand_jobs(load_recipe("arl/cnn14", overrides), tmp_path)[0]
    estimate = estimate_runtime(job, tmp_path)
    assert estimate.num_images == 8
    # three epochs of 8 × 2 crops and 4 × 5 validation crops, then 8 × 5 of validation and test
    assert estimate.seconds == OVERHEAD_SECONDS + 3 * (16 * 10 + 20) + 40


def test_finished_equal_run_is_the_estimate(overrides: list[str], tmp_path: Path) -> None:
    job, twin = expand_jobs(load_recipe("arl/cnn14", [*overrides, "num_repeats=2"]), tmp_path)
    folder = twin.run_dir(tmp_path)
    folder.path.mkdir(parents=True)
    write_recipe(folder, twin.recipe)
    folder.update(status="finished", seconds=120.0)
    assert estimate_runtime(job, tmp_path, similar_runs=[job, twin]).seconds == OVERHEAD_SECONDS + 120


def test_a_network_is_timed_once(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = expand_jobs(load_recipe("arl/cnn14", overrides), tmp_path)[0]
    first = estimate_runtime(job, tmp_path)
    monkeypatch.setattr(pace, "_time_model", lambda *_, **__: pytest.fail("timed twice"))
    assert estimate_runtime(job, tmp_path) == first
    assert first.seconds > OVERHEAD_SECONDS


def test_after_the_deadline_the_time_follows_from_the_operations(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "_time_network", lambda *_: pytest.fail("timed"))
    monkeypatch.setattr(pace, "_seconds_per_operation", lambda _: (2e-9, 1e-9))
    monkeypatch.setattr(pace, "count_operations", lambda *_: 1e9)
    job = expand_jobs(load_recipe("arl/cnn14", overrides), tmp_path)[0]
    estimate = estimate_runtime(job, tmp_path, deadline=0.0)
    # as above, with 2 and 1 seconds per crop
    assert estimate.seconds == pytest.approx(OVERHEAD_SECONDS + 3 * (16 * 2 + 20) + 40)
    assert not estimate.timed
    assert not (tmp_path / "pace.json").exists()


def test_a_network_is_timed_if_that_ends_before_the_deadline(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[float] = []
    monkeypatch.setattr(pace, "_time_network", lambda *_: (1.0, 1.0))
    monkeypatch.setattr(pace, "_seconds_per_operation", lambda _: (2e-9, 1e-9))
    job = expand_jobs(load_recipe("arl/cnn14", overrides), tmp_path)[0]
    for operations in (1e12, 1.0):
        monkeypatch.setattr(pace, "count_operations", lambda *_, operations=operations: operations)
        timed.append(estimate_runtime(job, tmp_path, deadline=time.monotonic() + 60).timed)
    assert timed == [False, True]


def test_rows_read_a_table_and_a_split_once(
    overrides: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def load(source: str, **options: Any) -> LesionTable:
        calls.append(source)
        return load_table(source, **options)

    monkeypatch.setattr(plan_data, "load_table", load)
    data, changes = PlanData(), ([], ["train.lr=0.1"], ["data.task=melanoma"])
    recipes = [load_recipe("arl/cnn14", [*overrides, *more]) for more in changes]
    first, second, third = map(data.read, recipes)
    assert first is second
    assert third.task.name == "melanoma"
    assert len(calls) == 1
    expected = read_task_data(recipes[2])
    assert (third.task, third.splits, third.excluded) == (expected.task, expected.splits, expected.excluded)


def test_a_sample_of_the_images_is_split(overrides: list[str]) -> None:
    recipe = load_recipe("arl/cnn14", [*overrides, "data.max_images=6"])
    data = read_task_data(recipe)
    assert sum(map(len, data.splits.splits.values())) == len(data.table) == 6
    assert set(data.splits.splits) == {"train", "validation", "test"}
    smoke = load_recipe("arl/cnn14", get_profile("smoke").overrides(recipe))
    assert (smoke.data.max_images, smoke.train.compile) == (168, "off")
