"""Gather the results of all scripts on one page, machine by machine.

python benchmarks/results.py [FOLDER of JSON files] [PAGE]
"""

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from results_table import BenchmarkReport, ResultRow

from lesionlens.core.fileio import write_text

BENCHMARKS_DIR = Path(__file__).parent
RESULTS_DIR, RESULTS_PAGE = BENCHMARKS_DIR / "results", BENCHMARKS_DIR / "RESULTS.md"
PAGE_HEADER = """# Measured

Made by `make bench`; [how to read it](../docs/speed.md). Times are medians; `baseline ÷ ours` says how many times
faster ours is than the baseline, `fraction of roofline` how near it comes to what the machine can do,
`baseline ÷ roofline` the most that is possible here by the kernels at hand; in brackets the 95 % interval of the
median, of fewer than six rounds the least and the greatest.
"""


def render_results(reports: Sequence[BenchmarkReport]) -> str:
    """Return the page: a section per machine, with a table per script."""
    ordered = sorted(reports, key=lambda report: (str(report.machine), report.script))
    parts = [PAGE_HEADER]
    for machine, group in groupby(ordered, key=lambda report: str(report.machine)):
        parts.append(render_machine_section(machine, list(group)))
    return "\n".join(parts)


def render_machine_section(machine: str, reports: Sequence[BenchmarkReport]) -> str:
    dates = sorted({report.date[:10] for report in reports})
    judged = [row for report in reports for row in report.rows if row.target_met is not None]
    versions = sorted({f"{name} {number}" for report in reports for name, number in report.versions.items()})
    lines = [
        f"## {machine}",
        "",
        f"{' to '.join(dict.fromkeys((dates[0], dates[-1])))}. {', '.join(versions)}.",
        "",
    ]
    lines += [summarize_targets(judged), ""] if judged else []
    for report in reports:
        busy = f"{report.machine.load:.1f} runnable processes on average in the last minute."
        lines += [
            f"### {report.title}",
            "",
            f"`benchmarks/{report.script}.py`. {busy}",
            "",
            report.to_markdown(),
            "",
        ]
    return "\n".join(lines)


def summarize_targets(rows: Sequence[ResultRow]) -> str:
    """Count the targets met, and those above the roofline of this machine."""
    met = sum(bool(row.target_met) for row in rows)
    beyond = sum(not row.target_met and row.above_roofline for row in rows)
    text = f"Targets met: {met} of {len(rows)}."
    return (
        f"{text} Above the roofline, which no variant can pass on this machine: {beyond}." if beyond else text
    )


def gather_results(folder: Path, file: Path) -> None:
    """Write the page of all reports in a folder."""
    reports = [
        BenchmarkReport.model_validate_json(path.read_text()) for path in sorted(folder.glob("*.json"))
    ]
    if not reports:
        raise SystemExit(
            f"{folder} holds no results. Run make bench, or a script with --json {folder}/NAME.json"
        )
    write_text(file, render_results(reports))
    print(f"The table of all: {file}")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    gather_results(*(given + [RESULTS_DIR, RESULTS_PAGE][len(given) :]))
