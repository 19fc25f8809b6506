"""Callbacks of the trainer: metrics log, best model, early stopping, checkpoint and progress bar.

Their state is part of the checkpoint, so that an interrupted run resumes exactly.
"""

import hashlib
import io
import math
import struct
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import lightning as L
import pandas as pd
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks import Callback, Checkpoint, ProgressBar
from rich.console import Console
from rich.progress import TaskID

from lesionlens.core.console import print_line, progress_bar
from lesionlens.core.errors import DamagedFileError
from lesionlens.core.fileio import atomic_write

SaveFn = Callable[
    [int, float], None
]  # saves the model, given the epoch and the value of the monitored metric


class CSVLogger(Callback):
    """Write one row per epoch: step, learning rate of the first step, all logged metrics, and seconds.

    Epochs are numbered from 1.

    Parameters
    ----------
    path
        CSV file, rewritten atomically after each epoch.
    labels
        Metrics that come first, in this order, and their labels on the console.

    Attributes
    ----------
    restored_seconds
        Seconds of the epochs that were restored from a checkpoint.
    """

    def __init__(self, path: Path, labels: Mapping[str, str]) -> None:
        self.path, self.labels, self.rows = path, labels, list[dict[str, Any]]()
        self.restored_seconds = 0.0
        self._started, self._lr = 0.0, math.nan

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the timer of the epoch."""
        self._started = time.monotonic()

    def on_train_batch_start(
        self, trainer: L.Trainer, pl_module: L.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Read the learning rate of the first step."""
        if batch_idx == 0:
            self._lr = float(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add the row of the epoch."""
        self.rows.append(
            {
                "epoch": trainer.current_epoch + 1,
                "step": trainer.global_step,
                "lr": self._lr,
                **dict.fromkeys(self.labels, math.nan),
                **{name: float(value) for name, value in trainer.callback_metrics.items()},
                "seconds": round(time.monotonic() - self._started, 3),
            }
        )
        with atomic_write(self.path) as file:
            pd.DataFrame(self.rows).to_csv(file, index=False)

    def state_dict(self) -> dict[str, Any]:
        """Return the rows for the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the rows from a checkpoint."""
        self.rows = list(state["rows"])
        self.restored_seconds = sum(row["seconds"] for row in self.rows)


def _monitor_mode(monitor: str) -> Literal["min", "max"]:
    return "min" if monitor == "val_loss" else "max"


class ModelCheckpoint(Callback):
    """Save the model when the monitored metric improves, or after every epoch.

    Lightning's callback of this name writes pickled checkpoints; ``save_fn`` writes a saved model with its card.

    Parameters
    ----------
    monitor
        Name of a validation metric, higher is better, except for ``val_loss``.
    every_epoch
        Whether to save after every epoch, so that the last model remains.
    save_fn
        Function that saves the model, called with epoch and value.
    """

    def __init__(self, monitor: str, *, every_epoch: bool, save_fn: SaveFn) -> None:
        self.monitor, self.every_epoch, self.save_fn = monitor, every_epoch, save_fn
        self.best: dict[str, Any] = {"epoch": 0, "metric": monitor, "value": math.nan}

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compare the new value with the best one, and save the model if it improved."""
        value, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        sign = -1 if _monitor_mode(self.monitor) == "min" else 1
        improved = math.isfinite(value) and not sign * value <= sign * self.best["value"]
        if improved:
            self.best = {"epoch": epoch, "metric": self.monitor, "value": value}
        if improved or self.every_epoch:
            self.save_fn(epoch, value)

    def state_dict(self) -> dict[str, Any]:
        """Return the best value for the checkpoint."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the best value from a checkpoint."""
        self.best = dict(state["best"])


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's early stopping; a run that stopped early and was then interrupted does not train again."""

    def __init__(self, monitor: str, *, patience: int, min_delta: float = 0.0) -> None:
        super().__init__(monitor, min_delta, patience, mode=_monitor_mode(monitor), check_finite=False)

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop at once if the run had stopped early before it was interrupted."""
        trainer.should_stop = self.wait_count >= self.patience


class LastCheckpoint(Checkpoint):
    """Write a checkpoint after every complete epoch, when metrics and best model are saved."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the checkpoint."""
        trainer.save_checkpoint(self.path, weights_only=False)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints atomically: a file is either complete or unchanged, and its checksum is checked on reading.

    The checksum is the comment of the zip archive that ``torch.save`` writes.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a temporary file, then rename it."""
        content = io.BytesIO()  # a full disk then raises an OSError, not an error of torch
        torch.save(checkpoint, content)
        with atomic_write(Path(path)) as file:
            file.write_bytes(_with_checksum(content.getvalue()))

    def load_checkpoint(self, path: str | Path, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Read a checkpoint.

        Raises
        ------
        DamagedFileError
            The file is empty, incomplete or changed.
        """
        try:
            _verify_checksum(Path(path).read_bytes())
            checkpoint: dict[str, Any] = super().load_checkpoint(path, *args, **kwargs)
            if "state_dict" not in checkpoint:
                raise ValueError("not a checkpoint of a run")
        except Exception as error:  # torch raises any type for a damaged file
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DamagedFileError(
                path,
                reason,
                "restore it from a backup, or delete it and resume to train from the first epoch",
            ) from error
        return checkpoint


def _with_checksum(archive: bytes) -> bytes:
    """Return a zip archive without a comment with its SHA-256 as the comment."""
    digest = hashlib.sha256(archive).hexdigest().encode()
    return archive[:-2] + struct.pack("<H", len(digest)) + digest


def _verify_checksum(archive: bytes) -> None:
    """Raise a ``ValueError`` unless the comment of a zip archive is its SHA-256; earlier versions wrote no comment."""
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        digest = file.comment
    if digest:
        content = hashlib.sha256(memoryview(archive)[: -len(digest) - 2])
        content.update(bytes(2))  # the length of the comment was 0
        if content.hexdigest().encode() != digest:
            raise ValueError("its content does not match its checksum")


class RunProgressBar(ProgressBar):
    """Progress bar over all steps of all epochs, which shows the remaining time of the run.

    Parameters
    ----------
    console
        Console for the progress bar and one line per epoch.
    csv_logger
        Log that contains the metrics of the line, and their labels.
    """

    def __init__(self, console: Console, csv_logger: CSVLogger) -> None:
        super().__init__()
        self.console, self.csv_logger = console, csv_logger
        self.progress = progress_bar(console)
        self.task_id: TaskID | None = None

    def disable(self) -> None:
        """Hide the progress bar; Lightning calls this on other ranks."""
        self.progress.disable = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the progress bar."""
        steps = int(trainer.num_training_batches) * int(trainer.max_epochs or 1)
        done = int(trainer.num_training_batches) * trainer.current_epoch
        self.task_id = self.progress.add_task("training", total=steps, completed=done)
        self.progress.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance by one step."""
        if self.task_id is not None:
            description = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self.progress.update(self.task_id, advance=1, description=description)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the metrics of the epoch."""
        row = self.csv_logger.rows[-1]
        metrics = [f"{label} {row[column]:.3f}" for column, label in self.csv_logger.labels.items()]
        parts = [f"epoch {row['epoch']:>3}/{trainer.max_epochs}", *metrics, f"{row['seconds']:.0f} s"]
        print_line(self.console, "  ".join(parts))

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Remove the progress bar."""
        self.progress.stop()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Remove the progress bar before an error is printed."""
        self.progress.stop()
