"""Public functions exist, and importing the package loads nothing heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

import lesionlens
from lesionlens.core.errors import RecipeError, RunError
from lesionlens.datasets.registry import load_table
from lesionlens.training.run import resume, train

from .helpers.images import write_image, write_lines


@pytest.mark.parametrize("name", [name for name in lesionlens.__all__ if name != "__version__"])
def test_public_functions_are_documented(name: str) -> None:
    assert callable(getattr(lesionlens, name))
    assert getattr(lesionlens, name).__doc__


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        lesionlens.trian  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, lesionlens; print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "set()"


@pytest.mark.slow
def test_public_functions_are_not_hidden_by_modules() -> None:
    code = (
        "import lesionlens.training.run, lesionlens.evaluation.evaluate, lesionlens.explanation.explain\n"
        "import lesionlens.inference.predict, lesionlens\n"
        "print([callable(getattr(lesionlens, name)) for name in ('train', 'evaluate', 'explain', 'predict')])"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert outcome.stdout.strip() == "[True, True, True, True]"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    names = ["a.jpg", "b.jpg"]
    for name in names:
        write_image(tmp_path / name, size=(8, 8))
    return write_lines(tmp_path / "table.csv", "image,label", [f"{names[0]},melanoma", f"{names[1]},nevus"])


def test_strings_and_paths_mean_the_same(table: Path, tmp_path: Path) -> None:
    assert load_table(table).fingerprint() == load_table(str(table)).fingerprint()
    recipe = write_lines(
        tmp_path / "mine.yaml", f"data: {{source: 'table:{table}'}}", ["model: {backbone: test_resnet}"]
    )
    run = tmp_path / "run"
    write_lines(run / "file", "", [])
    for path in (recipe, str(recipe)):
        with pytest.raises(RunError, match="already exists"):
            train(path, out=str(run))
    with pytest.raises(RunError, match="is not a run"):
        resume(str(run))


def test_a_string_is_not_a_list_of_names(table: Path) -> None:
    with pytest.raises(TypeError, match=r"classes is one name, 'nevus'; pass a list: \['nevus'\]"):
        load_table(table, classes="nevus")
    with pytest.raises(RecipeError, match="overrides is a string"):
        train("demo", "train.epochs=1")
