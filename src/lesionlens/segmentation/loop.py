"""Training loop for segmentation: log every epoch, save the best model."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from rich.console import Console
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lesionlens.core.console import progress_bar
from lesionlens.core.errors import RunError, RunInterrupted
from lesionlens.core.fileio import atomic_write
from lesionlens.core.runtime import retain_freed_memory
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.segmentation.config import SegmentationConfig
from lesionlens.segmentation.dataset import ImageAndMask, SegmentationBatch, SegmentationDataset
from lesionlens.segmentation.evaluate import segmentation_metrics


def bce_dice_loss(logits: Float[Tensor, "b h w"], masks: Bool[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Return mean binary cross-entropy plus 1 − mean soft Dice, ``2 Σpy / (Σp + Σy)``.

    Soft Dice is that of Milletari et al. 2016 with p in place of p². Numerator and denominator are increased by one
    pixel, so that empty masks have a gradient.
    """
    truth = masks.float()
    p = logits.sigmoid()
    dice = (2 * (p * truth).sum(dim=(1, 2)) + 1) / (p.sum(dim=(1, 2)) + truth.sum(dim=(1, 2)) + 1)
    return F.binary_cross_entropy_with_logits(logits, truth) + 1 - dice.mean()


class EpochLog(NamedTuple):
    """Log of one epoch, counted from 1; the Jaccard index is averaged over images at the input size."""

    epoch: int
    lr: float
    train_loss: float
    val_loss: float
    val_jaccard: float
    seconds: float

    def __str__(self) -> str:
        return (
            f"epoch {self.epoch:>3}  loss {self.train_loss:.3f}  val loss {self.val_loss:.3f}  "
            f"val Jaccard {self.val_jaccard:.3f}  {self.seconds:.0f} s"
        )


@dataclass(frozen=True)
class TrainState:
    """The model that is trained and its data.

    Attributes
    ----------
    splits
        Pixels of the images in ``train`` and ``validation``.
    """

    model: nn.Module
    splits: Mapping[str, Sequence[ImageAndMask]]
    preprocessing: Preprocessing
    config: SegmentationConfig

    @property
    def device(self) -> torch.device:
        """Device of the model."""
        return next(self.model.parameters()).device

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits (b, h, w) of images, uint8 (b, h, w, 3)."""
        logits: Tensor = self.model(self.preprocessing.normalize(images.to(self.device)))[:, 0]
        return logits.float()


def fit_segmentation(
    state: TrainState, log_path: Path, *, on_improvement: Callable[[int, float], None], console: Console
) -> None:
    """Train for all epochs; after each epoch write the log and call ``on_improvement`` if the validation Jaccard rose.

    Raises
    ------
    RunInterrupted
        The user pressed Ctrl-C.
    RunError
        The loss is not finite, or the log cannot be written.
    """
    retain_freed_memory()
    rows: list[EpochLog] = []
    best = EpochLog(0, 0.0, 0.0, 0.0, -math.inf, 0.0)
    try:
        with _deterministic(state.config.seed), progress_bar(console) as progress:
            total = state.config.epochs * len(_train_loader(state, 1))
            line = progress.add_task("training", total=total)
            for row in _run_epochs(state, lambda: progress.advance(line)):
                rows.append(row)
                with atomic_write(log_path) as temporary:
                    pd.DataFrame(rows).to_csv(temporary, index=False)
                if row.val_jaccard > best.val_jaccard:
                    best = row
                    on_improvement(row.epoch, row.val_jaccard)
                console.print(str(row), highlight=False, soft_wrap=True)
    except KeyboardInterrupt as stop:
        saved = f"The model of epoch {best.epoch} is saved" if rows else "No epoch was completed"
        raise RunInterrupted(f"Interrupted. {saved} in {log_path.parent}") from stop


def _run_epochs(state: TrainState, on_step: Callable[[], None]) -> Iterator[EpochLog]:
    config, model = state.config, state.model
    optimizer = torch.optim.AdamW(model.parameters(), config.lr, weight_decay=config.weight_decay, fused=True)
    num_steps = config.epochs * len(_train_loader(state, 1))
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    for epoch in range(1, config.epochs + 1):
        started, lr, losses = time.monotonic(), scheduler.get_last_lr()[0], []
        model.train()
        for batch in _train_loader(state, epoch):
            loss = bce_dice_loss(state.logits(batch.images), batch.masks.to(state.device))
            losses.append(float(loss.detach()))
            if not math.isfinite(losses[-1]):
                raise RunError(f"The loss became {losses[-1]} in epoch {epoch}. Use a lower --lr")
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            scheduler.step()
            on_step()
        val_loss, val_jaccard = _validate(state)
        yield EpochLog(
            epoch,
            float(lr),
            float(np.mean(losses)),
            val_loss,
            val_jaccard,
            round(time.monotonic() - started, 3),
        )


def _train_loader(state: TrainState, epoch: int) -> DataLoader[SegmentationBatch]:
    """Return a loader of shuffled, augmented images; an incomplete last batch is dropped if there are others."""
    config, pixels = state.config, state.splits["train"]
    order = np.random.default_rng((config.seed, epoch)).permutation(len(pixels))
    images = SegmentationDataset([pixels[index] for index in order], config.augment, config.seed, epoch)
    return DataLoader(
        images,
        batch_size=config.batch_size,
        num_workers=config.num_workers,
        drop_last=len(pixels) > config.batch_size,  # a batch of one image breaks batch norm
    )


def _validate(state: TrainState) -> tuple[float, float]:
    """Return mean loss and mean Jaccard index of the validation images."""
    images = SegmentationDataset(state.splits["validation"])
    losses, scores = [], []
    state.model.eval()
    with torch.inference_mode():
        for batch in DataLoader(images, batch_size=state.config.batch_size):
            logits = state.logits(batch.images).cpu()
            losses += [bce_dice_loss(logits, batch.masks).item()] * len(logits)
            pairs = zip((logits > 0).numpy(), batch.masks.numpy(), strict=True)
            scores += [segmentation_metrics(predicted, true).jaccard for predicted, true in pairs]
    return float(np.mean(losses)), float(np.mean(scores))


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Use deterministic algorithms where they exist; restore torch's settings afterwards."""
    enabled, warn_only = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
