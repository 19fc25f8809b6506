"""What a person sees when a run, or a group of them, has ended: the numbers, and where the report lies."""

from pathlib import Path

from rich.console import Console

from lesionlens.evaluation.evaluation import NOTICE, read_evaluation
from lesionlens.evaluation.table import evaluation_table
from lesionlens.training.folder import RunFolder
from lesionlens.training.group import GroupFolder
from lesionlens.training.over_runs import read_summary, summary_table


def show_run(path: Path) -> None:
    """Print the numbers of the part that counts, and the report's path; of a group, the summary over its runs."""
    if GroupFolder(path).is_there():
        _show_group(GroupFolder(path))
        return
    folder = RunFolder(path)
    part = "test" if folder.evaluation("test").is_file() else "validation"
    console = Console()
    console.print(f"\n{part} part")
    console.print(evaluation_table(read_evaluation(folder.evaluation(part))))
    console.print(f"report: {path / 'report.html'}", highlight=False, soft_wrap=True)


def _show_group(group: GroupFolder) -> None:
    console = Console()
    console.print(f"\n{group.record()['part']} part over {len(group.record()['children'])} runs")
    console.print(summary_table(read_summary(group.table)))
    console.print(f"all numbers: {group.page}, {group.table}", highlight=False, soft_wrap=True)
    console.print(NOTICE, style="italic")
