"""Every command states before it reads anything that its output cannot be written."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lesionlens.cli import app
from lesionlens.core.errors import LesionLensError, WriteError

from ..helpers.commands import all_commands

FOLDERS = {  # OUT is where the command writes; no input exists, so that an error about one would come first
    "compare": "compare a.csv b.csv -o OUT",
    "data audit": "data audit table.csv -o OUT",
    "data generate": "data generate OUT",
    "data inject-artifact": "data inject-artifact table.csv OUT --artifact ruler --rate-difference 1",
    "demo": "demo -o OUT",
    "evaluate": "evaluate p.csv -o OUT",
    "evaluate-crops": "evaluate-crops run -o OUT",
    "evaluate-maps": "evaluate-maps model table.csv -o OUT",
    "evaluate-ood": "evaluate-ood model images -o OUT",
    "explain": "explain model images -o OUT",
    "export": "export model -o OUT",
    "reproduce": "reproduce arl/table5 --profile smoke -o OUT",
    "segment predict": "segment predict model images -o OUT",
    "segment train": "segment train table.csv -o OUT",
    "train": "train demo data=ham10000:nowhere -o OUT",
}
FILES = {
    "calibrate": "calibrate p.csv -o OUT",
    "card": "card run -o OUT",
    "data escape-formulas": "data escape-formulas table.csv -o OUT",
    "data split": "data split table.csv -o OUT",
    "evaluate": "evaluate p.csv --isic-submission OUT",
    "predict": "predict model images -o OUT",
    "segment evaluate": "segment evaluate masks table.csv -o OUT",
}
ALL = (*FOLDERS.values(), *FILES.values())


def error_of(command: str, out: Path) -> str:
    outcome = CliRunner().invoke(app, [word.replace("OUT", str(out)) for word in command.split()])
    assert isinstance(outcome.exception, LesionLensError), (outcome.exception, outcome.output)
    return str(outcome.exception)


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run in an empty folder, in which nothing appears."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    yield here
    assert list(here.iterdir()) == []


@pytest.mark.parametrize("command", ALL)
@pytest.mark.parametrize("kind", ["below a file", "below a device", "without creation", "full"])
def test_folder_that_cannot_be_written(
    command: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    reason = {
        "below a file": "file is not a folder",
        "below a device": "/dev/null is not a folder",
        "without creation": "cannot write /proc",
        "full": "No space left on device",
    }[kind]
    out = {
        "below a file": tmp_path / "file" / "out",
        "below a device": Path("/dev/null/out"),
        "without creation": Path("/proc/out"),
        "full": tmp_path / "out",
    }[kind]
    if kind == "full":
        monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: open("/dev/full", "wb", 0))  # noqa: SIM115
    assert reason in error_of(command, out)


@pytest.mark.parametrize("command", FOLDERS.values())
def test_file_in_place_of_a_folder(command: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = error_of(command, tmp_path / "file")
    assert "file is not a folder" in message or "exists and is not empty" in message


@pytest.mark.parametrize("command", FILES.values())
def test_folder_or_device_in_place_of_a_file(command: str, tmp_path: Path) -> None:
    assert "is a folder. Pass the name of a file" in error_of(command, tmp_path)
    assert "is a device or a pipe" in error_of(command, Path("/dev/null"))


@pytest.mark.parametrize(
    "name", ["data generate", "data inject-artifact", "export", "segment train", "train"]
)
def test_mount_point_in_place_of_a_new_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "is_mount", lambda path: path.name == "mounted")
    (tmp_path / "mounted").mkdir()
    assert "is a mount point" in error_of(FOLDERS[name], tmp_path / "mounted")


def test_every_command_that_writes_is_tested() -> None:
    options = {"out", "root", "isic_submission"}
    writing = {
        name for name, command in all_commands() if options & {parameter.name for parameter in command.params}
    }
    assert writing == {*FOLDERS, *FILES}


def test_an_existing_file_and_a_new_folder_pass(tmp_path: Path) -> None:
    (tmp_path / "p.csv").touch()
    for command, out in ((FILES["evaluate"], "p.csv"), (FOLDERS["evaluate"], "new/deep")):
        outcome = CliRunner().invoke(app, command.replace("OUT", str(tmp_path / out)).split())
        assert not isinstance(outcome.exception, WriteError)
        assert not (tmp_path / "new").exists()
