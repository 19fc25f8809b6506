"""Run every script here, each in a process of its own, then gather the results.

python benchmarks/run.py [--rounds N] [--long]   # what is said goes to each script
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from results import FOLDER, HERE, PAGE, gather

OURSELVES = ("run.py", "results.py")
MINUTES = ("growth.py", "peers.py", "streaming.py")  # each takes some: with --long, or by itself
LONGEST, LONGEST_OF_LONG, TO_END = 900, 6 * 3600, 60  # seconds


def scripts(folder: Path = HERE, *, long: bool = False) -> Sequence[Path]:
    """Find what can be run; other files are parts of these."""
    left_out = OURSELVES if long else OURSELVES + MINUTES
    found = sorted(folder.glob("*.py"))
    return [each for each in found if each.name not in left_out and "__main__" in each.read_text()]


def succeeded(command: Sequence[str], longest: float) -> bool:
    """Run a command; one that takes too long is interrupted, so that it removes its files, or else killed."""
    with subprocess.Popen(command) as process:
        try:
            return process.wait(longest) == 0
        except subprocess.TimeoutExpired:
            print(f"not done after {longest:.0f} s: {' '.join(command)}", flush=True)
            process.send_signal(signal.SIGINT)
        try:
            process.wait(TO_END)
        except subprocess.TimeoutExpired:
            process.kill()
    return False


def main() -> None:
    failed, long = [], "--long" in sys.argv
    for script in scripts(long=long):
        started = time.monotonic()
        command = [sys.executable, str(script), "--json", str(FOLDER / f"{script.stem}.json"), *sys.argv[1:]]
        if not succeeded(command, LONGEST_OF_LONG if long else LONGEST):
            failed.append(script.name)
        print(f"{script.name}: {time.monotonic() - started:.0f} s\n", flush=True)
    gather(FOLDER, PAGE)
    if not long:
        print(
            f"left out, as each takes minutes: {', '.join(MINUTES)}; run them by themselves, or all with --long"
        )
    if failed:
        raise SystemExit(f"These failed, and the table has nothing new of them: {', '.join(failed)}")


if __name__ == "__main__":
    main()
