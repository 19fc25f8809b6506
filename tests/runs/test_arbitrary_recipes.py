"""Arbitrary overrides and recipe files end in a recipe or in a LesionLensError."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lesionlens.core.errors import LesionLensError
from lesionlens.runs.keys import recipe_keys
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import create_run_dir, write_recipe
from lesionlens.training.resolve import resolve

KEYS = [key.full_name for key in recipe_keys()] + [
    "data",
    "model",
    "train",
    "crops",
    "augment",
    "attention_prior",
]
PIECES = [
    "null", "~", "yes", "no", "true", "0", "1", "-1", "3", "0.5", "1e5", "1e999", "nan", "9" * 5000, "auto", "all",
    "[", "]", "{", "}", ",", ":", ": ", " #", "#", "'", '"', "\\", "\n", "\t", "\x00", "\x1b", "\x85", "\udcff",
    "\u2028",
    "&a ", "*a", "!!int ", "|", ">", "-", "- ", "? ", "%", "@", "`", "<<", ".", "=", " ", "é", "😀", "none", "melanoma",
]  # fmt: skip
WORDS = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map("".join)
PATHS = st.sampled_from(KEYS) | st.builds("{}.{}".format, st.sampled_from(KEYS), WORDS)
OVERRIDES = st.builds("{}={}".format, PATHS, WORDS) | WORDS


def check_overrides(overrides: list[str], folder: Path) -> None:
    try:
        recipe = load_recipe("plain", overrides)
        resolve(recipe)
    except LesionLensError:
        return
    run_dir = create_run_dir("run", runs_dir=folder)
    write_recipe(run_dir, recipe)
    assert load_recipe(str(run_dir.recipe)) == recipe
    run_dir.recipe.unlink()
    run_dir.path.rmdir()


def check_file(text: str, folder: Path) -> None:
    (folder / "r.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(LesionLensError):
        load_recipe(str(folder / "r.yaml"))


LINES = st.lists(
    st.builds("{}{}: {}\n".format, st.sampled_from(["", " ", "  "]), PATHS, WORDS) | WORDS, max_size=5
)
FILES = LINES.map("".join)
once = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
often = settings(once, max_examples=10_000)


@once
@given(st.lists(OVERRIDES, max_size=3))
def test_any_override_ends_in_a_recipe_or_an_error(tmp_path: Path, overrides: list[str]) -> None:
    check_overrides(overrides, tmp_path)


@once
@given(FILES)
def test_any_recipe_file_ends_in_a_recipe_or_an_error(tmp_path: Path, text: str) -> None:
    check_file(text, tmp_path)


@pytest.mark.slow
@often
@given(st.lists(OVERRIDES, max_size=3))
def test_many_overrides_end_in_a_recipe_or_an_error(tmp_path: Path, overrides: list[str]) -> None:
    check_overrides(overrides, tmp_path)


@pytest.mark.slow
@often
@given(FILES)
def test_many_recipe_files_end_in_a_recipe_or_an_error(tmp_path: Path, text: str) -> None:
    check_file(text, tmp_path)
