"""Signals of schedulers and terminals that stop training after the current step: SIGTERM, SIGUSR1 and SIGHUP."""

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

import lightning as L
from lightning.pytorch.callbacks import Callback

from lesionlens.core.signals import stop_signals


class StopAfterStep(Callback):
    """Stop training after the step in which a signal arrives, as Ctrl-C does at once.

    Use it as a context manager around the training; a signal that the process ignores, as under nohup, stays ignored.

    Attributes
    ----------
    received
        Name of the signal, "" if there was none.
    """

    def __init__(self) -> None:
        self.received = ""
        self._process = os.getpid()
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in stop_signals():
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if os.getpid() != self._process:  # a loader process, which has inherited the handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.received = signal.Signals(number).name

    def on_train_batch_end(self, *_: Any) -> None:
        """Stop if a signal arrived."""
        self._stop_if_received()

    def on_validation_batch_end(self, *_: Any, **__: Any) -> None:
        """Stop if a signal arrived."""
        self._stop_if_received()

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop if a signal arrived before the first step."""
        self._stop_if_received()

    def _stop_if_received(self) -> None:
        if self.received:
            raise KeyboardInterrupt(self.received)
