"""Lightning module for segmentation: loss, validation metrics, optimizer and learning rate."""

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn

from lesionlens.segmentation.config import SegmentationConfig
from lesionlens.segmentation.dataset import SegmentationBatch
from lesionlens.segmentation.evaluate import segmentation_metrics
from lesionlens.training.base import TrainingModule


def bce_dice_loss(logits: Float[Tensor, "b h w"], masks: Bool[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Return mean binary cross-entropy plus 1 − mean soft Dice, ``2 Σpy / (Σp + Σy)``.

    Soft Dice is that of Milletari et al. 2016 with p in place of p². Numerator and denominator are increased by one
    pixel, so that empty masks have a gradient.
    """
    truth = masks.float()
    p = logits.sigmoid()
    dice = (2 * (p * truth).sum(dim=(1, 2)) + 1) / (p.sum(dim=(1, 2)) + truth.sum(dim=(1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + 1 - dice.mean()


class SegmentationModule(TrainingModule):
    """Train a segmentation model, and validate it by the mean Jaccard index per image at the input size.

    Parameters
    ----------
    model
        Model that maps images (b, 3, h, w) to logits (b, 1, h, w).
    config
        Settings of the run.
    """

    epoch_metrics: ClassVar[Mapping[str, str]] = {
        "train_loss": "loss",
        "val_loss": "val loss",
        "val_jaccard": "val Jaccard",
    }
    loss_hint = "use a lower --lr"

    def __init__(self, model: nn.Module, config: SegmentationConfig) -> None:
        super().__init__(model, config.preprocessing, seed=config.seed)
        self.config = config

    def training_step(self, batch: SegmentationBatch, batch_idx: int) -> Tensor:
        """Compute the loss of a batch."""
        loss = bce_dice_loss(self._logits(batch.images), batch.masks)
        return self.log_train_loss(loss, batch_idx, batch_size=len(batch.images))

    def validation_step(self, batch: SegmentationBatch, batch_idx: int) -> None:
        """Compute the loss and the mean Jaccard index of a batch."""
        logits, masks = self._logits(batch.images).cpu(), batch.masks.cpu()
        self.check_finite(logits)
        pairs = zip((logits > 0).numpy(), masks.numpy(), strict=True)
        jaccard = np.mean([segmentation_metrics(predicted, true).jaccard for predicted, true in pairs])
        self.log_mean("val_loss", bce_dice_loss(logits, masks), batch_size=len(masks))
        self.log_mean("val_jaccard", float(jaccard), batch_size=len(masks))

    def _logits(self, images: Tensor) -> Tensor:
        """Return the logits (b, h, w) of images, uint8 (b, h, w, 3)."""
        logits: Tensor = self.model(self.preprocessing.normalize(images))[:, 0]
        return logits.float()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """Build AdamW, whose learning rate a cosine decreases to 0 over all steps."""
        optimizer = torch.optim.AdamW(
            self.model.parameters(), self.config.lr, weight_decay=self.config.weight_decay, fused=True
        )
        num_steps = int(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
