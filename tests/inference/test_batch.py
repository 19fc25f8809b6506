"""Work done ahead: in order, bounded, stopped at once."""

import threading

import pytest

from lesionlens.inference.batch import prefetch


def test_results_come_in_order_and_never_more_than_asked_are_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return item * item

    results = prefetch(work, iter(range(50)), num_threads=3, max_pending=5)
    for item in range(50):
        assert next(results) == item * item
        assert len(begun) <= item + 5
    assert list(results) == []
    assert sorted(begun) == list(range(50))


def test_threads_work_while_results_are_used() -> None:
    second = threading.Event()

    def work(item: int) -> int:
        if item == 1:
            second.set()
        return item

    results = prefetch(work, [0, 1, 2], num_threads=1, max_pending=2)
    assert next(results) == 0
    assert second.wait(10)  # made although nobody asked for it yet


def test_an_error_comes_where_its_result_would_and_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> float:
        begun.append(item)
        return 1 / (item - 2)

    results = prefetch(work, range(1000), num_threads=2, max_pending=4)
    assert [next(results), next(results)] == [-0.5, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(begun) <= 6


def test_closing_waits_for_what_is_being_made_alone() -> None:
    may_end, begun = threading.Event(), []

    def work(item: int) -> int:
        begun.append(item)
        may_end.wait(0 if item == 0 else 10)
        return item

    results = prefetch(work, range(100), num_threads=1, max_pending=20)
    next(results)
    threading.Timer(0.05, may_end.set).start()
    results.close()
    assert len(begun) <= 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]
