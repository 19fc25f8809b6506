"""A run is locked by its process until that ends in any way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lesionlens.core.errors import RunError
from lesionlens.reproduction.run_state import acquire_run, lock_owner

HOLD = """
import sys, time
from pathlib import Path
from lesionlens.reproduction.run_state import acquire_run
with acquire_run(Path(sys.argv[1]), "one") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_run_is_locked_until_its_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == "True"
        with acquire_run(tmp_path, "one") as acquired:
            assert not acquired
        assert lock_owner(tmp_path, "one").endswith(str(process.pid))
        with acquire_run(tmp_path, "two") as acquired:
            assert acquired
        process.send_signal(signal.SIGKILL)
        process.wait()
    with acquire_run(tmp_path, "one") as acquired:
        assert acquired
        assert lock_owner(tmp_path, "one").endswith(str(os.getpid()))
    assert lock_owner(tmp_path, "one") == ""


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "locks").write_text("no folder")
    with pytest.raises(RunError, match="Choose a writable folder"), acquire_run(tmp_path, "one"):
        pass
