"""Work that threads do ahead of its use: results in order, and never many waiting."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def prefetch(fn: Callable[[T], R], items: Iterable[T], *, num_threads: int, max_pending: int) -> Generator[R, None, None]:
    """Give what work makes of each item, in the order of the items, while threads make the next ones.

    Parameters
    ----------
    fn
        What it raises is raised where the result would have come.
    max_pending
        How many results are begun or wait at any time: memory is bounded by these, whatever the number of items.

    Examples
    --------
    >>> list(ahead(abs, [3, -1, -2], threads=2, most=2))
    [3, 1, 2]
    """
    begun: deque[Future[R]] = deque()
    with ThreadPoolExecutor(num_threads, thread_name_prefix="ahead") as pool:
        try:
            for item in items:
                begun.append(pool.submit(fn, item))
                if len(begun) >= max_pending:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:  # whoever stops early waits for what is being made, not for what is not begun
            pool.shutdown(cancel_futures=True)
