"""Run every script here, each in a process of its own, then gather the results.

python benchmarks/run.py [--rounds N] [--long]   # what is said goes to each script
"""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from results import FOLDER, HERE, PAGE, gather

OURSELVES = ("run.py", "results.py")


def scripts(folder: Path = HERE) -> Sequence[Path]:
    """Find what can be run; other files are parts of these."""
    found = sorted(folder.glob("*.py"))
    return [each for each in found if each.name not in OURSELVES and "__main__" in each.read_text()]


def main() -> None:
    failed = []
    for script in scripts():
        started = time.monotonic()
        command = [sys.executable, str(script), "--json", str(FOLDER / f"{script.stem}.json"), *sys.argv[1:]]
        if subprocess.run(command, check=False).returncode:
            failed.append(script.name)
        print(f"{script.name}: {time.monotonic() - started:.0f} s\n", flush=True)
    gather(FOLDER, PAGE)
    if failed:
        raise SystemExit(f"These failed, and the table has nothing new of them: {', '.join(failed)}")


if __name__ == "__main__":
    main()
