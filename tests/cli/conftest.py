"""The working directory of commands on runs."""

from pathlib import Path

import pytest

from lesionlens import cli


@pytest.fixture
def workdir(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: links to the runs of the test's module."""
    for path in runs.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(cli, "_format_warnings", lambda: None)
    return tmp_path
