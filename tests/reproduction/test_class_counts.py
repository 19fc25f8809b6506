"""Pages that count the images of datasets instead of training on them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable
from lesionlens.reproduction.catalog import load_table_spec
from lesionlens.reproduction.class_counts import count_rows
from lesionlens.reproduction.figures.class_counts import class_counts_figure
from lesionlens.reproduction.outcome import evaluate_table, summary_sentence
from lesionlens.reproduction.planner import TableResults
from lesionlens.reproduction.spec import RowSpec
from lesionlens.training.setup import SYNTHETIC_DATA_NOTICE


def table(labels: list[str], splits: list[str]) -> LesionTable:
    ids = [f"i{number}" for number in range(len(labels))]
    frame = pd.DataFrame({column: [""] * len(ids) for column in TABLE_COLUMNS})
    frame = frame.assign(image_id=ids, lesion_id=ids, path=ids, diagnosis=labels, split=splits, age=np.nan)
    return LesionTable("table", Path(), frame, ("melanoma", "nevus"))


def results(name: str, counts: dict[str, dict[str, int]], *caveats: str) -> TableResults:
    return TableResults(name, load_table_spec(name), (), "paper", {}, caveats, Path(), class_counts=counts)


def test_only_images_of_the_split_are_counted() -> None:
    data = table(["melanoma", "nevus", "nevus", "", "nevus"], ["train", "train", "test", "train", "train"])
    spec = load_table_spec("attnmel/fig3.1")
    assert count_rows(spec, {"ISIC 2017": "any"}, lambda source: data) == {
        "ISIC 2017": {"melanoma": 1, "nevus": 2}
    }


def test_page_compares_counts_with_the_published_ones() -> None:
    outcome = evaluate_table(results("patch/table1", {"HAM": {"melanoma": 1113, "nevus": 6700}}))
    assert [outcome.cell("HAM", name).difference for name in ("MEL", "NV", "BCC")] == [0, -5, -514]
    assert outcome.cell("SPC", "MEL").notes == ("not counted: pass --dataset derm7pt:FOLDER",)
    assert "not published as a list" in outcome.cell("ISIC", "NV").notes[0]
    assert summary_sentence(outcome) == "1 of 7 published counts are those of the datasets."


def test_published_counts_add_up_to_the_datasets() -> None:
    """HAM10000 has 10,015 images; SPC has 616 and 395, of which 24 have none of the classes."""
    rows = {
        row.name: [value.value for value in row.published.values()]
        for row in load_table_spec("patch/table1").rows
    }
    assert sum(rows["HAM"]) == 10015
    assert sum(rows["SPC"]) == 616 + 395 - 24


def test_synthetic_counts_are_not_compared() -> None:
    outcome = evaluate_table(results("patch/table1", {"HAM": {"nevus": 6705}}, SYNTHETIC_DATA_NOTICE))
    assert not outcome.is_comparable_to_paper
    assert summary_sentence(outcome).startswith("Counted on synthetic images")


def test_figure_has_a_bar_per_class() -> None:
    captioned = class_counts_figure(
        results("attnmel/fig3.1", {"ISIC 2016": {"melanoma": 173, "benign": 727}})
    )
    assert captioned is not None
    (axes,) = (axes for axes in captioned.figure.axes if axes.patches)
    assert [bar.get_width() for bar in axes.patches] == [173, 727]
    assert captioned.notes == ("Not counted: ISIC 2017, ISIC 2018.",)


def test_a_row_is_either_trained_or_counted() -> None:
    with pytest.raises(ValidationError, match="set either recipe, reason_not_run or counts"):
        RowSpec.model_validate({"name": "a", "recipe": "demo", "counts": {"dataset": "isic2017"}})
