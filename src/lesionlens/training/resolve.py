"""Resolve a recipe: the defaults of its model, and the settings that it leaves to ``auto``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lesionlens.core.errors import RecipeError
from lesionlens.imaging.masks import ImageSize
from lesionlens.models.factory import make_model_spec
from lesionlens.models.spec import ModelSpec
from lesionlens.models.zoo import ZOO
from lesionlens.runs.schema import INPUT_NORMALIZATIONS, Recipe
from lesionlens.training.auto_values import AutoValues

DEFAULT_SIZE = (224, 224)


@dataclass(frozen=True)
class ResolvedRecipe:
    """Recipe with everything that can be known before the data are read.

    Attributes
    ----------
    recipe
        Recipe with the input size and the crops of its model; saved as the run's ``recipe.yaml``.
    architecture
        Model to build.
    auto_values
        Settings that depend on the machine. Some become known later: see :mod:`lesionlens.training.auto_values`.
    """

    recipe: Recipe
    architecture: ModelSpec
    auto_values: AutoValues

    @property
    def input_size(self) -> ImageSize:
        """Height and width of the model's input in pixels."""
        return self.recipe.model.input_size or DEFAULT_SIZE

    @property
    def model_name(self) -> str:
        """Name in the zoo, else the backbone and the attention mechanism."""
        if self.recipe.model.name:
            return self.recipe.model.name
        backbone, attention = self.architecture.backbone, self.architecture.attention
        return backbone if attention == "none" else f"{backbone} + {attention}"

    def warnings(self) -> tuple[str, ...]:
        """Return warnings about settings that do not suit the model."""
        if not (self.architecture.uses_arl and self.recipe.train.precision == "bf16"):
            return ()
        return (
            "attention residual learning in bf16: a mask adds at most a thousandth to a value at first, which is "
            "mostly lost in rounding, so that the network behaves almost like its residual baseline; set "
            "train.precision=fp32 to train the attention mechanism",
        )


def resolve(recipe: Recipe, *, saved: Mapping[str, Any] | None = None) -> ResolvedRecipe:
    """Fill in the defaults of a recipe's model and the settings that depend only on the machine.

    Parameters
    ----------
    recipe
        Recipe to resolve.
    saved
        ``auto_values`` from the ``metadata.json`` of a run to resume; None for a new run.

    Raises
    ------
    ModelError, RecipeError
        The model does not exist, or the crops or the normalization of the recipe contradict it.
    """
    model = recipe.model
    if reserved := sorted({"name", "backbone", "attention"} & model.kwargs.keys()):
        raise RecipeError(f"model.kwargs.{reserved[0]} is not allowed; set model.{reserved[0]}")
    architecture = make_model_spec(
        model.name, backbone=model.backbone, attention=model.attention, **model.kwargs
    )
    side = ZOO[model.name].input_size if model.name in ZOO else DEFAULT_SIZE[0]
    sections = {
        "model": model.model_copy(update={"input_size": model.input_size or (side, side)}),
        "crops": recipe.crops.for_model(
            architecture.num_crops, fixed_positions=architecture.uses_ordered_crops
        ),
    }
    if architecture.kwargs.get("initial") and model.mean_and_std() != INPUT_NORMALIZATIONS["unit"]:
        raise RecipeError(
            "initial attention uses the brightness of each crop on a scale from 0 to 1, but the recipe normalizes "
            f"crops ({model.normalization if model.mean is None else model.mean}). Set model.normalization=unit"
        )
    return ResolvedRecipe(
        recipe.model_copy(update=sections), architecture, AutoValues.from_recipe(recipe, saved)
    )
