"""Callbacks of the trainer: metrics log, best model, early stopping, checkpoint and progress bar.

Their state is part of the checkpoint, so that an interrupted run resumes exactly.
"""

import io
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import lightning as L
import pandas as pd
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback, Checkpoint, ProgressBar
from rich.console import Console
from rich.progress import TaskID

from lesionlens.core.console import progress_bar
from lesionlens.core.fileio import atomic_write
from lesionlens.models.base import Classifier

EPOCH_METRICS = ("train_loss", "val_loss", "val_auc", "val_balanced_accuracy", "val_accuracy")


class CSVLogger(Callback):
    """Write one row per epoch: losses, metrics, learning rate, seconds, and learnable attention scales.

    Epochs are numbered from 1. The column of a Dice loss is ``attention_prior/`` and the name of its map, that of an
    attention scale its name and its layer: ``alpha/layer1.0``.

    Parameters
    ----------
    path
        CSV file, rewritten atomically after each epoch.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, list[dict[str, Any]]()
        self._started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Start the timer of the epoch."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add the row of the epoch."""
        metrics = {name: float(trainer.callback_metrics.get(name, math.nan)) for name in EPOCH_METRICS}
        self.rows.append(
            {
                "epoch": trainer.current_epoch + 1,
                "step": trainer.global_step,
                "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
                **metrics,
                **_attention_losses(trainer),
                "seconds": round(time.monotonic() - self._started, 3),
                **_attention_scales(cast(Classifier, pl_module.model)),
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


def _attention_losses(trainer: L.Trainer) -> dict[str, float]:
    """Return the unweighted Dice loss of each attention map that has a prior."""
    metrics = trainer.callback_metrics
    return {name: float(value) for name, value in metrics.items() if name.startswith("attention_prior/")}


def _attention_scales(model: Classifier) -> dict[str, float]:
    """Return the learnable attention scales by column name (the curves of Zhang et al. 2019, Fig. 7)."""
    values = {}
    for name in model.attention_scales:
        layer, _, scale = name.removeprefix("inner.").removeprefix("backbone.").rpartition(".")
        values[f"{scale}/{layer}"] = float(model.get_parameter(name).detach())
    return values


class BestMetric(Callback):
    """Track the best value of a validation metric and its epoch.

    Parameters
    ----------
    monitor
        Name of a validation metric; lower is better for ``val_loss``, higher for all others.
    min_delta
        Minimum change that counts as an improvement.
    """

    def __init__(self, monitor: str, *, min_delta: float = 0.0) -> None:
        self.monitor, self.min_delta = monitor, min_delta
        self.best: dict[str, Any] = {"epoch": 0, "metric": monitor, "value": math.nan}

    @property
    def state_key(self) -> str:
        """Key of the state in a checkpoint, different for each metric."""
        return f"{type(self).__qualname__}({self.monitor})"

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compare the new value with the best one, and act on the result."""
        value, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        sign = -1 if self.monitor == "val_loss" else 1
        improved = math.isfinite(value) and not sign * value <= sign * self.best["value"] + self.min_delta
        if improved:
            self.best = {"epoch": epoch, "metric": self.monitor, "value": value}
        self.on_new_value(trainer, epoch, value, improved=improved)

    def on_new_value(self, trainer: L.Trainer, epoch: int, value: float, *, improved: bool) -> None:
        """Handle a new value of the metric.

        Parameters
        ----------
        trainer
            Trainer of the run.
        epoch
            Number of the epoch, from 1.
        value
            New value.
        improved
            Whether it is the best value so far.
        """
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Return the best value for the checkpoint."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the best value from a checkpoint."""
        self.best = dict(state["best"])


class ModelCheckpoint(BestMetric):
    """Save the model when the monitored metric improves, or after every epoch.

    Parameters
    ----------
    monitor
        Name of the metric, as for ``BestMetric``.
    every_epoch
        Whether to save after every epoch, so that the last model remains.
    save_fn
        Function that saves the model, called with epoch and value.
    """

    def __init__(self, monitor: str, *, every_epoch: bool, save_fn: Callable[[int, float], None]) -> None:
        super().__init__(monitor)
        self.every_epoch, self.save_fn = every_epoch, save_fn

    def on_new_value(self, trainer: L.Trainer, epoch: int, value: float, *, improved: bool) -> None:
        """Save the model if it improved."""
        if improved or self.every_epoch:
            self.save_fn(epoch, value)


class EarlyStopping(BestMetric):
    """Stop training when a metric has not improved for several epochs.

    Parameters
    ----------
    monitor, min_delta
        Metric and minimum change, as for ``BestMetric``.
    patience
        Number of epochs without improvement.
    """

    def __init__(self, monitor: str, *, patience: int, min_delta: float = 0.0) -> None:
        super().__init__(monitor, min_delta=min_delta)
        self.patience = patience

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Stop at once if the run had stopped early before it was interrupted."""
        trainer.should_stop = trainer.current_epoch - self.best["epoch"] >= self.patience

    def on_new_value(self, trainer: L.Trainer, epoch: int, value: float, *, improved: bool) -> None:
        """Stop if the metric has not improved for ``patience`` epochs."""
        if epoch - self.best["epoch"] >= self.patience:
            trainer.should_stop = True


class LastCheckpoint(Checkpoint):
    """Write a checkpoint after every complete epoch, when metrics and best model are saved."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write the checkpoint."""
        trainer.save_checkpoint(self.path, weights_only=False)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write checkpoints atomically: a file is either complete or unchanged."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a temporary file, then rename it."""
        content = io.BytesIO()  # a full disk then raises an OSError, not an error of torch
        torch.save(checkpoint, content)
        with atomic_write(Path(path)) as file:
            file.write_bytes(content.getbuffer())


class RunProgressBar(ProgressBar):
    """Progress bar over all steps of all epochs, which shows the remaining time of the run.

    Parameters
    ----------
    console
        Console for the progress bar and one line per epoch.
    csv_logger
        Log that contains the metrics of the line.
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
        self.console.print(
            f"epoch {row['epoch']:>3}/{trainer.max_epochs}  loss {row['train_loss']:.3f}  "
            f"val loss {row['val_loss']:.3f}  val AUC {row['val_auc']:.3f}  "
            f"val balanced accuracy {row['val_balanced_accuracy']:.3f}  {row['seconds']:.0f} s",
            highlight=False,
            soft_wrap=True,
        )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Remove the progress bar."""
        self.progress.stop()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Remove the progress bar before an error is printed."""
        self.progress.stop()
