"""Run a function over items in background threads, with ordered results and a bounded number in flight."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from lesionlens.core.runtime import available_cpus

T = TypeVar("T")
R = TypeVar("R")


def prefetch(
    fn: Callable[[T], R], items: Iterable[T], *, num_threads: int | None = None, ahead: int = 64
) -> Generator[R, None, None]:
    """Yield ``fn(item)`` for every item, in order, while threads compute the next results.

    Threads help where ``fn`` reads files or releases Python's lock, as image decoders, OpenCV, NumPy and zlib do.
    If the consumer stops early (``close()``, or an exception), running calls finish and pending ones are canceled.

    Parameters
    ----------
    fn
        Function of one item. Its exceptions are raised in place of the result, and no further item is started.
    items
        Arguments of ``fn``; consumed lazily.
    num_threads
        Number of threads; default: one per available CPU.
    ahead
        Maximum number of results in flight, running or waiting to be consumed. It bounds memory, whatever the number
        of items.

    Examples
    --------
    >>> list(prefetch(abs, [3, -1, -2], num_threads=2, ahead=2))
    [3, 1, 2]
    """
    futures: deque[Future[R]] = deque()
    with ThreadPoolExecutor(num_threads or available_cpus(), thread_name_prefix="prefetch") as pool:
        try:
            for item in items:
                futures.append(pool.submit(fn, item))
                if len(futures) >= ahead:
                    yield futures.popleft().result()
            while futures:
                yield futures.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
