"""Lightning module of classification and segmentation: reproducible steps, and a loss that must be finite."""

from collections.abc import Mapping
from typing import Any, ClassVar

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn

from lesionlens.core.errors import RunError
from lesionlens.imaging.preprocessing import Preprocessing


class TrainingModule(L.LightningModule):
    """Model with its loss and optimizer.

    Parameters
    ----------
    model
        Model.
    preprocessing
        Normalization, the same as in the model card.
    seed
        Random seed of the training steps.

    Attributes
    ----------
    epoch_metrics
        Labels of the metrics of an epoch for the console, by name.
    loss_hint
        What to change if the loss is not finite.
    """

    epoch_metrics: ClassVar[Mapping[str, str]]
    loss_hint: ClassVar[str]
    model: nn.Module

    def __init__(self, model: nn.Module, preprocessing: Preprocessing, *, seed: int) -> None:
        super().__init__()
        self.model, self.preprocessing, self.seed = model, preprocessing, seed

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Set the random seed as a function of the step; resuming needs no state."""
        seed = int(np.random.SeedSequence((self.seed, self.global_step)).generate_state(1)[0])
        # without a GPU, torch.manual_seed formats three stack traces: a millisecond per step
        set_seed = torch.default_generator.manual_seed if self.device.type == "cpu" else torch.manual_seed
        set_seed(seed)

    def log_train_loss(self, loss: Tensor, batch_idx: int, *, batch_size: int) -> Tensor:
        """Log the loss of a training step and return it.

        Raises
        ------
        RunError
            The loss is not finite.
        """
        if not torch.isfinite(loss):
            raise RunError(
                f"the loss became {float(loss)} in epoch {self.current_epoch + 1}, step {batch_idx}; {self.loss_hint}"
            )
        self.log_mean("train_loss", loss, batch_size=batch_size)
        return loss

    def check_finite(self, outputs: Tensor) -> None:
        """Raise a ``RunError`` if outputs of the validation split are not finite: training has diverged."""
        if not torch.isfinite(outputs).all():
            raise RunError(
                f"training diverged in epoch {self.current_epoch + 1}: the outputs for the validation split are not "
                f"finite; {self.loss_hint}"
            )

    def log_mean(self, name: str, value: Tensor | float, *, batch_size: int) -> None:
        """Log the mean of a value over the images of an epoch."""
        self.log(name, value, on_step=False, on_epoch=True, batch_size=batch_size)
