"""What a person sees while a run goes on: a bar with the time that is left, and a line for each epoch."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import ProgressBar
from rich.console import Console
from rich.progress import TaskID

from lesionlens.bar import progress_bar
from lesionlens.training.callbacks import CSVLogger


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

    def on_exception(self, trainer: L.Trainer, pl_module: L.LightningModule, exception: BaseException) -> None:
        """Give the terminal back."""
        self.progress.stop()
