"""A variant in a process of its own: what one sets (allocator, threads, precision) does not help another."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from harness import repeat

PRELOADED_MODULES = [
    "lightning",
    "timm",
    "torchvision",
    "lesionlens.training.build",
    "lesionlens.inference.predict",
]
READY_SIGNAL = None
TURN_TIMEOUT, EXIT_TIMEOUT = (
    600,
    10,
)  # seconds: what one turn may take, and what a process has to end by itself


class TurnSignal:
    """What a variant calls before each piece of work: it tells that the last is done, and waits for its turn."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __call__(self) -> None:
        self.connection.send(READY_SIGNAL)
        try:
            self.connection.recv()
        except EOFError:  # nobody is there any more
            raise SystemExit from None

    def repeat_work(self, work: Callable[[], object]) -> NoReturn:
        """Do this work at each turn."""
        while True:
            self()
            work()


Variant = Callable[..., None]
"""Takes a `TurnSignal`, prepares, then works turn by turn for ever."""


def make_variant(prepare: Callable[..., Callable[[], object]], *, times: int = 1, **kwargs: Any) -> Variant:
    """Make a variant of what prepares work: it does that work, once or several times, at each turn."""
    return partial(run_turns, prepare, times, kwargs)


def run_turns(
    prepare: Callable[..., Callable[[], object]],
    times: int,
    kwargs: Mapping[str, Any],
    turn_signal: TurnSignal,
    *args: Any,
) -> None:
    turn_signal.repeat_work(partial(repeat, prepare(*args, **kwargs), times))


class IsolatedProcess:
    """A variant that is prepared and waits; a call is one turn."""

    def __init__(self, name: str, variant: Variant, *args: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED_MODULES)
        self.name = name
        self.connection, there = context.Pipe()
        start_method = multiprocessing.get_start_method()
        self.process = context.Process(target=serve_turns, args=(there, variant, args, start_method))
        self.process.start()
        there.close()  # so that the line ends where that process does
        try:
            self.wait()
        except BaseException:
            self.close()
            raise

    def __call__(self) -> None:
        self.connection.send("your turn")
        self.wait()

    def wait(self) -> None:
        if not self.connection.poll(TURN_TIMEOUT):
            raise RuntimeError(f"{self.name}: not done after {TURN_TIMEOUT} s")
        try:
            problem = self.connection.recv()
        except EOFError:
            raise RuntimeError(f"{self.name}: its process is gone; was it killed for its memory?") from None
        if problem is not READY_SIGNAL:
            raise RuntimeError(f"{self.name}: {problem}")

    def close(self) -> None:
        """End the process, in the midst of its work if need be."""
        self.connection.close()
        self.process.join(EXIT_TIMEOUT)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()


def serve_turns(connection: Connection, variant: Variant, args: tuple[Any, ...], start_method: str) -> None:
    """Work in turn; loaders start their workers as they usually do here, not as this process was started."""
    multiprocessing.set_start_method(start_method, force=True)
    try:
        variant(TurnSignal(connection), *args)
    except Exception as error:
        connection.send(repr(error))
        raise


@contextmanager
def isolated_processes(variants: Mapping[str, Variant], *args: Any) -> Iterator[dict[str, IsolatedProcess]]:
    """Give every variant a process, one prepared after the other, and end them all."""
    there: dict[str, IsolatedProcess] = {}
    try:
        for name, variant in variants.items():
            there[name] = IsolatedProcess(name, variant, *args)
        yield there
    finally:
        for variant in there.values():
            variant.close()
