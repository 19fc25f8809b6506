"""From a recipe to what a run needs to know: the table, the split, the task, the network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch

from lesionlens.core.errors import RecipeError, RunError
from lesionlens.data.mask_store import mask_reader
from lesionlens.datasets.audit.leakage import find_leakage
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.datasets.extra_sources import add_extra_training_images
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.factory import make_splits
from lesionlens.datasets.table import LesionTable
from lesionlens.datasets.tasks import ClassificationTask, make_task
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models import backbone, weights
from lesionlens.models.base import Classifier
from lesionlens.models.factory import ModelSpec, make_model_spec
from lesionlens.models.zoo import ZOO
from lesionlens.runs.schema import INPUT_NORMALIZATIONS, Recipe
from lesionlens.training.attention_prior import make_attention_prior
from lesionlens.training.losses import compute_class_weights, compute_sample_weights, repeat_factors

DEFAULT_SIZE = (224, 224)


class BuiltModel(NamedTuple):
    """A network, and the names of its parameters and buffers that no file of weights filled."""

    model: Classifier
    uninitialized_keys: tuple[str, ...]


@dataclass(frozen=True)
class ModelResolution:
    """A recipe in which nothing about the network is left open, and what its network is made of."""

    recipe: Recipe
    architecture: ModelSpec

    def build(self, num_classes: int) -> BuiltModel:
        """Build the network as the recipe's seed draws it, with its weights.

        Raises
        ------
        ModelError, RecipeError
            It cannot be built, cannot take images of that size, its weights cannot be had, or it has not the maps that
            the recipe's prior is for.
        """
        L.seed_everything(self.recipe.train.seed, workers=True, verbose=False)
        model = self.architecture.build(num_classes)
        fresh = weights.load_backbone_weights(
            model, self.recipe.model.weights, backbone=self.architecture.backbone
        )
        size = self.recipe.model.input_size or DEFAULT_SIZE
        backbone.check_input(model, size, num_crops=model.num_crops)
        make_attention_prior(
            self.recipe.attention_prior, model, size
        )  # so that one without maps is refused before images are decoded
        return BuiltModel(model, fresh)

    def describe(self, built: BuiltModel) -> Mapping[str, Any]:
        """Say for ``metadata.json`` which network it is."""
        name, parts = self.recipe.model.name, self.architecture
        whole = parts.backbone if parts.attention == "none" else f"{parts.backbone} + {parts.attention}"
        return {
            "name": name or whole,
            "parameters": backbone.count_parameters(built.model),
            "paper": ZOO[name].paper if name in ZOO else "",
            "weights": self.recipe.model.weights,
            "uninitialized_keys": list(built.uninitialized_keys)
            if self.recipe.model.weights != "none"
            else "all",
        }

    @property
    def uses_residual_attention(self) -> bool:
        """Whether it learns attention residually: its masks add less than bf16 can hold, 2⁻⁸ of a value."""
        return "arl" in self.architecture.attention.split("+")

    def warnings(self) -> tuple[str, ...]:
        """Warn of what a recipe asks for that is not what its network is made for."""
        if not (self.uses_residual_attention and self.recipe.train.precision == "bf16"):
            return ()
        return (
            "attention residual learning in bf16: what a mask adds to a value, at first a thousandth of it at most, is "
            "mostly lost in rounding, so that the network is hardly more than its residual one; "
            "give train.precision=fp32 to train the mechanism",
        )

    def startup_message(self, built: BuiltModel) -> str:
        """Say which parts start from a file, and which from chance."""
        if self.recipe.model.weights == "none":
            return "the network starts from chance: no weights were loaded"
        shown = ", ".join(built.uninitialized_keys[:4]) + (", …" if len(built.uninitialized_keys) > 4 else "")
        count = len(built.uninitialized_keys)
        return f"weights {self.recipe.model.weights} loaded; {count} entries start fresh: {shown}"


def resolve_model(recipe: Recipe) -> ModelResolution:
    """Resolve what a recipe leaves to its network: the input size of a name of the zoo, the crops of one of crops.

    Raises
    ------
    ModelError, RecipeError
        The network does not exist, or the recipe's crops or normalisation contradict it.
    """
    said = recipe.model
    made = make_model_spec(said.name, backbone=said.backbone, attention=said.attention, **said.kwargs)
    side = ZOO[said.name].input_size if said.name in ZOO else DEFAULT_SIZE[0]
    model = said.model_copy(update={"input_size": said.input_size or (side, side)})
    crops = recipe.crops.for_model(made.num_crops, fixed_positions=made.uses_ordered_crops)
    if made.kwargs.get("initial") and said.mean_and_std() != INPUT_NORMALIZATIONS["unit"]:
        raise RecipeError(
            "initial attention sees how bright each crop is, values from 0 to 1; the recipe normalises them "
            f"({said.normalization if said.mean is None else said.mean}). Give model.normalization=unit"
        )
    return ModelResolution(recipe.model_copy(update={"model": model, "crops": crops}), made)


SYNTHETIC_DATA_NOTICE = "These pictures were drawn by LesionLens; the numbers say nothing about real lesions."


@dataclass(frozen=True)
class RunSetup:
    """What is known before anything is computed.

    Attributes
    ----------
    recipe
        As it was given; its crops as the network needs them.
    table, task, splits
        The images, what is asked of them, and which part each is in.
    preprocessing
        For the model's card; with ``normalization: dataset`` its mean and std are not yet measured.
    resolved_model
        How the network is made.
    excluded
        Images of the sources that take no part, with the reasons.
    mask_summary
        What the masks of the prior came to, once they are read; empty without a prior.
    """

    recipe: Recipe
    table: LesionTable
    task: ClassificationTask
    splits: DatasetSplits
    preprocessing: Preprocessing
    resolved_model: ModelResolution
    excluded: tuple[ExcludedImage, ...] = ()
    mask_summary: Mapping[str, Any] = field(default_factory=dict)

    def split_table(self, name: str) -> LesionTable:
        """Give the rows of a part."""
        return self.table.select(self.splits.splits[name])

    def targets(self, name: str) -> np.ndarray[Any, np.dtype[np.int64]]:
        """Give the class of each image of a part, (n,)."""
        return self.task.encode_labels(self.split_table(name).frame["diagnosis"])

    def describe(self) -> Mapping[str, Any]:
        """Say for ``metadata.json`` what it is trained on."""
        synthetic = (self.table.frame["source"] == "synthetic").any()
        return {
            "source": self.recipe.data.source,
            "synthetic_data_notice": SYNTHETIC_DATA_NOTICE if synthetic else "",
            "fingerprint": self.table.fingerprint(),
            "task": self.task.name,
            "classes": list(self.task.classes),
            "warnings": list(self.table.warnings),
            "split": self.splits.description,
            "caveats": list(self.splits.caveats),
            "excluded": len(self.excluded),
            "attention_prior": dict(self.mask_summary),
            "splits": {name: self._describe_split(name) for name in self.splits.splits},
        }

    def _describe_split(self, name: str) -> Mapping[str, Any]:
        counts = np.bincount(self.targets(name), minlength=len(self.task.classes))
        return {
            "images": int(counts.sum()),
            "lesions": int(self.split_table(name).frame["lesion_id"].nunique()),
            "classes": dict(zip(self.task.classes, counts.tolist(), strict=True)),
        }


PLACEHOLDER_MEAN_STD = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def set_up_run(recipe: Recipe) -> RunSetup:
    """Load and check the data, split them, resolve the network; cheap, and where most errors show.

    Raises
    ------
    LesionLensError
        Data, split, task, network or crops are not as the recipe says.
    """
    if recipe.train.device == "gpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise RunError("there is no GPU here that torch can use; give train.device=auto or cpu")
    network = resolve_model(recipe)
    recipe = network.recipe
    loaded = load_table(recipe.data.source, classes=recipe.data.classes)
    asked = make_task(recipe.data.task, loaded.classes)
    _check_multilabel_head(asked, network)
    table, without = _select_labeled(loaded, asked)
    table, split, left_out = _split_table(table, recipe, asked)
    mean, std = recipe.model.mean_and_std() or PLACEHOLDER_MEAN_STD
    preprocessing = Preprocessing(
        input_size=recipe.model.input_size or DEFAULT_SIZE,
        max_short_side=recipe.data.max_short_side,
        color_constancy=recipe.data.color_constancy,
        hair_removal=recipe.data.hair_removal,
        crops=recipe.crops.test,
        crop_count=recipe.crops.test_count,
        roi_margin=recipe.crops.roi_margin,
        tta=recipe.crops.tta,
        aggregate=recipe.crops.tta_average,
        seed=recipe.train.seed,
        mean=mean,
        std=std,
    )
    prepared = RunSetup(recipe, table, asked, split, preprocessing, network, (*without, *left_out))
    _check_class_weights(prepared)
    _check_mask_dirs(prepared)
    return prepared


def _check_multilabel_head(task: ClassificationTask, resolved_model: ModelResolution) -> None:
    """Refuse independent scores of a network that averages the probabilities of its crops by a softmax of its own."""
    if task.multilabel and resolved_model.architecture.kwargs.get("average") == "probabilities":
        raise RecipeError(
            f"the task {task.name} has a score of its own for each class, but the network averages probabilities that "
            "sum to one; give model.kwargs.average=logits"
        )


def _check_class_weights(setup: RunSetup) -> None:
    """Refuse weights and copies that the data do not know, before images are decoded."""
    said, classes, targets = setup.recipe.train, setup.task.classes, setup.targets("train")
    compute_class_weights(said, np.bincount(targets, minlength=len(classes)), classes)
    compute_sample_weights(said, setup.split_table("train").frame)
    repeat_factors(said, targets, classes)


def _check_mask_dirs(setup: RunSetup) -> None:
    """Refuse folders of masks that are not there, before images are decoded."""
    said, rows = setup.recipe, setup.split_table("train")
    folder = Path(said.data.mask_dir) if said.data.mask_dir else None
    if said.attention_prior.is_enabled:
        mask_reader(rows, said.attention_prior.target, folder)
    if said.crops.roi_margin is not None:
        mask_reader(rows, "lesion", folder)


def _select_labeled(table: LesionTable, task: ClassificationTask) -> tuple[LesionTable, list[ExcludedImage]]:
    """Keep the images that have a place in the task."""
    frame = table.frame
    kept = frame["diagnosis"].isin(task.mapping.keys())
    without = [ExcludedImage(image, "", reason) for image, reason in table.excluded]
    without += [
        ExcludedImage(
            image, "", f"{diagnosis} has no place in the task {task.name}" if diagnosis else "no diagnosis"
        )
        for image, diagnosis in frame.loc[~kept, ["image_id", "diagnosis"]].itertuples(index=False)
    ]
    return (table if kept.all() else table.select(frame.loc[kept, "image_id"])), without


def _split_table(
    table: LesionTable, recipe: Recipe, task: ClassificationTask
) -> tuple[LesionTable, DatasetSplits, list[ExcludedImage]]:
    """Split the table, and let the images of other sources join the training part."""
    said = recipe.data
    split = make_splits(
        table,
        name=said.split,
        val_fraction=said.val_fraction,
        test_fraction=said.test_fraction,
        seed=said.split_seed,
        n_folds=recipe.n_folds,
        fold=recipe.fold,
        val_split_name=said.val_split_name,
        test_split_name=said.test_split_name,
        checkpoint_split=said.checkpoint_split,
    )
    left_out = [ExcludedImage(image, "", reason) for image, reason in split.excluded]
    if said.extra_train:
        others = [
            _select_labeled(load_table(source, classes=said.classes), task) for source in said.extra_train
        ]
        found = add_extra_training_images(table, split, [other for other, _ in others])
        left_out += [each for _, without in others for each in without]
        left_out += [ExcludedImage(image, "", reason) for image, reason in found.excluded]
        table, split = found.table, found.splits
    return table, _add_caveats(split, find_leakage(table, split)), left_out


def _add_caveats(splits: DatasetSplits, caveats: tuple[str, ...]) -> DatasetSplits:
    new = tuple(remark for remark in caveats if remark not in splits.caveats)
    return DatasetSplits(splits.splits, splits.description, (*splits.caveats, *new), splits.excluded)
