"""Public functions exist, and importing the package loads nothing heavy."""

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
