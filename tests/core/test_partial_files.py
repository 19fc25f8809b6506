"""Temporary files: those of killed processes are removed, those of running ones are not."""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lesionlens.core import partial_files
from lesionlens.core.fileio import atomic_directory, write_text
from lesionlens.core.partial_files import partial_directory, partial_file, remove_stale_partials

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs flock")

WRITER = """
import sys
from pathlib import Path
from lesionlens.core.partial_files import partial_directory, partial_file
folder = Path(sys.argv[1])
with partial_file(folder, "a.csv") as file, partial_directory(folder, "b") as directory:
    file.write_text("half")
    (directory / "x").write_text("half")
    print("written", flush=True)
    sys.stdin.read()
"""


@contextmanager
def writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a process that is in the middle of writing a file and a directory."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, folder], stdin=pipe, stdout=pipe, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "written\n"
        yield process
        process.kill()


def test_what_a_killed_process_leaves_is_removed(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == 2
    write_text(tmp_path / "other.txt", "")
    assert [path.name for path in tmp_path.iterdir()] == ["other.txt"]


def test_what_a_running_process_writes_stays(tmp_path: Path) -> None:
    with writer(tmp_path):
        before = sorted(tmp_path.iterdir())
        remove_stale_partials(tmp_path)
        with partial_file(tmp_path, "c"), partial_directory(tmp_path, "d"):
            remove_stale_partials(tmp_path)
            assert len(list(tmp_path.iterdir())) == 4
        assert sorted(tmp_path.iterdir()) == before


def test_other_files_stay(tmp_path: Path) -> None:
    names = ["p.csv.partial", ".p.partial", ".a.b.partial", ".a.abcdefgh.partial.txt", "a.abcdefgh.partial"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "target").touch()
    (tmp_path / ".link.abcdefgh.partial").symlink_to(tmp_path / "target")
    remove_stale_partials(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*names, "target"])


def test_nothing_is_removed_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: int) -> None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(partial_files.fcntl, "flock", flock)
    (tmp_path / ".a.abcdefgh.partial").touch()
    write_text(tmp_path / "a", "x")
    with atomic_directory(tmp_path / "b") as folder:
        (folder / "x").touch()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.abcdefgh.partial", "a", "b"]
