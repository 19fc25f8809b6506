"""From a recipe to what a run needs to know: the table, the split, the task, the network."""

from pathlib import Path

import numpy as np
import torch

from lesionlens.data.audit import find_leakage
from lesionlens.data.datasets import load_table
from lesionlens.data.extra import add_extra_training_images
from lesionlens.data.mask_files import mask_reader
from lesionlens.data.splits import DatasetSplits, make_splits
from lesionlens.data.table import LesionTable
from lesionlens.data.tasks import ClassificationTask, make_task
from lesionlens.errors import RecipeError, RunError
from lesionlens.preprocessing import Preprocessing
from lesionlens.training.left_out import ExcludedImage
from lesionlens.training.network import DEFAULT_SIZE, ModelResolution, resolve_model
from lesionlens.training.objective import repeat_factors, compute_class_weights, compute_sample_weights
from lesionlens.training.prepared import RunSetup
from lesionlens.training.recipe import Recipe

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
            "sum to one; give model.options.average=logits"
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


def _split_table(table: LesionTable, recipe: Recipe, task: ClassificationTask) -> tuple[LesionTable, DatasetSplits, list[ExcludedImage]]:
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
        others = [_select_labeled(load_table(source, classes=said.classes), task) for source in said.extra_train]
        found = add_extra_training_images(table, split, [other for other, _ in others])
        left_out += [each for _, without in others for each in without]
        left_out += [ExcludedImage(image, "", reason) for image, reason in found.excluded]
        table, split = found.table, found.splits
    return table, _add_caveats(split, find_leakage(table, split)), left_out


def _add_caveats(splits: DatasetSplits, caveats: tuple[str, ...]) -> DatasetSplits:
    new = tuple(remark for remark in caveats if remark not in splits.caveats)
    return DatasetSplits(splits.splits, splits.description, (*splits.caveats, *new), splits.excluded)
