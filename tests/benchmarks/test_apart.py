"""What goes over the line to a way in a process of its own."""

import multiprocessing

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


def test_what_went_wrong_there_is_told_here(script):
    def broken(turns):
        raise ValueError("no such network")

    line = Line(1)
    with pytest.raises(ValueError, match="no such network"):
        script("apart").serve(line, broken, (), multiprocessing.get_start_method())
    assert line.sent == ["broken: ValueError('no such network')"]
