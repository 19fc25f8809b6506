"""A way of working in a process of its own: what one sets (allocator, threads, precision) does not help another."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

PRELOADED = ["lightning", "timm", "torchvision", "lesionlens.training.ready", "lesionlens.prediction"]


class Apart:
    """Calls `make(*given)` there once, and what it gave at each call; between calls that process sleeps."""

    def __init__(self, make: Callable[..., Callable[[], object]], *given: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        self.line, there = context.Pipe()
        self.process = context.Process(target=serve, args=(there, make, given))
        self.process.start()
        there.close()  # so that the line ends where that process does

    def __call__(self) -> None:
        self.line.send("go")
        problem = self.line.recv()
        if problem is not None:
            raise RuntimeError(problem)

    def close(self) -> None:
        self.line.close()
        self.process.join()


def serve(line: Connection, make: Callable[..., Callable[[], object]], given: tuple[Any, ...]) -> None:
    """Work whenever told so, until nobody is there to tell."""
    work = None
    while True:
        try:
            line.recv()
        except EOFError:
            return
        try:
            work = work or make(*given)
            work()
            line.send(None)
        except Exception as error:
            line.send(f"{make.__name__}: {error!r}")
            raise


@contextmanager
def each_apart(
    makers: Mapping[str, Callable[..., Callable[[], object]]], *given: Any
) -> Iterator[dict[str, Apart]]:
    """Give every way a process, and end them all."""
    ways = {name: Apart(make, *given) for name, make in makers.items()}
    try:
        yield ways
    finally:
        for way in ways.values():
            way.close()
