"""A bar with the time that is left, for whatever takes long."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class RateColumn(ProgressColumn):
    """How many are done in a second, of late."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Write it; nothing before it is known."""
        pace = task.finished_speed or task.speed
        return Text("" if pace is None else f"{pace:,.1f} {self.unit}/s")


def progress_bar(console: Console, *, unit: str = "") -> Progress:
    """Make a progress bar with elapsed and remaining time; nothing is drawn where there is no terminal.

    Parameters
    ----------
    unit
        Of what is counted, whose pace is then shown: ``images``.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        *([RateColumn(unit)] if unit else []),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        speed_estimate_period=120,  # a batch of a large network takes a minute on few cores
        transient=True,
    )
