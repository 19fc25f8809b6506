"""Experiments are found by name, author, pattern or file; what is wrong with one is said."""

from pathlib import Path

import pytest

from lesionlens.core.errors import LesionLensError
from lesionlens.reproduction.catalog import PAPERS, match_tables, list_tables, load_table_spec

ASKED = {
    "arl": "table3 table4 table5 table6 table7 section5f fig5 fig6 fig7 fig9 fig10",
    "attnmel": "table3.1 table3.2 table3.3 table3.4 fig3.2-2016 fig3.2-2017 fig3.3",
    "patch": "table2 table3 table4 table5 table6 fig4 fig5",
    "soft": "table1 table2 table3 table4 fig7 fig9",
}
ALL = [f"{paper}/{name}" for paper, line in ASKED.items() for name in line.split()]

GOOD = """
paper: open
title: T
caption: C
source: S
data: isic2017
metrics: [{name: AUC, metric: auc, of: melanoma}]
rows: [{name: one, recipe: demo}]
"""


def written(folder: Path, text: str) -> str:
    (folder / "mine.yaml").write_text(text)
    return str(folder / "mine.yaml")


def test_tables_come_before_figures_in_the_papers_order() -> None:
    assert [name for name in list_tables() if name.partition("/")[0] in PAPERS] == ALL


def test_the_first_author_names_the_paper() -> None:
    for author, paper in {"zhang": "arl", "Yan": "attnmel", "gessert": "patch", "datta": "soft"}.items():
        first = next(name for name in ALL if name.startswith(paper))
        assert load_table_spec(first.replace(paper, author)) == load_table_spec(first)


def test_words_ask_for_papers_patterns_names_and_files() -> None:
    assert match_tables([]) == list_tables()
    assert match_tables(["datta"]) == match_tables(["soft"]) == [name for name in ALL if name.startswith("soft/")]
    assert match_tables(["arl/fig*"]) == ["arl/fig5", "arl/fig6", "arl/fig7", "arl/fig9", "arl/fig10"]
    assert match_tables(["patch/table2", "gessert/table[23]", "my.yaml"]) == [
        "patch/table2",
        "patch/table3",
        "my.yaml",
    ]


@pytest.mark.parametrize("function", [load_table_spec, lambda name: match_tables([name])])
def test_a_name_that_is_none_names_the_nearest(function) -> None:
    with pytest.raises(LesionLensError, match=r"did you mean .*/table2.*path of a \.yaml file"):
        function("gessert/tabel2")


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    assert load_table_spec(written(tmp_path, GOOD)).row("one").recipe == "demo"
    with pytest.raises(LesionLensError, match=r"cannot read the experiment none\.yaml: No such file"):
        load_table_spec("none.yaml")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("title: T\n", "", r"title is missing"),
        ("title: T", "titel: T", r"titel: unknown key 'titel': did you mean 'title'"),
        ("recipe: demo", "recipes: demo", r"rows\.0\.recipes: .*dictionary.*came: 'demo'"),
        ("recipe: demo", "recip: demo", r"rows\.0\.recip: unknown key 'recip': did you mean 'recipe'"),
        ("recipe: demo", "published: {AUC: 0.9}", r"rows\.0: the row one: give one of recipe, recipes and without"),
        ("recipe: demo", "recipe: demo, published: {AUK: 1}", r"unknown column 'AUK': did you mean 'AUC'"),
        ("metric: auc, of: melanoma", "mean_of: [AUC]", r"unknown other column 'AUC'"),
        ("recipe: demo", "recipe: demo, published: {AUC: lost}", r"rows\.0\.published\.AUC: .*came: 'lost'"),
        ("paper: open", "paper: [", r"cannot read the experiment .*mine\.yaml"),
        (GOOD, "- one\n", r"is no table of keys"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_said_with_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(LesionLensError, match=said) as caught:
        load_table_spec(written(tmp_path, GOOD.replace(old, new)))
    assert "mine.yaml" in str(caught.value)
