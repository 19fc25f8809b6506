"""A run is one process' while that lives, and free when it is gone, however it went."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lesionlens.core.errors import RunError
from lesionlens.reproduction.runner import acquire_run, lock_owner

HOLD = """
import sys, time
from pathlib import Path
from lesionlens.experiments.claim import claimed
with claimed(Path(sys.argv[1]), "one") as mine:
    print(mine, flush=True)
    time.sleep(60)
"""


def test_another_process_has_it_until_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "True"
        with acquire_run(tmp_path, "one") as mine:
            assert not mine
        assert lock_owner(tmp_path, "one").endswith(str(other.pid))
        with acquire_run(tmp_path, "two") as mine:
            assert mine
        other.send_signal(signal.SIGKILL)
        other.wait()
    with acquire_run(tmp_path, "one") as mine:
        assert mine
        assert lock_owner(tmp_path, "one").endswith(str(os.getpid()))
    assert lock_owner(tmp_path, "one") == ""


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "claims").write_text("no folder")
    with pytest.raises(RunError, match="Choose an --out"), acquire_run(tmp_path, "one"):
        pass
