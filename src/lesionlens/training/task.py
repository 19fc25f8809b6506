"""The LightningModule: one step, one loss, one optimiser; it knows no file."""

import math
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lesionlens.data.module import Batch
from lesionlens.errors import RunError
from lesionlens.models.classifier import Classifier
from lesionlens.models.voting import probabilities
from lesionlens.preprocessing import Preprocessing
from lesionlens.training.recipe import TrainRecipe
from lesionlens.training.validation import validation_metrics


class Classification(L.LightningModule):
    """Train a network with cross-entropy; validate it as it will be used, by its test crops.

    Parameters
    ----------
    model
        Images, or all crops of each image, to ``Output``.
    recipe
        Optimiser, schedule, seed.
    preprocessing
        Normalisation, the same as on the card.
    class_weights
        (k,) for the loss, or None. The loss is divided by the sum of weights in the batch.
    """

    def __init__(
        self,
        model: Classifier,
        recipe: TrainRecipe,
        preprocessing: Preprocessing,
        class_weights: NDArray[np.float64] | None = None,
    ) -> None:
        super().__init__()
        self.model, self.recipe, self.preprocessing = model, recipe, preprocessing
        weight = None if class_weights is None else torch.tensor(class_weights, dtype=torch.float32)
        self.loss = nn.CrossEntropyLoss(weight=weight)
        self.seen: list[tuple[Tensor, Tensor]] = []

    def on_train_batch_start(self, batch: Batch, step: int) -> None:
        """Set learning rate and randomness from epoch and step alone: a resumed run needs no state of either."""
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.recipe.lr * rate(self.recipe, self.current_epoch)
        drawn = np.random.SeedSequence((self.recipe.seed, self.global_step)).generate_state(1)
        torch.manual_seed(int(drawn[0]))

    def training_step(self, batch: Batch, step: int) -> Tensor:
        """Give the loss of a batch of single crops, or of images with all their crops."""
        crops = self._input(batch.views)
        logits = self.model(crops[:, 0] if self.model.crops is None else crops).logits
        loss: Tensor = self.loss(logits.float(), batch.target)
        if not torch.isfinite(loss):
            raise RunError(
                f"the loss became {float(loss)} in epoch {self.current_epoch + 1}, step {step}; "
                "lower train.lr, or train.precision=fp32"
            )
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.target))
        return loss

    def validation_step(self, batch: Batch, step: int) -> None:
        """Keep the scores of a batch of images."""
        scores = probabilities(self.model, self._input(batch.views)).to(batch.target.device, torch.float32)
        self.seen.append((scores, batch.target))

    def on_validation_epoch_end(self) -> None:
        """Measure all validation images at once."""
        scores = torch.cat([scores for scores, _ in self.seen])
        target = torch.cat([target for _, target in self.seen])
        self.seen.clear()
        loss = self.loss(scores.clamp_min(1e-12).log(), target)
        self.log("val_loss", loss)
        for name, value in validation_metrics(target.cpu().numpy(), scores.cpu().numpy()).items():
            self.log(f"val_{name}", value)

    def _input(self, views: Tensor) -> Tensor:
        """Normalise: (b, n, h, w, 3) -> (b, n, 3, h, w)."""
        x = self.preprocessing.normalised(views.flatten(0, 1))
        x = x if self.recipe.channels_last else x.contiguous()
        return x.reshape(*views.shape[:2], *x.shape[1:])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build the optimiser; its learning rate is set before each step."""
        return make_optimizer(self.model, self.recipe)


def make_optimizer(model: Classifier, recipe: TrainRecipe) -> torch.optim.Optimizer:
    """Build SGD, Adam or AdamW; scale gates such as ARL's alpha are not decayed towards 0."""
    gates = set(model.scale_gates)
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in model.named_parameters() if name not in gates]},
        {"params": [p for name, p in model.named_parameters() if name in gates], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            groups, recipe.lr, recipe.momentum, weight_decay=recipe.weight_decay, nesterov=recipe.nesterov
        )
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, recipe.lr, eps=recipe.epsilon, weight_decay=recipe.weight_decay)


def rate(recipe: TrainRecipe, epoch: int) -> float:
    """Give the share of the learning rate in an epoch, counted from 0.

    Examples
    --------
    >>> halving = TrainRecipe(schedule="step", step=30, factor=0.5)
    >>> [rate(halving, epoch) for epoch in (0, 29, 30, 60)]
    [1.0, 1.0, 0.5, 0.25]
    """
    if recipe.schedule == "step":
        return float(recipe.factor ** (epoch // recipe.step))
    if recipe.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
    return 1.0
