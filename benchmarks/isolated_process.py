"""Variants in separate processes: settings of one (allocator, threads, precision) do not affect another."""

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
)  # seconds per turn, and seconds for a process to exit


class TurnSignal:
    """Called by a variant before each piece of work: reports the last as done and waits for the next turn."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __call__(self) -> None:
        self.connection.send(READY_SIGNAL)
        try:
            self.connection.recv()
        except EOFError:  # the benchmark has ended
            raise SystemExit from None

    def repeat_work(self, work: Callable[[], object]) -> NoReturn:
        """Do this work in each turn."""
        while True:
            self()
            work()


Variant = Callable[..., None]
"""Takes a `TurnSignal`, prepares its work, then does it once per turn."""


def make_variant(prepare: Callable[..., Callable[[], object]], *, times: int = 1, **kwargs: Any) -> Variant:
    """Return a variant that does the prepared work, once or several times, in each turn."""
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
    """A prepared variant in another process; a call is one turn."""

    def __init__(self, name: str, variant: Variant, *args: Any) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED_MODULES)
        self.name = name
        self.connection, child = context.Pipe()
        start_method = multiprocessing.get_start_method()
        self.process = context.Process(target=serve_turns, args=(child, variant, args, start_method))
        self.process.start()
        child.close()  # so that the connection closes when the process ends
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
        """End the process, even during its work."""
        self.connection.close()
        self.process.join(EXIT_TIMEOUT)
        if self.process.is_alive():
            self.process.terminate()
            self.process.join()


def serve_turns(connection: Connection, variant: Variant, args: tuple[Any, ...], start_method: str) -> None:
    """Serve turns; loaders start workers with the default start method, not that of this process."""
    multiprocessing.set_start_method(start_method, force=True)
    try:
        variant(TurnSignal(connection), *args)
    except Exception as error:
        connection.send(repr(error))
        raise


@contextmanager
def isolated_processes(variants: Mapping[str, Variant], *args: Any) -> Iterator[dict[str, IsolatedProcess]]:
    """Start and prepare a process for each variant, one after the other, and end all of them."""
    processes: dict[str, IsolatedProcess] = {}
    try:
        for name, variant in variants.items():
            processes[name] = IsolatedProcess(name, variant, *args)
        yield processes
    finally:
        for process in processes.values():
            process.close()
