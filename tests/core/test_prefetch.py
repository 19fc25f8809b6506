"""Prefetching: ordered results, a bounded number in flight, errors in place, clean close."""

import threading

import pytest

from lesionlens.core.prefetch import prefetch


def test_results_are_ordered_and_bounded() -> None:
    started: list[int] = []

    def square(item: int) -> int:
        started.append(item)
        return item * item

    results = prefetch(square, iter(range(50)), num_threads=3, ahead=5)
    for item in range(50):
        assert next(results) == item * item
        assert len(started) <= item + 5
    assert list(results) == []
    assert sorted(started) == list(range(50))


def test_threads_run_while_results_are_consumed() -> None:
    second_started = threading.Event()

    def identity(item: int) -> int:
        if item == 1:
            second_started.set()
        return item

    results = prefetch(identity, [0, 1, 2], num_threads=1, ahead=2)
    assert next(results) == 0
    assert second_started.wait(10)  # although only the first result was requested


def test_error_is_raised_in_place_and_stops() -> None:
    started: list[int] = []

    def invert(item: int) -> float:
        started.append(item)
        return 1 / (item - 2)

    results = prefetch(invert, range(1000), num_threads=2, ahead=4)
    assert [next(results), next(results)] == [-0.5, -1.0]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(started) <= 6


def test_close_waits_only_for_running_calls() -> None:
    may_finish, started = threading.Event(), []

    def wait(item: int) -> int:
        started.append(item)
        may_finish.wait(0 if item == 0 else 10)
        return item

    results = prefetch(wait, range(100), num_threads=1, ahead=20)
    next(results)
    threading.Timer(0.05, may_finish.set).start()
    results.close()
    assert len(started) <= 3
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_number_of_threads_defaults_to_available_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionlens.core.prefetch.available_cpus", lambda: 2)
    barrier = threading.Barrier(2)
    assert len(list(prefetch(lambda _: barrier.wait(10), range(4)))) == 4
