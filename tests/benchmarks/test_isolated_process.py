"""What goes over the connection to a variant in a process of its own."""

import multiprocessing
import os
import time
from functools import partial

import pytest


class Line:
    """Gives so many turns, then nobody is there."""

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
    line, done = Line(3), []

    def way(turn_signal, what):
        done.append("prepared")
        turn_signal.repeat_work(lambda: done.append(what))

    with pytest.raises(SystemExit):
        script("isolated_process").serve_turns(line, way, ("given",), multiprocessing.get_start_method())
    assert done == ["prepared", "given", "given", "given"]
    assert line.sent == [None] * 4  # prepared, and after each turn


def test_short_work_is_repeated_in_each_turn(script):
    isolated, done = script("isolated_process"), []
    way = isolated.make_variant(lambda what: lambda: done.append(what), times=3, what="work")
    line = Line(2)
    with pytest.raises(SystemExit):
        isolated.serve_turns(line, way, (), multiprocessing.get_start_method())
    assert done == ["work"] * 6


def test_error_in_the_process_is_raised_in_the_caller(script):
    def broken(turn_signal):
        raise ValueError("no such network")

    line = Line(1)
    with pytest.raises(ValueError, match="no such network"):
        script("isolated_process").serve_turns(line, broken, (), multiprocessing.get_start_method())
    assert line.sent == ["ValueError('no such network')"]


@pytest.mark.parametrize(
    ("module", "way", "given"),
    [
        ("train_steps", "baseline_step", ({"backbone": "test_resnet"}, 2, 32)),
        ("inference", "prepare_baseline", ("test_resnet", 1)),
    ],
)
def test_make_variant_from_a_prepare_function(script, module, way, given):
    line = Line(2)
    made = script("isolated_process").make_variant(getattr(script(module), way))
    with pytest.raises(SystemExit):
        script("isolated_process").serve_turns(line, made, given, multiprocessing.get_start_method())
    assert line.sent == [None] * 3


@pytest.mark.slow
def test_hanging_or_dead_process_raises_and_is_ended(script, monkeypatch):
    isolated = script("isolated_process")
    monkeypatch.setattr(isolated, "PRELOADED_MODULES", [])
    monkeypatch.setattr(isolated, "TURN_TIMEOUT", 20)
    monkeypatch.setattr(isolated, "EXIT_TIMEOUT", 0.1)
    with pytest.raises(RuntimeError, match="dying: its process is gone"):
        isolated.IsolatedProcess("dying", isolated.make_variant(os._exit), 1)
    with isolated.isolated_processes({"sleeping": isolated.make_variant(partial)}, time.sleep, 100) as ways:
        monkeypatch.setattr(isolated, "TURN_TIMEOUT", 0.1)
        with pytest.raises(RuntimeError, match=r"sleeping: not done after 0\.1 s"):
            ways["sleeping"]()
    assert not ways["sleeping"].process.is_alive()
