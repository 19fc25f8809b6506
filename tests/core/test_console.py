"""Lines and progress: text is printed as it is, in any encoding, and without a terminal a line appears every minute."""

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.console import Console

from lesionlens.core import console as console_module
from lesionlens.core.console import activity, entered, make_console, print_line, print_warning, progress_bar
from lesionlens.core.encoding import printable, to_ascii

NAMES = ["a [red]b[/]", "[/]", "[bold", ":smile:", "[link=x]", "\\[x]", "{x}", "100%", "naïve 😀"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_not_markup(name: str) -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=40)  # with markup, as a caller may pass it
    print_line(console, f"{name} " * 9, label=f"{name}:", label_style="red")
    print_warning(console, name)
    with progress_bar(Console(file=stream, force_terminal=True)) as progress:
        progress.add_task(name, total=2)
    assert stream.getvalue().startswith(f"{name}: " + f"{name} " * 9)
    assert f"warning: {name}\n" in stream.getvalue()
    assert name in stream.getvalue().partition("warning")[2]


@pytest.mark.parametrize("name", ["a\x1b[31mb", "a\rb", "a\x00b", "a\x9bb", "a\udcffb", "a\x7fb"])
def test_control_characters_are_escaped(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_line(make_console(), name)
    make_console().print(name)
    assert capsys.readouterr().out == f"{printable(name)}\n" * 2
    assert printable(name).isprintable()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "cp437", "shift_jis", "utf-8"])
def test_output_fits_every_encoding(encoding: str) -> None:
    text = "0.5–0.7 × ≥ naïve 😀 λ \u00a0 \udcff 日本"
    code = (
        "from lesionlens.core.encoding import allow_any_encoding\nfrom rich.table import Table\n"
        "from lesionlens.core.console import make_console, print_line\nallow_any_encoding()\n"
        f"text = {text!r}\nprint(text)\ntable = Table(title=text)\ntable.add_column(text)\n"
        "make_console().print(table)\nprint_line(make_console(stderr=True), text)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": encoding},
        check=True,
    )
    assert result.stdout.decode(encoding).startswith("0.5")
    if encoding == "ascii":
        assert result.stdout.decode().startswith("0.5-0.7 x >= naive ? lambda   ? ??")


def test_ascii_of_a_character_is_ascii() -> None:
    assert all(to_ascii(chr(code)).isascii() and to_ascii(chr(code)) for code in range(0x80, 0x3000))


def test_lines_replace_the_bar_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "LINE_INTERVAL", 0.01)
    lines = LineWaiter()
    with progress_bar(Console(file=lines)) as progress:
        task = progress.add_task("scoring [x]", total=2000)
        progress.update(task, completed=1234)
        assert lines.wait_for("scoring [x]: 1,234 of 2,000, 0 min")
        progress.update(task, completed=2000)  # what follows in the block is still being computed
        assert lines.wait_for("scoring [x]: 2,000 of 2,000, 0 min\n")
    with activity(Console(file=lines), "loading the table"):
        assert lines.wait_for("loading the table, 0 min")


def test_waiting_for_a_lock_prints_lines_until_it_is_acquired(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console_module, "LINE_INTERVAL", 0.01)
    lines = LineWaiter()

    @contextmanager
    def lock() -> Iterator[str]:
        assert lines.wait_for("waiting for host 7, 0 min")
        yield "acquired"

    with entered(lock(), Console(file=lines), "waiting for host 7") as value:
        printed = lines.getvalue()
        assert value == "acquired"
        time.sleep(0.1)  # ten intervals
        assert lines.getvalue() == printed


class LineWaiter(io.StringIO):
    """Stream that lets a test wait until a text is written."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()

    def write(self, text: str) -> int:
        with self._changed:
            self._changed.notify_all()
            return super().write(text)

    def wait_for(self, text: str) -> bool:
        """Wait for a text; it fails after a minute."""
        with self._changed:
            return self._changed.wait_for(lambda: text in self.getvalue(), timeout=60)
