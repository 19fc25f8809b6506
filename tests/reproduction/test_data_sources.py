"""Tests of data sources: synthetic datasets, artifact datasets, and custom datasets."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lesionlens.core.errors import DataError, RunError
from lesionlens.datasets.registry import load_table
from lesionlens.reproduction import data_sources as module
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.data_sources import (
    get_artifact_sets,
    get_synthetic,
    parse_sources,
    resolve_source,
)
from lesionlens.reproduction.plan_data import PlanData
from lesionlens.reproduction.profiles import PROFILES
from lesionlens.reproduction.spec import ArtifactSet

from ..helpers.tiny_datasets import write_isic2017

QUIET = Console(quiet=True)
TABLE = load_table_spec("arl/table5")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("out") / "data" / "smoke-isic2017"
    return get_synthetic(
        "isic2017", folder, num_images=15, size=(36, 48), seed=0, console=QUIET, exclude_artifacts=["ruler"]
    )


def test_dataset_is_generated_once_for_concurrent_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, draw = [], module.generate_in_layout

    def counted(*args: Any, **options: Any) -> Path:
        calls.append(args)
        return draw(*args, **options)

    monkeypatch.setattr(module, "generate_in_layout", counted)

    def ask(_: int) -> str:
        return get_synthetic(
            "isic2016", tmp_path / "set", num_images=12, size=(36, 48), seed=0, console=QUIET
        )

    with ThreadPoolExecutor(3) as pool:
        sources = set(pool.map(ask, range(3)))
    assert sources == {f"isic2016:{tmp_path / 'set'}"}
    assert len(calls) == 1
    assert len(load_table(sources.pop())) == 12


def test_failed_generation_does_not_block_the_next(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few"):
        get_synthetic("derm7pt", tmp_path / "set", num_images=5, size=(36, 48), seed=0, console=QUIET)
    get_synthetic("isic2016", tmp_path / "set", num_images=12, size=(36, 48), seed=0, console=QUIET)


def test_artifact_to_inject_is_absent_from_the_source(source: str) -> None:
    root = Path(source.partition(":")[2])
    header, *rows = [line.split(",") for line in (root / "artifacts.csv").read_text().splitlines()]
    assert {row[header.index("ruler")] for row in rows} == {"0"}
    assert {row[header.index("hair")] for row in rows} == {"0", "1"}


def test_artifact_datasets_are_named_by_content_and_made_once(source: str, tmp_path: Path) -> None:
    sets = {
        "biased": ArtifactSet(artifact="ruler", rate_difference=0.8),
        "same": ArtifactSet(artifact="ruler", rate_difference=0.8),
        "against": ArtifactSet(artifact="ruler", rate_difference=-0.8),
    }
    planned = get_artifact_sets(sets, source, tmp_path, console=QUIET, dry_run=True)
    assert list(tmp_path.iterdir()) == []
    data = PlanData()
    data.add_missing_copy(planned["biased"], source)
    assert data.load(planned["biased"]).fingerprint() == load_table(source).fingerprint()
    sources = get_artifact_sets(sets, source, tmp_path, console=QUIET)
    assert planned == sources
    data = PlanData()
    data.add_missing_copy(sources["biased"], source)
    assert data.load(sources["biased"]).fingerprint() == load_table(sources["biased"]).fingerprint()
    assert sources["biased"] == sources["same"] != sources["against"]
    made = {name: Path(path.partition(":")[2]).stat().st_mtime_ns for name, path in sources.items()}
    assert get_artifact_sets(sets, source, tmp_path, console=QUIET) == sources
    assert {name: Path(path.partition(":")[2]).stat().st_mtime_ns for name, path in sources.items()} == made
    ids = load_table(source).frame["image_id"].tolist()
    assert all(load_table(path).frame["image_id"].tolist() == ids for path in sources.values())


def test_one_source_per_dataset(tmp_path: Path) -> None:
    source = f"isic2017:{write_isic2017(tmp_path / 'isic2017')}"
    assert parse_sources([source]) == {"isic2017": source}
    with pytest.raises(DataError, match="two sources of isic2017"):
        parse_sources([source, source])


def test_the_papers_protocol_needs_real_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--dataset isic2017:FOLDER"):
        resolve_source(TABLE, {}, PROFILES["paper"], tmp_path, QUIET)


def test_changed_images_of_a_source_raise(tmp_path: Path) -> None:
    first, second = (f"isic2017:{write_isic2017(tmp_path / str(count), (count, 3, 3))}" for count in (4, 5))
    short, out = PROFILES["short"], tmp_path / "out"
    assert resolve_source(TABLE, {"isic2017": first}, short, out, QUIET) == first
    assert resolve_source(TABLE, {"isic2017": first}, short, out, QUIET) == first
    with pytest.raises(RunError, match="started with other images of isic2017"):
        resolve_source(TABLE, {"isic2017": second}, short, out, QUIET)
