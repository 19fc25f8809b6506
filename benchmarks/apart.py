"""A way of working in a process of its own: what one sets (allocator, threads, precision) does not help another."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any, NoReturn

PRELOADED = ["lightning", "timm", "torchvision", "lesionlens.training.ready", "lesionlens.prediction"]
READY = None


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


class Apart:
    """A way that is prepared and waits; a call is one turn."""

    def __init__(self, way: Way, *given: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.line, there = context.Pipe()
        usual = multiprocessing.get_start_method()
        self.process = context.Process(target=serve, args=(there, way, given, usual))
        self.process.start()
        there.close()  # so that the line ends where that process does
        self.wait()

    def __call__(self) -> None:
        self.line.send("your turn")
        self.wait()

    def wait(self) -> None:
        problem = self.line.recv()
        if problem is not READY:
            raise RuntimeError(problem)

    def close(self) -> None:
        self.line.close()
        self.process.join()


def serve(line: Connection, way: Way, given: tuple[Any, ...], usual: str) -> None:
    """Work in turn; loaders start their workers as they usually do here, not as this process was started."""
    multiprocessing.set_start_method(usual, force=True)
    try:
        way(Turns(line), *given)
    except Exception as error:
        line.send(f"{way.__name__}: {error!r}")
        raise


@contextmanager
def each_apart(ways: Mapping[str, Way], *given: Any) -> Iterator[dict[str, Apart]]:
    """Give every way a process, one prepared after the other, and end them all."""
    there: dict[str, Apart] = {}
    try:
        for name, way in ways.items():
            there[name] = Apart(way, *given)
        yield there
    finally:
        for way in there.values():
            way.close()
