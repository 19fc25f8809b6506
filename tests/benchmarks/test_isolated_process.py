"""Variants in separate processes: messages, errors and timeouts."""

import multiprocessing
import os
import time
from functools import partial

import pytest


class FakeConnection:
    """Connection that sends a number of turns and then closes."""

    def __init__(self, times):
        self.left, self.sent = times, []

    def recv(self):
        if not self.left:
            raise EOFError
        self.left -= 1
        return "your turn"

    def send(self, what):
        self.sent.append(what)


def test_variant_is_prepared_once_and_ends_with_the_connection(script):
    connection, done = FakeConnection(3), []

    def variant(turn_signal, what):
        done.append("prepared")
        turn_signal.repeat_work(lambda: done.append(what))

    with pytest.raises(SystemExit):
        script("isolated_process").serve_turns(
            connection, variant, ("given",), multiprocessing.get_start_method()
        )
    assert done == ["prepared", "given", "given", "given"]
    assert connection.sent == [None] * 4  # after preparation and after each turn


def test_short_work_is_repeated_in_each_turn(script):
    isolated, done = script("isolated_process"), []
    variant = isolated.make_variant(lambda what: lambda: done.append(what), times=3, what="work")
    connection = FakeConnection(2)
    with pytest.raises(SystemExit):
        isolated.serve_turns(connection, variant, (), multiprocessing.get_start_method())
    assert done == ["work"] * 6


def test_error_in_the_process_is_raised_in_the_caller(script):
    def broken(turn_signal):
        raise ValueError("no such network")

    connection = FakeConnection(1)
    with pytest.raises(ValueError, match="no such network"):
        script("isolated_process").serve_turns(connection, broken, (), multiprocessing.get_start_method())
    assert connection.sent == ["ValueError('no such network')"]


@pytest.mark.parametrize(
    ("module", "variant", "given"),
    [
        ("train_steps", "baseline_step", ({"backbone": "test_resnet"}, 2, 32)),
        ("inference", "prepare_baseline", ("test_resnet", 1)),
    ],
)
def test_make_variant_from_a_prepare_function(script, module, variant, given):
    connection = FakeConnection(2)
    made = script("isolated_process").make_variant(getattr(script(module), variant))
    with pytest.raises(SystemExit):
        script("isolated_process").serve_turns(connection, made, given, multiprocessing.get_start_method())
    assert connection.sent == [None] * 3


@pytest.mark.slow
def test_hanging_or_dead_process_raises_and_is_ended(script, monkeypatch):
    isolated = script("isolated_process")
    monkeypatch.setattr(isolated, "PRELOADED_MODULES", [])
    monkeypatch.setattr(isolated, "TURN_TIMEOUT", 20)
    monkeypatch.setattr(isolated, "EXIT_TIMEOUT", 0.1)
    with pytest.raises(RuntimeError, match="dying: its process is gone"):
        isolated.IsolatedProcess("dying", isolated.make_variant(os._exit), 1)
    with isolated.isolated_processes(
        {"sleeping": isolated.make_variant(partial)}, time.sleep, 100
    ) as variants:
        monkeypatch.setattr(isolated, "TURN_TIMEOUT", 0.1)
        with pytest.raises(RuntimeError, match=r"sleeping: not done after 0\.1 s"):
            variants["sleeping"]()
    assert not variants["sleeping"].process.is_alive()
