"""From a recipe to what a run needs to know: the table, the split, the task, the network."""

from pathlib import Path

import numpy as np
import torch

from lesionlens.data.audit import leaks
from lesionlens.data.datasets import load_table
from lesionlens.data.extra import add_extra
from lesionlens.data.mask_files import reader
from lesionlens.data.splits import Split, make_split
from lesionlens.data.table import LesionTable
from lesionlens.data.tasks import Task, task
from lesionlens.errors import RecipeError, RunError
from lesionlens.preprocessing import Preprocessing
from lesionlens.training.left_out import LeftOut
from lesionlens.training.network import USUAL_SIZE, Wanted, wanted
from lesionlens.training.objective import copies_of_images, weights_of_classes, weights_of_images
from lesionlens.training.prepared import Prepared
from lesionlens.training.recipe import Recipe

UNMEASURED = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def prepare(recipe: Recipe) -> Prepared:
    """Load and check the data, split them, resolve the network; cheap, and where most errors show.

    Raises
    ------
    LesionLensError
        Data, split, task, network or crops are not as the recipe says.
    """
    if recipe.train.device == "gpu" and not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        raise RunError("there is no GPU here that torch can use; give train.device=auto or cpu")
    network = wanted(recipe)
    recipe = network.recipe
    loaded = load_table(recipe.data.source, classes=recipe.data.classes)
    asked = task(recipe.data.task, loaded.classes)
    _check_heads(asked, network)
    table, without = _with_a_class(loaded, asked)
    table, split, left_out = _split(table, recipe, asked)
    mean, std = recipe.model.scaling() or UNMEASURED
    preprocessing = Preprocessing(
        input_size=recipe.model.input_size or USUAL_SIZE,
        shorter_side=recipe.data.shorter_side,
        colour=recipe.data.colour,
        hair=recipe.data.hair,
        crops=recipe.crops.test,
        crop_count=recipe.crops.test_count,
        roi=recipe.crops.roi,
        turns=recipe.crops.turns,
        average=recipe.crops.average,
        seed=recipe.train.seed,
        mean=mean,
        std=std,
    )
    prepared = Prepared(recipe, table, asked, split, preprocessing, network, (*without, *left_out))
    _check_balance(prepared)
    _check_masks(prepared)
    return prepared


def _check_heads(asked: Task, network: Wanted) -> None:
    """Refuse independent scores of a network that averages the probabilities of its crops by a softmax of its own."""
    if asked.independent and network.architecture.options.get("average") == "probabilities":
        raise RecipeError(
            f"the task {asked.name} has a score of its own for each class, but the network averages probabilities that "
            "sum to one; give model.options.average=logits"
        )


def _check_balance(prepared: Prepared) -> None:
    """Refuse weights and copies that the data do not know, before images are decoded."""
    said, classes, targets = prepared.recipe.train, prepared.task.classes, prepared.targets("train")
    weights_of_classes(said, np.bincount(targets, minlength=len(classes)), classes)
    weights_of_images(said, prepared.part("train").frame)
    copies_of_images(said, targets, classes)


def _check_masks(prepared: Prepared) -> None:
    """Refuse folders of masks that are not there, before images are decoded."""
    said, rows = prepared.recipe, prepared.part("train")
    folder = Path(said.data.masks) if said.data.masks else None
    if said.prior.asked:
        reader(rows, said.prior.masks, folder)
    if said.crops.roi is not None:
        reader(rows, "lesion", folder)


def _with_a_class(table: LesionTable, asked: Task) -> tuple[LesionTable, list[LeftOut]]:
    """Keep the images that have a place in the task."""
    frame = table.frame
    kept = frame["diagnosis"].isin(asked.mapping.keys())
    without = [LeftOut(image, "", reason) for image, reason in table.left_out]
    without += [
        LeftOut(
            image, "", f"{diagnosis} has no place in the task {asked.name}" if diagnosis else "no diagnosis"
        )
        for image, diagnosis in frame.loc[~kept, ["image_id", "diagnosis"]].itertuples(index=False)
    ]
    return (table if kept.all() else table.select(frame.loc[kept, "image_id"])), without


def _split(table: LesionTable, recipe: Recipe, asked: Task) -> tuple[LesionTable, Split, list[LeftOut]]:
    """Split the table, and let the images of other sources join the training part."""
    said = recipe.data
    split = make_split(
        table,
        name=said.split,
        validation=said.validation,
        test=said.test,
        seed=said.seed,
        folds=recipe.folds,
        fold=recipe.fold,
        validation_part=said.validation_part,
        test_part=said.test_part,
        select_on=said.select_on,
    )
    left_out = [LeftOut(image, "", reason) for image, reason in split.left_out]
    if said.extra:
        others = [_with_a_class(load_table(source, classes=said.classes), asked) for source in said.extra]
        found = add_extra(table, split, [other for other, _ in others])
        left_out += [each for _, without in others for each in without]
        left_out += [LeftOut(image, "", reason) for image, reason in found.left_out]
        table, split = found.table, found.split
    return table, _with_remarks(split, leaks(table, split)), left_out


def _with_remarks(split: Split, more: tuple[str, ...]) -> Split:
    new = tuple(remark for remark in more if remark not in split.remarks)
    return Split(split.parts, split.how, (*split.remarks, *new), split.left_out)
