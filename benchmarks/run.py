"""Run every benchmark script in its own process, then gather the results.

python benchmarks/run.py [--rounds N] [--full]   # the options go to each script
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from results import BENCHMARKS_DIR, RESULTS_DIR, RESULTS_PAGE, gather_results

NON_BENCHMARKS = ("run.py", "results.py")
SLOW_SCRIPTS = (
    "baselines.py",
    "inference_streaming.py",
    "scaling.py",
)  # long scripts: run with --full, or individually
SCRIPT_TIMEOUT, FULL_SCRIPT_TIMEOUT, INTERRUPT_TIMEOUT = 900, 6 * 3600, 60  # seconds


def find_scripts(folder: Path = BENCHMARKS_DIR, *, full: bool = False) -> Sequence[Path]:
    """Return the scripts; other files are modules."""
    excluded = NON_BENCHMARKS if full else NON_BENCHMARKS + SLOW_SCRIPTS
    paths = sorted(folder.glob("*.py"))
    return [path for path in paths if path.name not in excluded and "__main__" in path.read_text()]


@contextmanager
def interrupts_accepted() -> Iterator[None]:
    """Let processes that start here react to SIGINT, which background jobs of a shell ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def run_with_timeout(command: Sequence[str], timeout: float) -> bool:
    """Run a command; after the timeout, interrupt it, so that it removes its files, and then kill it."""
    with interrupts_accepted():
        started = subprocess.Popen(command)
    with started as process:
        try:
            return process.wait(timeout) == 0
        except subprocess.TimeoutExpired:
            print(f"not done after {timeout:.0f} s: {' '.join(command)}", flush=True)
            process.send_signal(signal.SIGINT)
        try:
            process.wait(INTERRUPT_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
    return False


def main() -> None:
    failed, full = [], "--full" in sys.argv
    for script in find_scripts(full=full):
        started = time.monotonic()
        command = [
            sys.executable,
            str(script),
            "--json",
            str(RESULTS_DIR / f"{script.stem}.json"),
            *sys.argv[1:],
        ]
        if not run_with_timeout(command, FULL_SCRIPT_TIMEOUT if full else SCRIPT_TIMEOUT):
            failed.append(script.name)
        print(f"{script.name}: {time.monotonic() - started:.0f} s\n", flush=True)
    gather_results(RESULTS_DIR, RESULTS_PAGE)
    if not full:
        print(
            f"not run, as each takes minutes: {', '.join(SLOW_SCRIPTS)}; run them by themselves, or all with --full"
        )
    if failed:
        raise SystemExit(f"These failed, and the table has nothing new of them: {', '.join(failed)}")


if __name__ == "__main__":
    main()
