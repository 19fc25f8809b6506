"""Tests of writing several pages: a failure is reported and does not affect the others."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from lesionlens.core.errors import DataError, LesionLensError
from lesionlens.reproduction import reproduce as module
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.plan_data import PlanData
from lesionlens.reproduction.planner import ReproductionOptions, TableResults, make_plan
from lesionlens.reproduction.profiles import PROFILES
from lesionlens.reproduction.reproduce import Reproduction, plan_reproduction
from lesionlens.reproduction.run_state import read_failure

QUIET = Console(quiet=True)
NAMES = ("arl/fig6", "arl/fig7", "arl/fig9")
MINE = """
paper: mine
title: T
caption: C
source: S
dataset: isic2017
columns: [{name: AUC, metric: auk, class: melanoma}]
rows: [{name: one, recipe: demo}]
"""


@pytest.fixture
def ready(tmp_path: Path) -> Reproduction:
    ask = ReproductionOptions(PROFILES["smoke"], tmp_path)
    source = "isic2017:/data/isic2017"
    plans = [make_plan(name, load_table_spec(name), source, ask, artifact_sets={}) for name in NAMES]
    return Reproduction(ask, tuple(plans), {}, PlanData())


def test_failed_page_does_not_affect_the_others(
    ready: Reproduction, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"arl/fig6": DataError("the images have gone"), "arl/fig7": KeyError("alpha")}

    def write_page(results: TableResults, folder: Path) -> Path:
        if results.name in broken:
            raise broken[results.name]
        folder.mkdir(parents=True, exist_ok=True)
        return folder / "table.html"

    monkeypatch.setattr(module, "write_page", write_page)
    monkeypatch.setattr(module, "_protocol_caveats", lambda *_: ())
    assert ready.write_pages(QUIET) == ("page-arl-fig6", "page-arl-fig7")
    assert (tmp_path / "pages" / "arl-fig9").is_dir()
    assert read_failure(tmp_path, "page-arl-fig6") == "the images have gone"
    assert read_failure(tmp_path, "page-arl-fig7") == "KeyError: 'alpha'"
    assert "write_page" in json.loads((tmp_path / "failures" / "page-arl-fig7.json").read_text())["trace"]
    del broken["arl/fig6"]
    assert ready.write_pages(QUIET) == ("page-arl-fig7",)
    assert read_failure(tmp_path, "page-arl-fig6") == ""


def prepared(names: Sequence[str], sources: Sequence[str], out: Path) -> Reproduction:
    return plan_reproduction(names, sources, ReproductionOptions(PROFILES["smoke"], out), QUIET)


def test_invalid_tables_raise_before_any_output(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine.yaml").write_text(MINE.replace("auk", "auc"))
    (tmp_path / "wrong.yaml").write_text(MINE)
    with pytest.raises(LesionLensError, match="column AUC: unknown metric 'auk': did you mean 'auc'"):
        prepared([str(tmp_path / "wrong.yaml")], [], tmp_path / "out")
    with pytest.raises(LesionLensError, match="would write the same page; rename one of them"):
        prepared([str(tmp_path / name / "mine.yaml") for name in "ab"], [], tmp_path / "out")
    with pytest.raises(DataError, match="is used by none of these tables; they use isic2017"):
        prepared(["arl/table5"], [f"ham10000:{tmp_path}"], tmp_path / "out")
    assert not (tmp_path / "out").exists()
