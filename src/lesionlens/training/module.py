"""Lightning module for classification: training and validation steps, optimizer and learning rate."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.data.dataset import Batch
from lesionlens.evaluation.compute import compute_metrics, macro
from lesionlens.evaluation.metric import OVERALL
from lesionlens.evaluation.predictions import Predictions, multilabel_predictions
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.base import Classifier
from lesionlens.models.tta import predict_proba
from lesionlens.runs.train_schema import TrainRecipe
from lesionlens.training.attention_prior import AttentionPriorLoss
from lesionlens.training.base import TrainingModule
from lesionlens.training.losses import ClassificationLoss
from lesionlens.training.mixup import mixup


def validation_metrics(
    targets: NDArray[np.int64], scores: NDArray[np.floating], *, multilabel: bool = False
) -> dict[str, float]:
    """Compute the metrics of a pass over the validation split.

    Parameters
    ----------
    targets
        Class index of each image, (n,).
    scores
        Probabilities averaged over crops, (n, k).
    multilabel
        Whether the scores belong to the classes from index 1; index 0 then means none of them.

    Returns
    -------
    metrics
        ``auc`` (one-vs-rest, averaged over the classes that occur), ``balanced_accuracy`` and ``accuracy``.

    Examples
    --------
    >>> validation_metrics(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]))
    {'auc': 1.0, 'balanced_accuracy': 0.75, 'accuracy': 0.6666666666666666}
    """
    names = np.array([str(k) for k in range(scores.shape[1] + multilabel)])
    ids, clipped = np.arange(len(targets)).astype(str), np.clip(scores.astype(np.float64), 0, 1)
    if multilabel:
        predictions = multilabel_predictions(
            ids, ids, names[targets], clipped, tuple(names[1:]), other_class="0"
        )
    else:
        predictions = Predictions(ids, ids, names[targets], clipped, tuple(names))
    values = compute_metrics(predictions, decision="argmax").values
    present = tuple(names[k] for k in np.unique(targets) if names[k] != predictions.other_class)
    auc = macro(values, "auc", present) if len(np.unique(targets)) > 1 else np.float64(np.nan)
    over_all = {name: float(values[name, OVERALL]) for name in ("balanced_accuracy", "accuracy")}
    return {"auc": float(auc), **over_all}


class ClassificationModule(TrainingModule):
    """Train a classifier, and validate it with the crops and test-time augmentation of inference.

    Parameters
    ----------
    model
        Model that maps images, or all crops of each image, to ``ModelOutput``.
    recipe
        Section ``train`` of the recipe.
    preprocessing
        Normalization and test-time augmentation, the same as in the model card.
    loss_fn
        Classification loss; None: that of the recipe without class weights.
    attention_prior
        Loss of attention maps; None: no prior.
    """

    epoch_metrics: ClassVar[Mapping[str, str]] = {
        "train_loss": "loss",
        "val_loss": "val loss",
        "val_auc": "val AUC",
        "val_balanced_accuracy": "val balanced accuracy",
        "val_accuracy": "val accuracy",
    }
    loss_hint = "lower train.lr, or set train.precision=fp32"
    model: Classifier

    def __init__(
        self,
        model: Classifier,
        recipe: TrainRecipe,
        preprocessing: Preprocessing,
        *,
        loss_fn: ClassificationLoss | None = None,
        attention_prior: AttentionPriorLoss | None = None,
    ) -> None:
        super().__init__(model, preprocessing, seed=recipe.seed)
        self.recipe, self.loss_fn = recipe, loss_fn or ClassificationLoss(recipe)
        self.attention_prior = attention_prior
        self.validation_outputs: list[tuple[Tensor, Tensor]] = []

    def on_train_epoch_start(self) -> None:
        """Set the learning rate as a function of the epoch; resuming needs no state."""
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.recipe.lr * lr_factor(self.recipe, self.current_epoch)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Compute the loss of a batch: single crops, or images with all their crops."""
        crops = self._prepare_input(batch.crops)
        images = crops[:, 0] if self.model.num_crops is None else crops
        mixed = mixup(images, self.recipe.mixup) if self.recipe.mixup else None
        output = self.model(images if mixed is None else mixed.images, maps=self.attention_prior is not None)
        logits = output.logits.float()
        loss: Tensor = self.loss_fn(logits, batch.target, batch.sample_weight)
        if mixed is not None:
            weight = None if batch.sample_weight is None else batch.sample_weight[mixed.partner]
            partner_loss = self.loss_fn(logits, batch.target[mixed.partner], weight)
            loss = torch.lerp(partner_loss, loss, mixed.fraction.to(loss))
        if self.attention_prior is not None:
            terms = self.attention_prior(output.maps, batch.masks, batch.has_mask)
            for name, term in terms.items():
                self.log_mean(f"attention_prior/{name}", term, batch_size=len(batch.target))
            loss = loss + sum(self.attention_prior.weights[name] * term for name, term in terms.items())
        return self.log_train_loss(loss, batch_idx, batch_size=len(batch.target))

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Predict the probabilities of a batch of images."""
        probabilities = predict_proba(
            self.model,
            self._prepare_input(batch.crops),
            tta=self.preprocessing.tta,
            aggregate=self.preprocessing.aggregate,
            multilabel=self.loss_fn.multilabel,
        )
        probabilities = probabilities.to(batch.target.device, torch.float32)
        self.validation_outputs.append((probabilities, batch.target))

    def on_validation_epoch_end(self) -> None:
        """Compute the metrics over all validation images, and log the learnable attention scales."""
        scores = torch.cat([scores for scores, _ in self.validation_outputs])
        target = torch.cat([target for _, target in self.validation_outputs])
        self.validation_outputs.clear()
        self.check_finite(scores)
        self.log("val_loss", self.loss_fn.from_probabilities(scores, target))
        metrics = validation_metrics(
            target.cpu().numpy(), scores.cpu().numpy(), multilabel=self.loss_fn.multilabel
        )
        for name, value in metrics.items():
            self.log(f"val_{name}", value)
        for name, scale in attention_scales(self.model).items():
            self.log(name, scale)

    def _prepare_input(self, crops: Tensor) -> Tensor:
        """Normalize crops: (b, n, h, w, 3) -> (b, n, 3, h, w)."""
        x = self.preprocessing.normalize(crops.flatten(0, 1))
        x = x if self.recipe.channels_last else x.contiguous()
        return x.reshape(*crops.shape[:2], *x.shape[1:])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Build the optimizer; its learning rate is set before each epoch."""
        return make_optimizer(self.model, self.recipe)


