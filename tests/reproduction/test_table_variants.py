"""Tables by the paper's text, by the authors' code, and both side by side."""

from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from lesionlens.core.errors import LesionLensError
from lesionlens.reproduction.catalog import list_tables, load_table_spec, load_table_variants, match_tables
from lesionlens.reproduction.planner import ReproductionOptions, make_plan
from lesionlens.reproduction.profiles import PROFILES
from lesionlens.reproduction.protocol_differences import recipe_differences
from lesionlens.reproduction.reproduce import plan_reproduction
from lesionlens.reproduction.table_variants import names_of_variants, table_code_differences
from lesionlens.runs.load import code_differences, load_recipe
from lesionlens.training.resolve import resolve

TABLES_WITH_CODE = [name for name in list_tables() if name.partition("/")[0] in ("attnmel", "patch", "soft")]


@pytest.mark.parametrize("table", TABLES_WITH_CODE)
def test_what_differs_between_both_protocols_is_listed(table: str) -> None:
    """The keys that differ are those of the points that apply, and each network can be built."""
    spec = load_table_spec(table)
    for row in spec.rows:
        for recipe in spec.recipes_of(row).values():
            name = f"{table}:{recipe.slug}"
            paper, code = load_recipe(name), load_recipe(f"{name}@authors")
            resolve(code)
            differing = {text.partition("=")[0] for text in recipe_differences(code, paper)}
            listed = {
                override.partition("=")[0].partition("kwargs.")[0] + "kwargs" * ("kwargs." in override)
                for point in code_differences(name)
                for override in point.overrides_of(paper.model_dump())
            }
            assert differing == listed, name


def test_each_page_has_the_metric_of_its_protocol() -> None:
    paper, code, both = (load_table_spec(f"patch/table2{suffix}") for suffix in ("", "@authors", "@both"))
    assert [spec.measured_column("Dense121, GRU", "F1-Score").metric for spec in (paper, code, both)] == [
        "f1",
        "f1_weighted_by_predictions",
        "f1",
    ]
    assert (
        both.measured_column("Dense121, GRU, authors' code", "F1-Score").metric
        == "f1_weighted_by_predictions"
    )
    assert len(both.rows) == 2 * len(paper.rows)
    assert both.row("Dense121, GRU, authors' code").published == paper.row("Dense121, GRU").published
    assert {row.protocol for row in paper.rows} == {"paper"}
    assert {row.protocol for row in code.rows} == {"authors"}
    assert code.claims == paper.claims
    assert not both.claims


def test_both_plans_the_runs_of_either_page_once(tmp_path: Path) -> None:
    options = ReproductionOptions(PROFILES["paper"], tmp_path)
    paper, code, both = (
        make_plan(name, load_table_spec(name), "isic2017:/data", options, artifact_sets={})
        for name in ("attnmel/table3.2", "attnmel/table3.2@authors", "attnmel/table3.2@both")
    )
    keys = [{job.key for job in plan.jobs()} for plan in (paper, code, both)]
    assert not keys[0] & keys[1]
    assert keys[0] | keys[1] == keys[2]
    assert not any(run.protocol_differences for plan in (paper, code, both) for run in plan.runs)
    assert {run.job.recipe.model.name for run in code.runs if run.row == "Mel-CNN"} == {"mel_cnn_bn"}
    results = code.results(options, [])
    assert results.command == (
        "lesionlens reproduce attnmel/table3.2 --profile paper --variant authors --dataset isic2017:FOLDER"
    )
    assert results.variant == "authors"
    assert [point.point for point in results.code_differences] == [
        point.point for point in table_code_differences("attnmel/table3.2", paper.spec)
    ]


def test_overrides_differ_from_the_code_s_protocol(tmp_path: Path) -> None:
    options = replace(
        ReproductionOptions(PROFILES["paper"], tmp_path), overrides=("model.normalization=unit",)
    )
    plan = make_plan(
        "soft/table1@authors", load_table_spec("soft/table1@authors"), "ham10000:/data", options,
        artifact_sets={},
    )  # fmt: skip
    assert {run.protocol_differences for run in plan.runs} == {
        ("model.normalization=unit (protocol: minus_one_one)",)
    }


def test_names_of_pages_and_papers_without_code(tmp_path: Path) -> None:
    assert match_tables(["gessert/table2@both", "patch/table3"]) == ["patch/table2@both", "patch/table3"]
    options = ReproductionOptions(PROFILES["smoke"], tmp_path)
    with pytest.raises(LesionLensError, match="no code of the authors is known for arl/table7"):
        plan_reproduction(["arl/table7"], [], options, Console(quiet=True), variant="authors", dry_run=True)
    for name, pages in (
        ("arl/table7", ["arl/table7"]),
        ("attnmel/table3.1", ["attnmel/table3.1", "attnmel/table3.1@authors", "attnmel/table3.1@both"]),
    ):
        assert names_of_variants(name, load_table_spec(name), "both")[0] == pages
    specs, skipped = load_table_variants(["arl/table7@authors", "patch/table2@authors"], "both")
    assert list(specs) == ["patch/table2@authors"]  # the variant of a name takes precedence
    assert list(skipped) == ["arl/table7@authors"]
    with pytest.raises(LesionLensError, match="arl/table7@both: no code of the authors is known"):
        load_table_spec("arl/table7@both")
