"""What happens around the epochs: the log, the choice of the best, the checkpoint. All state survives a kill."""

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
    """One row an epoch in ``metrics.csv``, counted from 1: losses, metrics, learning rate, seconds, every scale gate.

    The Dice term of a prior is called ``attention_prior/`` and its map. A gate's column is its name before its place in
    the network: ``alpha/layer1.0``.

    Parameters
    ----------
    path
        Rewritten in one step after each epoch.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, list[dict[str, Any]]()
        self._started = 0.0

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note the time."""
        self._started = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Add the row."""
        measured = {name: float(trainer.callback_metrics.get(name, math.nan)) for name in EPOCH_METRICS}
        self.rows.append(
            {
                "epoch": trainer.current_epoch + 1,
                "step": trainer.global_step,
                "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
                **measured,
                **_attention_losses(trainer),
                "seconds": round(time.monotonic() - self._started, 3),
                **_attention_scales(cast(Classifier, pl_module.model)),
            }
        )
        with atomic_write(self.path) as part:
            pd.DataFrame(self.rows).to_csv(part, index=False)

    def state_dict(self) -> dict[str, Any]:
        """Give the rows for the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the rows back."""
        self.rows = list(state["rows"])


def _attention_losses(trainer: L.Trainer) -> dict[str, float]:
    """Give the Dice term of each map that has a prior, before weighing."""
    found = trainer.callback_metrics
    return {name: float(value) for name, value in found.items() if name.startswith("attention_prior/")}


def _attention_scales(model: Classifier) -> dict[str, float]:
    """Give the value of each scale gate by its column (the curves of Zhang et al. 2019, Fig. 7)."""
    values = {}
    for name in model.attention_scales:
        place, _, gate = name.removeprefix("inner.").removeprefix("backbone.").rpartition(".")
        values[f"{gate}/{place}"] = float(model.get_parameter(name).detach())
    return values


class BestMetric(Callback):
    """The best value of a validation metric so far, and its epoch.

    Parameters
    ----------
    monitor
        A validation metric; ``val_loss`` is better when smaller, the others when larger.
    min_delta
        By how much a value must be better to count.
    """

    def __init__(self, monitor: str, *, min_delta: float = 0.0) -> None:
        self.monitor, self.min_delta = monitor, min_delta
        self.best: dict[str, Any] = {"epoch": 0, "metric": monitor, "value": math.nan}

    @property
    def state_key(self) -> str:
        """Tell two of one kind apart in a checkpoint."""
        return f"{type(self).__qualname__}({self.monitor})"

    def on_validation_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compare, and do what follows from it."""
        value, epoch = float(trainer.callback_metrics[self.monitor]), trainer.current_epoch + 1
        sign = -1 if self.monitor == "val_loss" else 1
        better = math.isfinite(value) and not sign * value <= sign * self.best["value"] + self.min_delta
        if better:
            self.best = {"epoch": epoch, "metric": self.monitor, "value": value}
        self.on_new_value(trainer, epoch, value, improved=better)

    def on_new_value(self, trainer: L.Trainer, epoch: int, value: float, *, improved: bool) -> None:
        """Act on the comparison."""
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        """Give the best so far for the checkpoint."""
        return {"best": self.best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the best so far back."""
        self.best = dict(state["best"])


class ModelCheckpoint(BestMetric):
    """Save the model whenever the monitored metric is better, or after every epoch.

    Parameters
    ----------
    monitor
        As for ``BestMetric``.
    every_epoch
        Save each epoch's model: the last one stays.
    save_fn
        Called with epoch and value.
    """

    def __init__(self, monitor: str, *, every_epoch: bool, save_fn: Callable[[int, float], None]) -> None:
        super().__init__(monitor)
        self.every_epoch, self.save_fn = every_epoch, save_fn

    def on_new_value(self, trainer: L.Trainer, epoch: int, value: float, *, improved: bool) -> None:
        """Save."""
        if improved or self.every_epoch:
            self.save_fn(epoch, value)


class EarlyStopping(BestMetric):
    """Stop when a metric has not been better for long.

    Parameters
    ----------
    monitor, min_delta
        As for ``BestMetric``.
    patience
        Epochs without a better value.
    """

    def __init__(self, monitor: str, *, patience: int, min_delta: float = 0.0) -> None:
        super().__init__(monitor, min_delta=min_delta)
        self.patience = patience

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Train no further a run that had stopped before it was interrupted in its last steps."""
        trainer.should_stop = trainer.current_epoch - self.best["epoch"] >= self.patience

    def on_new_value(self, trainer: L.Trainer, epoch: int, value: float, *, improved: bool) -> None:
        """Stop."""
        if epoch - self.best["epoch"] >= self.patience:
            trainer.should_stop = True


class LastCheckpoint(Checkpoint):
    """Write the checkpoint after every whole epoch, when log and best are written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Write it."""
        trainer.save_checkpoint(self.path, weights_only=False)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints that are whole or as they were before."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write beside, then rename."""
        content = io.BytesIO()  # so that a full disk is an error of the file system, not one of torch's
        torch.save(checkpoint, content)
        with atomic_write(Path(path)) as part:
            part.write_bytes(content.getbuffer())


class RunProgressBar(ProgressBar):
    """A bar over all steps of all epochs, so that the time left is that of the whole run."""

    def __init__(self, console: Console, csv_logger: CSVLogger) -> None:
        super().__init__()
        self.console, self.csv_logger = console, csv_logger
        self.progress = progress_bar(console)
        self.task_id: TaskID | None = None

    def disable(self) -> None:
        """Draw nothing more (Lightning asks for it on other ranks)."""
        self.progress.disable = True

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Show the bar."""
        steps = int(trainer.num_training_batches) * int(trainer.max_epochs or 1)
        done = int(trainer.num_training_batches) * trainer.current_epoch
        self.task_id = self.progress.add_task("training", total=steps, completed=done)
        self.progress.start()

    def on_train_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Move on by a step."""
        if self.task_id is not None:
            described = f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
            self.progress.update(self.task_id, advance=1, description=described)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Print the epoch's line."""
        row = self.csv_logger.rows[-1]
        self.console.print(
            f"epoch {row['epoch']:>3}/{trainer.max_epochs}  loss {row['train_loss']:.3f}  "
            f"val loss {row['val_loss']:.3f}  val AUC {row['val_auc']:.3f}  "
            f"val balanced accuracy {row['val_balanced_accuracy']:.3f}  {row['seconds']:.0f} s",
            highlight=False,
            soft_wrap=True,
        )

    def on_train_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Take the bar away."""
        self.progress.stop()

    def on_exception(
        self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException
    ) -> None:
        """Give the terminal back."""
        self.progress.stop()
