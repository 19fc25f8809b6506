"""The public verbs are there, and importing the package is cheap."""

import subprocess
import sys

import pytest

import lesionlens


@pytest.mark.parametrize("name", [name for name in lesionlens.__all__ if name != "__version__"])
def test_public_functions_are_documented(name: str) -> None:
    assert callable(getattr(lesionlens, name))
    assert getattr(lesionlens, name).__doc__


def test_unknown_name_raises_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        lesionlens.trian  # noqa: B018


def test_import_loads_nothing_heavy() -> None:
    look = "import sys, lesionlens; print({'torch', 'pandas', 'numpy'} & set(sys.modules))"
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "set()"


@pytest.mark.slow
def test_public_functions_are_not_hidden_by_modules() -> None:
    look = (
        "import lesionlens.training.run, lesionlens.evaluation.evaluate, lesionlens.explanation.explain\n"
        "import lesionlens.inference.predict, lesionlens\n"
        "print([callable(getattr(lesionlens, name)) for name in ('train', 'evaluate', 'explain', 'predict')])"
    )
    said = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[True, True, True, True]"
