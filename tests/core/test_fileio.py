"""A file is as it was or complete, whatever goes wrong in between."""

import errno
import os
from pathlib import Path

import pytest

from lesionlens.core.errors import DataError, RunError
from lesionlens.core.fileio import atomic_directory, atomic_write, write_text


def test_writes_and_leaves_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "first")
    write_text(tmp_path / "new" / "a.txt", "zweiter ü")
    assert (tmp_path / "new" / "a.txt").read_text(encoding="utf-8") == "zweiter ü"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()]
)
def test_a_failure_keeps_what_was_there(tmp_path: Path, error: BaseException) -> None:
    file = tmp_path / "a.txt"
    file.write_text("before")

    def fail_half_way() -> None:
        with atomic_write(file) as part:
            part.write_text("half")
            raise error

    with pytest.raises((RunError, KeyboardInterrupt, ValueError)) as caught:
        fail_half_way()
    assert file.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == ["a.txt"]
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)
        assert "What was written before is intact" in str(caught.value)


def test_a_file_in_the_way_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_text(tmp_path / "a" / "b.txt", "")


def test_a_new_folder_is_there_when_it_is_complete_and_only_then(tmp_path: Path) -> None:
    root = tmp_path / "sets" / "one"
    with atomic_directory(root) as folder:
        (folder / "a.txt").write_text("a")
        assert not root.exists()
    assert [path.name for path in root.parent.iterdir()] == ["one"]
    assert (root / "a.txt").read_text() == "a"
    with pytest.raises(DataError, match="not empty: nothing is overwritten"), atomic_directory(root):
        pass

    def fail_half_way() -> None:
        with atomic_directory(tmp_path / "two") as folder:
            (folder / "half.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert [path.name for path in tmp_path.iterdir()] == ["sets"]


def test_files_and_folders_are_no_more_open_than_any_other(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "a")
        with atomic_directory(tmp_path / "set"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "set").stat().st_mode & 0o777 == 0o750
