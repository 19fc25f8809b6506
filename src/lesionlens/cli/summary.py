"""What a person sees when a run has ended: the numbers, and where the report lies."""

from pathlib import Path

from rich.console import Console

from lesionlens.evaluation.evaluation import read_evaluation
from lesionlens.evaluation.table import evaluation_table
from lesionlens.training.folder import RunFolder


def show_run(path: Path) -> None:
    """Print the numbers of the part that counts, and the report's path."""
    folder = RunFolder(path)
    part = "test" if folder.evaluation("test").is_file() else "validation"
    console = Console()
    console.print(f"\n{part} part")
    console.print(evaluation_table(read_evaluation(folder.evaluation(part))))
    console.print(f"report: {path / 'report.html'}", highlight=False, soft_wrap=True)
