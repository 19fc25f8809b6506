"""Runtime estimate of a run: from images and epochs, or from a finished equal run."""

from pathlib import Path

import pytest

from lesionlens.reproduction import runtime_estimate as pace
from lesionlens.reproduction.jobs import expand_jobs
from lesionlens.reproduction.runtime_estimate import OVERHEAD_SECONDS, estimate_runtime
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import write_recipe

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
    monkeypatch.setattr(pace, "_seconds_per_input", lambda prepared, out: (10.0, 1.0))
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