def attention_scales(model: Classifier) -> dict[str, Tensor]:
    """Return the learnable attention scales by name and layer, ``alpha/layer1.0`` (Zhang et al. 2019, Fig. 7)."""
    values = {}
    for name in model.attention_scales:
        layer, _, scale = name.removeprefix("inner.").removeprefix("backbone.").rpartition(".")
        values[f"{scale}/{layer}"] = model.get_parameter(name).detach()
    return values


def make_optimizer(model: Classifier, recipe: TrainRecipe) -> torch.optim.Optimizer:
    """Build SGD, Adam or AdamW, without weight decay on learnable attention scales such as the alpha of ARL.

    The fused implementations update the parameters in memory order: convert the model's memory format before, and do
    not let any parameter receive its first gradient later than others.
    """
    scales = set(model.attention_scales)
    groups: list[dict[str, Any]] = [
        {"params": [p for name, p in model.named_parameters() if name not in scales]},
        {"params": [p for name, p in model.named_parameters() if name in scales], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            groups,
            recipe.lr,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.nesterov,
            fused=True,
        )
    kind = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    optimizer = kind(groups, recipe.lr, eps=recipe.eps, weight_decay=recipe.weight_decay, fused=True)
    if recipe.epsilon_placement == "keras":
        optimizer.register_step_pre_hook(partial(_scale_epsilon, epsilon=recipe.eps))
    return optimizer


def _scale_epsilon(optimizer: torch.optim.Optimizer, *_: Any, epsilon: float) -> None:
    """Set the ε of step t with which PyTorch's Adam adds ``epsilon`` before the bias correction: ε / √(1 − β₂ᵗ).

    Kingma and Ba 2015, end of section 2: θ ← θ − lr √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε̂). The number of steps is a
    value of each parameter group, and so a part of the optimizer's state in a checkpoint.
    """
    for group in optimizer.param_groups:
        group["num_steps"] = group.get("num_steps", 0) + 1
        group["eps"] = epsilon / math.sqrt(1 - group["betas"][1] ** group["num_steps"])


def lr_factor(recipe: TrainRecipe, epoch: int) -> float:
    """Return the factor of the learning rate in an epoch, counted from 0.

    Examples
    --------
    >>> halving = TrainRecipe(lr_scheduler={"name": "step", "step_size": 30, "gamma": 0.5})
    >>> [lr_factor(halving, epoch) for epoch in (0, 29, 30, 60)]
    [1.0, 1.0, 0.5, 0.25]
    >>> later = TrainRecipe(lr_scheduler={"name": "step", "step_size": 10, "first_step": 20, "gamma": 0.5})
    >>> [lr_factor(later, epoch) for epoch in (0, 19, 20, 29, 30)]
    [1.0, 1.0, 0.5, 0.5, 0.25]
    """
    scheduler = recipe.lr_scheduler
    if scheduler.name == "step":
        beyond = epoch - (scheduler.first_step or scheduler.step_size)
        return float(scheduler.gamma ** max(0, beyond // scheduler.step_size + 1))
    if scheduler.name == "cosine":
        return 0.5 * (1 + math.cos(math.pi * epoch / recipe.epochs))
    return 1.0
