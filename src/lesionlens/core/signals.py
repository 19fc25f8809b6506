"""Signals that end a command as Ctrl-C does: from schedulers, and when a terminal closes."""

import os
import signal
from types import FrameType


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals of this system that stop a command: SIGTERM, SIGUSR1 and SIGHUP."""
    names = ("SIGTERM", "SIGUSR1", "SIGHUP")
    return tuple(getattr(signal, name) for name in names if hasattr(signal, name))


def interrupt_on_stop_signals() -> None:
    """Let stop signals raise ``KeyboardInterrupt``, unless the process ignores them, as under nohup."""
    process = os.getpid()

    def handle(number: int, _: FrameType | None) -> None:
        if os.getpid() != process:  # a worker process, which has inherited the handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        raise KeyboardInterrupt(signal.Signals(number).name)

    for number in stop_signals():
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, handle)
