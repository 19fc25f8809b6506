"""What goes over the line to a way in a process of its own."""

import pytest


class Line:
    """Tells to go so often, then nobody is there."""

    def __init__(self, times):
        self.left, self.sent = times, []

    def recv(self):
        if not self.left:
            raise EOFError
        self.left -= 1
        return "go"

    def send(self, what):
        self.sent.append(what)


def test_the_way_is_made_once_and_works_at_each_word(script):
    line, made, worked = Line(3), [], []

    def make(what):
        made.append(what)
        return lambda: worked.append(what)

    script("apart").serve(line, make, ("given",))
    assert (made, worked, line.sent) == (["given"], ["given"] * 3, [None] * 3)


def test_what_went_wrong_there_is_told_here(script):
    def broken():
        raise ValueError("no such network")

    line = Line(1)
    with pytest.raises(ValueError, match="no such network"):
        script("apart").serve(line, broken, ())
    assert line.sent == ["broken: ValueError('no such network')"]
