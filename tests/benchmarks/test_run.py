"""Running all scripts: failing and hanging ones are reported and skipped."""

import signal
import sys

import pytest


@pytest.fixture
def background_job():
    """Ignore SIGINT, as background jobs of a shell do."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("background_job")
def test_failing_and_hanging_scripts_are_skipped(script, capfd, tmp_path):
    run = script("run")
    left = tmp_path / "left"
    stuck = f"""
import pathlib, time
try:
    pathlib.Path({str(left)!r}).touch(); time.sleep(60)
finally:
    pathlib.Path({str(left)!r}).unlink()
"""
    assert run.run_with_timeout([sys.executable, "-c", "pass"], 60)
    assert not run.run_with_timeout([sys.executable, "-c", "raise SystemExit(3)"], 60)
    assert not run.run_with_timeout([sys.executable, "-c", stuck], 1.5)
    assert not left.exists()  # it was interrupted and removed its file
    assert "not done after 2 s" in capfd.readouterr().out
