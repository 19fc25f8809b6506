"""What a person sees when a run, or a group of them, has ended: the numbers, and where the report lies."""

from pathlib import Path

from rich.console import Console

from lesionlens.evaluation.evaluation import RESEARCH_USE_NOTICE, read_evaluation
from lesionlens.evaluation.table import evaluation_table
from lesionlens.training.folder import RunDir
from lesionlens.training.group import MultiRunDir
from lesionlens.training.over_runs import read_summary, build_summary_table


def print_run_summary(path: Path) -> None:
    """Print the numbers of the part that counts, and the report's path; of a group, the summary over its runs."""
    if MultiRunDir(path).exists():
        _print_group_summary(MultiRunDir(path))
        return
    folder = RunDir(path)
    part = "test" if folder.evaluation("test").is_file() else "validation"
    console = Console()
    console.print(f"\n{part} part")
    console.print(evaluation_table(read_evaluation(folder.evaluation(part))))
    console.print(f"report: {path / 'report.html'}", highlight=False, soft_wrap=True)


def _print_group_summary(group: MultiRunDir) -> None:
    console = Console()
    console.print(f"\n{group.metadata()['part']} part over {len(group.metadata()['children'])} runs")
    console.print(build_summary_table(read_summary(group.summary_csv)))
    console.print(f"all numbers: {group.summary_md}, {group.summary_csv}", highlight=False, soft_wrap=True)
    console.print(RESEARCH_USE_NOTICE, style="italic")
