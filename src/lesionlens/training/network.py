"""The network of a run: what the recipe means, and the model with its weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import lightning as L

from lesionlens.errors import RecipeError
from lesionlens.models import backbone, weights
from lesionlens.models.classifier import Classifier
from lesionlens.models.create import ModelSpec, make_model_spec
from lesionlens.models.zoo import ZOO
from lesionlens.training.model_recipe import INPUT_NORMALIZATIONS
from lesionlens.training.prior import make_attention_prior
from lesionlens.training.recipe import Recipe

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
        fresh = weights.load_backbone_weights(model, self.recipe.model.weights, backbone=self.architecture.backbone)
        size = self.recipe.model.input_size or DEFAULT_SIZE
        backbone.check_input(model, size, num_crops=model.num_crops)
        make_attention_prior(
            self.recipe.attention_prior, model, size
        )  # so that one without maps is refused before images are decoded
        return BuiltModel(model, fresh)

    def describe(self, built: BuiltModel) -> Mapping[str, Any]:
        """Say for ``run.json`` which network it is."""
        name, parts = self.recipe.model.name, self.architecture
        whole = parts.backbone if parts.attention == "none" else f"{parts.backbone} + {parts.attention}"
        return {
            "name": name or whole,
            "parameters": backbone.count_parameters(built.model),
            "paper": ZOO[name].paper if name in ZOO else "",
            "weights": self.recipe.model.weights,
            "fresh": list(built.uninitialized_keys) if self.recipe.model.weights != "none" else "all",
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
        return f"weights {self.recipe.model.weights} loaded; {len(built.uninitialized_keys)} entries start fresh: {shown}"


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
    if made.kwargs.get("initial") and said.mean_and_std() != INPUT_NORMALIZATIONS["none"]:
        raise RecipeError(
            "initial attention sees how bright each crop is, values from 0 to 1; the recipe normalises them "
            f"({said.normalization if said.mean is None else said.mean}). Give model.normalisation=none"
        )
    return ModelResolution(recipe.model_copy(update={"model": model, "crops": crops}), made)
