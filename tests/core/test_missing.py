"""Cells that mean "not known" in every file, and groups too large to be one lesion."""

import pandas as pd
import pytest
from pandas._libs.parsers import STR_NA_VALUES

from lesionlens.core.missing import fill_missing_groups, is_missing, is_missing_group, oversized_groups


@pytest.mark.parametrize("word", sorted(STR_NA_VALUES))
def test_what_pandas_reads_as_missing_is_missing(word: str) -> None:
    assert is_missing(word)


@pytest.mark.parametrize("value", [None, float("nan"), pd.NA, pd.NaT], ids=repr)
def test_what_python_and_pandas_write_for_missing_is_missing(value: object) -> None:
    assert is_missing(str(value))
    assert is_missing(repr(value))


@pytest.mark.parametrize(
    "cell",
    [
        "#REF!",
        "#VALUE!",
        "#NAME?",
        "#DIV/0!",
        "#NUM!",
        "#NULL!",
        "#SPILL!",
        "#N/A",
        "#NV",
        "#WERT!",
        "#¡VALOR!",
        "Err:502",
    ],
)
def test_errors_of_spreadsheets_are_missing(cell: str) -> None:
    assert is_missing(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "NA_character_",
        r"\N",
        "(null)",
        "[NULL]",
        "'NA'",
        " n.a. ",
        "–",
        "...",
        "??",
        "\u00a0",
        "\ufeff",
        "not known",
    ],
)
def test_r_sql_and_people_write_missing_in_other_ways(cell: str) -> None:
    assert is_missing(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "0",
        "-1",
        "NAS_1",
        "nano",
        "none of the others",
        "no",
        "#1",
        "#12!",
        "a-b",
        "Nan Smith",
        "?1",
        "NV",
        "ND",
    ],
)
def test_names_are_not_missing(cell: str) -> None:
    assert not is_missing(cell)


def test_group_of_many_images_and_a_large_fraction_is_oversized() -> None:
    few = ["0"] * 10 + [f"L{i}" for i in range(20)]
    assert oversized_groups(few) == {}
    assert oversized_groups([*few, "0"]) == {"0": 11}
    assert oversized_groups(["0"] * 50 + [f"L{i}" for i in range(950)]) == {}
    assert oversized_groups([""] * 500 + ["-1"] * 300 + ["x"] * 200) == {"-1": 300, "x": 200}


@pytest.mark.parametrize(
    "code", ["-1", "-1.0", " -9", "-99", "-999", "-9999", "NA", "not collected", "unlabelled", "k.A."]
)
def test_codes_for_not_known_are_no_groups(code: str) -> None:
    assert is_missing_group(code)
    assert fill_missing_groups(["L1", code, code], ["a", "b", "c"]) == ["L1", "b", "c"]


@pytest.mark.parametrize("name", ["0", "1", "-2", "-19", "9", "L-1", "patient -1"])
def test_numbers_of_groups_are_names(name: str) -> None:
    assert not is_missing_group(name)
