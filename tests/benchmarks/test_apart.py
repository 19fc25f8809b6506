"""What goes over the line to a way in a process of its own."""

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


def test_a_way_is_prepared_once_works_in_turn_and_ends_with_the_line(script):
    line, done = Line(3), []

    def way(turns, what):
        done.append("prepared")
        turns.each(lambda: done.append(what))

    with pytest.raises(SystemExit):
        script("apart").serve(line, way, ("given",), multiprocessing.get_start_method())
    assert done == ["prepared", "given", "given", "given"]
    assert line.sent == [None] * 4  # prepared, and after each turn


def test_short_work_is_done_several_times_a_turn(script):
    apart, done = script("apart"), []
    way = apart.each_turn(lambda what: lambda: done.append(what), times=3, what="work")
    line = Line(2)
    with pytest.raises(SystemExit):
        apart.serve(line, way, (), multiprocessing.get_start_method())
    assert done == ["work"] * 6


def test_what_went_wrong_there_is_told_here(script):
    def broken(turns):
        raise ValueError("no such network")

    line = Line(1)
    with pytest.raises(ValueError, match="no such network"):
        script("apart").serve(line, broken, (), multiprocessing.get_start_method())
    assert line.sent == ["ValueError('no such network')"]


@pytest.mark.parametrize(
    ("module", "way", "given"),
    [
        ("steps", "plain", ({"backbone": "test_resnet"}, 2, 32)),
        ("inference", "plainly", ("test_resnet", 1)),
    ],
)
def test_what_prepares_work_becomes_a_way(script, module, way, given):
    line = Line(2)
    made = script("apart").each_turn(getattr(script(module), way))
    with pytest.raises(SystemExit):
        script("apart").serve(line, made, given, multiprocessing.get_start_method())
    assert line.sent == [None] * 3


@pytest.mark.slow
def test_a_way_that_hangs_or_dies_is_told_and_ended(script, monkeypatch):
    apart = script("apart")
    monkeypatch.setattr(apart, "PRELOADED", [])
    monkeypatch.setattr(apart, "LONGEST", 20)
    monkeypatch.setattr(apart, "TO_END", 0.1)
    with pytest.raises(RuntimeError, match="dying: its process is gone"):
        apart.Apart("dying", apart.each_turn(os._exit), 1)
    with apart.each_apart({"sleeping": apart.each_turn(partial)}, time.sleep, 100) as ways:
        monkeypatch.setattr(apart, "LONGEST", 0.1)
        with pytest.raises(RuntimeError, match=r"sleeping: not done after 0\.1 s"):
            ways["sleeping"]()
    assert not ways["sleeping"].process.is_alive()
