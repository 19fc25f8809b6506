"""Files and directories are unchanged or complete, and locks exclude other holders."""

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock

from lesionlens.core.errors import DataError, RunError, WriteError
from lesionlens.core.fileio import (
    atomic_directory,
    atomic_write,
    check_writable_dir,
    check_writable_file,
    file_lock,
    output_lock,
    write_error,
    write_text,
)


def test_write_text_leaves_no_other_file(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "a.txt", "first")
    write_text(tmp_path / "new" / "a.txt", "zweiter ü")
    assert (tmp_path / "new" / "a.txt").read_text(encoding="utf-8") == "zweiter ü"
    assert [file.name for file in (tmp_path / "new").iterdir()] == ["a.txt"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError()]
)
def test_atomic_write_keeps_the_old_file_on_failure(tmp_path: Path, error: BaseException) -> None:
    file = tmp_path / "a.txt"
    file.write_text("before")

    def fail_halfway() -> None:
        with atomic_write(file) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises((RunError, KeyboardInterrupt, ValueError)) as caught:
        fail_halfway()
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    if isinstance(error, OSError):
        assert "No space left on device" in str(caught.value)
        assert "What was written before is intact" in str(caught.value)


def test_write_text_reports_a_file_in_place_of_a_directory(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        write_text(tmp_path / "a" / "b.txt", "")


def test_atomic_directory_appears_only_when_complete(tmp_path: Path) -> None:
    root = tmp_path / "sets" / "one"
    with atomic_directory(root) as folder:
        (folder / "a.txt").write_text("a")
        assert not root.exists()
    assert [path.name for path in root.parent.iterdir()] == ["one"]
    assert (root / "a.txt").read_text() == "a"
    with pytest.raises(DataError, match="not empty: nothing is overwritten"), atomic_directory(root):
        pass

    def fail_halfway() -> None:
        with atomic_directory(tmp_path / "two") as folder:
            (folder / "half.txt").write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_halfway()
    assert [path.name for path in tmp_path.iterdir()] == ["sets"]


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.txt", "a")
        with atomic_directory(tmp_path / "set"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "set").stat().st_mode & 0o777 == 0o750


def test_file_lock_without_waiting_yields_false(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.lock"
    with file_lock(path, wait=False) as first, file_lock(path, wait=False) as second:
        assert (first, second) == (True, False)
        with file_lock(path, wait=False) as third:  # the second did not release what the first holds
            assert not third
    with file_lock(path) as again:
        assert again


def test_file_lock_calls_on_wait_and_then_acquires(tmp_path: Path) -> None:
    holder = FileLock(tmp_path / "a.lock", is_singleton=False)
    holder.acquire()
    with file_lock(tmp_path / "a.lock", on_wait=holder.release) as acquired:
        assert acquired


def test_file_lock_reports_a_directory_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(RunError, match=r"cannot write .*a\.lock: .*Choose a writable folder"),
        file_lock(tmp_path / "file" / "a.lock"),
    ):
        pass


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_file_system_without_locks_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="Windows has its own locks")

    def flock(*_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    for _ in range(2):  # no file of the first attempt blocks the second
        with (
            pytest.raises(RunError, match=r"has no file locks .*another file system"),
            file_lock(tmp_path / "a"),
        ):
            pass


def test_files_are_checked_before_work(tmp_path: Path) -> None:
    check_writable_file(tmp_path / "new" / "deep")
    check_writable_file((tmp_path / "file").resolve())
    (tmp_path / "file").touch()
    check_writable_file(tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (
        tmp_path,
        Path("/dev/null"),
        tmp_path / "file" / "x",
        tmp_path / "link" / "x",
        Path("/proc/x"),
    ):
        with pytest.raises(WriteError):
            check_writable_file(path)


AS_ORDINARY_USER = """
import os, sys
from pathlib import Path
from lesionlens.core.errors import WriteError
from lesionlens.core.fileio import check_new_dir, check_writable_dir, check_writable_file
if os.geteuid() == 0:  # modes do not bind root
    os.setuid(65534)
for check in (check_writable_dir, check_writable_file, check_new_dir):
    for path in sys.argv[1:]:
        try:
            check(Path(path))
        except WriteError as error:
            print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs modes of POSIX")
def test_folders_of_others_are_rejected() -> None:
    with tempfile.TemporaryDirectory() as folder:  # tmp_path is below a folder of its user only
        Path(folder).chmod(0o755)
        closed, invisible = Path(folder) / "closed", Path(folder) / "invisible"
        for path, mode in ((closed, 0o555), (invisible, 0o000)):
            path.mkdir()
            path.chmod(mode)
        command = [sys.executable, "-c", AS_ORDINARY_USER, closed / "x", invisible / "x"]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert [line.count("Permission denied") for line in result.stdout.splitlines()] == [1] * 6


def test_directories_are_checked_before_work(tmp_path: Path) -> None:
    check_writable_dir(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "deep", Path("/dev/null/x"), Path("/proc/none")):
        with pytest.raises(WriteError, match=r"cannot write .*Choose a writable folder"):
            check_writable_dir(path)


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        (errno.ENOSPC, "Free some space, then run again"),
        (errno.EDQUOT, "of your quota"),
        (errno.EFBIG, "limit on the size of files"),
        (errno.EACCES, "Choose a writable folder"),
        (errno.EIO, "Choose a writable folder"),
    ],
)
def test_write_errors_state_what_to_do(code: int, advice: str) -> None:
    assert advice in str(write_error(Path("a.csv"), OSError(code, os.strerror(code))))


def test_output_lock_admits_one_writer_and_leaves_no_file(tmp_path: Path) -> None:
    with (
        output_lock(tmp_path / "p.csv"),
        pytest.raises(RunError, match=r"another process is writing .*p\.csv; wait"),
        output_lock(tmp_path / "p.csv"),
    ):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("remove", [Path.unlink, lambda path: path.rename(path.with_name(".nfs01"))])
def test_lock_of_a_removed_file_excludes_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remove: Callable[[Path], object]
) -> None:
    """Between opening and locking the file, its holder removes it, and another process locks its replacement.

    NFS renames a removed file that is open.
    """
    fcntl = pytest.importorskip("fcntl", reason="Windows does not remove open files")
    path, real_flock = tmp_path / ".p.csv.lock", fcntl.flock
    with ExitStack() as other_process:

        def flock(descriptor: int, operation: int) -> None:
            monkeypatch.undo()
            remove(path)
            replacement = other_process.enter_context(path.open("w"))
            real_flock(replacement, fcntl.LOCK_EX)
            real_flock(descriptor, operation)

        monkeypatch.setattr(fcntl, "flock", flock)
        with pytest.raises(RunError, match="another process is writing"), output_lock(tmp_path / "p.csv"):
            pass
        assert path.exists()
    with output_lock(tmp_path / "p.csv"):
        assert path.exists()
