"""Output on the terminal: lines of text and progress bars."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, TypeVar

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

from lesionlens.core.encoding import printable

_T = TypeVar("_T")

LINE_INTERVAL = 55.0  # seconds between two lines about progress where there is no terminal


class _PlainConsole(Console):
    """Console that escapes control characters of text, also in cells of tables."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(printable(text), **options)


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is, without markup, emoji codes and highlighting."""
    return _PlainConsole(stderr=stderr, markup=False, emoji=False, highlight=False)


def print_line(
    console: Console, text: str, *, label: str = "", label_style: str = "", style: str = ""
) -> None:
    """Print text as it is, on lines that are not wrapped.

    Parameters
    ----------
    console
        Console, possibly with markup, which does not apply to the text.
    text
        Text; brackets and colons have no meaning, and control characters are escaped.
    label, label_style
        Words before the text, such as ``warning:``, and their style.
    style
        Style of the text.
    """
    line = Text(style=style)
    if label:
        line.append(f"{printable(label)} ", style=label_style)
    line.append(printable(text))
    console.print(line, highlight=False, soft_wrap=True)


def print_warning(console: Console, text: str) -> None:
    """Print a warning on one line."""
    print_line(console, text, label="warning:", label_style="yellow")


class RateColumn(ProgressColumn):
    """Recent processing rate, in items per second."""

    def __init__(self, unit: str) -> None:
        super().__init__()
        self.unit = unit

    def render(self, task: Task) -> Text:
        """Return the rate as text, empty while it is unknown."""
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:,.1f} {self.unit}/s")


class ProgressLines(Progress):
    """Progress bar that prints a line every minute instead if the console is not a terminal."""

    _stop: threading.Event | None = None

    def start(self) -> None:
        """Show the bar, or start to print lines."""
        super().start()
        if self.disable and not self.console.is_terminal:
            self._stop = threading.Event()
            threading.Thread(
                target=self._print_lines, args=(self._stop, time.monotonic()), daemon=True
            ).start()

    def stop(self) -> None:
        """Remove the bar, or print no more lines."""
        super().stop()
        if self._stop is not None:
            self._stop.set()

    def _print_lines(self, stop: threading.Event, started: float) -> None:
        while not stop.wait(LINE_INTERVAL):
            tasks = [task for task in self.tasks if not task.finished] or self.tasks[-1:]
            for task in tasks:  # of finished ones the last: what follows it is still being computed
                print_line(self.console, describe_progress(task, time.monotonic() - started))


def describe_progress(task: Task, seconds: float) -> str:
    """Return a line about a task: how much of it is done after how many minutes, and how long the rest takes."""
    counts = f": {task.completed:,.0f}" if task.completed or task.total else ""
    total = "" if task.total is None else f" of {task.total:,.0f}"
    left = (
        ""
        if task.finished or task.time_remaining is None
        else f", about {task.time_remaining / 60:.0f} min left"
    )
    return f"{task.description}{counts}{total}, {seconds / 60:.0f} min{left}"


def progress_bar(console: Console, *, unit: str = "") -> Progress:
    """Return a progress bar with elapsed and remaining time; a line every minute if the console is not a terminal.

    Parameters
    ----------
    unit
        Plural noun for the items, such as ``images``, to show their rate. Default: no rate.
    """
    rate = [RateColumn(unit)] if unit else []
    remaining = [TextColumn("left"), TimeRemainingColumn()]
    return _make_progress(
        console, [BarColumn(), MofNCompleteColumn(), *rate, TimeElapsedColumn(), *remaining]
    )


@contextmanager
def activity(console: Console, description: str) -> Iterator[None]:
    """Show what is being done, without a number of items."""
    with _make_progress(console, [TimeElapsedColumn()]) as progress:
        progress.add_task(description, total=None)
        yield


@contextmanager
def entered(context: AbstractContextManager[_T], console: Console, description: str) -> Iterator[_T]:
    """Enter a context manager, such as a lock, and show what is being waited for until it is entered."""
    with ExitStack() as stack:
        with activity(console, description):
            value = stack.enter_context(context)
        yield value


def _make_progress(console: Console, columns: Sequence[ProgressColumn]) -> Progress:
    return ProgressLines(
        TextColumn("{task.description}", markup=False),
        *columns,
        console=console,
        disable=not console.is_terminal,
        speed_estimate_period=120,  # seconds; on few cores, one batch of a large network takes a minute
        transient=True,
    )
