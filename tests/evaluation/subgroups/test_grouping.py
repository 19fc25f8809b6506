"""Groups from columns and bins."""

import re

import numpy as np
import pytest

from lesionlens.core.errors import PredictionsError
from lesionlens.evaluation.subgroups.grouping import (
    MISSING_GROUP,
    GroupSpec,
    group_images,
    parse_group_specs,
)


def test_columns_and_bins_are_parsed() -> None:
    specs = parse_group_specs(["sex, age:0,30,50.5,70,site", "my column"])
    assert specs == [
        GroupSpec("sex"), GroupSpec("age", (0, 30, 50.5, 70)), GroupSpec("site"), GroupSpec("my column")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "age:young",
            "--by age:young: 'young' is not the edge of a bin. Use a column, or a column of numbers",
        ),
        ("age:", "'' is not the edge of a bin"),
        ("age:nan", "'nan' is not the edge of a bin"),
        ("age:50,30", "--by age:50,30: the edges do not ascend"),
        ("age:30,30", "the edges do not ascend"),
        ("sex,,site", "--by has an empty name"),
        ("sex,sex", "--by names the column sex twice"),
    ],
)
def test_specs_that_do_not_parse_are_errors(text: str, message: str) -> None:
    with pytest.raises(PredictionsError, match=re.escape(message)):
        parse_group_specs([text])


def test_values_are_groups_and_unknown_is_one() -> None:
    grouping = group_images(GroupSpec("sex"), ["male", "Male", "female", "NA", "", "unknown", "male"])
    assert grouping.names == ("female", "male", MISSING_GROUP)
    assert grouping.group.tolist() == ["male", "male", "female", *[MISSING_GROUP] * 3, "male"]
    assert grouping.caveats == ("sex is not known for 43 % of the images.",)


def test_bins_contain_their_lower_edge() -> None:
    cells = ["-1", "0", "29.9", "30", "70", "120", "49,5", "?"]
    grouping = group_images(GroupSpec("age", (0, 30, 50, 70)), cells)
    expected = ["below 0", "0 to <30", "0 to <30", "30 to <50", "70 and over", "70 and over", "30 to <50"]
    assert grouping.group.tolist() == [*expected, MISSING_GROUP]
    edges = [-np.inf, 0, 30, 50, 70, np.inf]
    numbers = [float(cell.replace(",", ".")) for cell in cells[:-1]]
    assert [grouping.names.index(name) for name in expected] == [
        sorted(set(np.digitize(numbers, edges))).index(index) for index in np.digitize(numbers, edges)
    ]


def test_age_has_bins_of_its_own() -> None:
    grouping = group_images(GroupSpec("age"), [str(age) for age in range(5, 90)])
    assert grouping.names == ("0 to <30", "30 to <50", "50 to <70", "70 and over")


def test_numbers_are_in_numeric_order() -> None:
    assert group_images(GroupSpec("grade"), ["10", "9", "1", "high"]).names == ("1", "9", "10", "high")


@pytest.mark.parametrize(
    ("spec", "cells", "message"),
    [
        (GroupSpec("sex"), ["male"] * 3, "all images have the value 'male', so there are no other images"),
        (GroupSpec("sex"), ["NA", ""], "the column has no value for any of the images"),
        (GroupSpec("width"), list(map(str, range(200))), "200 different values, for example '0'; allowed are 25. Div"),
        (GroupSpec("name"), [f"p{i}" for i in range(26)], "26 different values, for example 'p0'; allowed are 25. Mer"),
        (GroupSpec("site", (1.0,)), ["back", "2"], "'back' is not a number, so the column has no bins. Remove"),
    ],
)  # fmt: skip
def test_columns_without_groups_are_errors(spec: GroupSpec, cells: list[str], message: str) -> None:
    with pytest.raises(PredictionsError, match=re.escape(message)):
        group_images(spec, cells)
