"""A way of working in a process of its own: what one sets (allocator, threads, precision) does not help another."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from harness import repeated

PRELOADED = ["lightning", "timm", "torchvision", "lesionlens.training.ready", "lesionlens.scoring.predict"]
READY = None
LONGEST, TO_END = 600, 10  # seconds: what one turn may take, and what a process has to end by itself


class Turns:
    """What a way calls before each piece of work: it tells that the last is done, and waits for its turn."""

    def __init__(self, line: Connection) -> None:
        self.line = line

    def __call__(self) -> None:
        self.line.send(READY)
        try:
            self.line.recv()
        except EOFError:  # nobody is there any more
            raise SystemExit from None

    def each(self, work: Callable[[], object]) -> NoReturn:
        """Do this work at each turn."""
        while True:
            self()
            work()


Way = Callable[..., None]
"""Takes `Turns`, prepares, then works turn by turn for ever."""


def each_turn(make: Callable[..., Callable[[], object]], *, times: int = 1, **options: Any) -> Way:
    """Make a way of what prepares work: it does that work, once or several times, at each turn."""
    return partial(prepared, make, times, options)


def prepared(
    make: Callable[..., Callable[[], object]],
    times: int,
    options: Mapping[str, Any],
    turns: Turns,
    *given: Any,
) -> None:
    turns.each(partial(repeated, make(*given, **options), times))


class Apart:
    """A way that is prepared and waits; a call is one turn."""

    def __init__(self, name: str, way: Way, *given: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.name = name
        self.line, there = context.Pipe()
        usual = multiprocessing.get_start_method()
        self.process = context.Process(target=serve, args=(there, way, given, usual))
        self.process.start()
        there.close()  # so that the line ends where that process does
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def __call__(self) -> None:
        self.line.send("your turn")
        self.wait()

    def wait(self) -> None:
        if not self.line.poll(LONGEST):
            raise RuntimeError(f"{self.name}: not done after {LONGEST} s")
        try:
            problem = self.line.recv()
        except EOFError:
            raise RuntimeError(f"{self.name}: its process is gone; was it killed for its memory?") from None
        if problem is not READY:
            raise RuntimeError(f"{self.name}: {problem}")

    def close(self) -> None:
        """End the process, in the midst of its work if need be."""
        self.line.close()
        self.process.join(TO_END)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()


def serve(line: Connection, way: Way, given: tuple[Any, ...], usual: str) -> None:
    """Work in turn; loaders start their workers as they usually do here, not as this process was started."""
    multiprocessing.set_start_method(usual, force=True)
    try:
        way(Turns(line), *given)
    except Exception as error:
        line.send(repr(error))
        raise


@contextmanager
def each_apart(ways: Mapping[str, Way], *given: Any) -> Iterator[dict[str, Apart]]:
    """Give every way a process, one prepared after the other, and end them all."""
    there: dict[str, Apart] = {}
    try:
        for name, way in ways.items():
            there[name] = Apart(name, way, *given)
        yield there
    finally:
        for way in there.values():
            way.close()
