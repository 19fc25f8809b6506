"""Attention prior: a Dice loss between attention maps and masks, for any model with spatial attention maps."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from lesionlens.core.errors import ModelError, RecipeError, unknown_name_message
from lesionlens.models.base import Classifier
from lesionlens.runs.schema import AttentionPriorRecipe
from lesionlens.training.losses import attention_dice_loss

EARLIER_MAP_WEIGHT, LAST_MAP_WEIGHT = 0.001, 0.01  # lambda of pool3 and of pool4 (Yan 2020, section 2.4)
_NON_SPATIAL_MAPS = re.compile(r"soft head \d+|.* crops")  # one of several heads; weights of crops


@dataclass(frozen=True)
class AttentionPriorLoss:
    """Dice loss of each spatial attention map.

    Attributes
    ----------
    weights
        Loss weight lambda of each map by name.
    normalize_by_max
        Whether the values of a map sum to 1. Each map is then divided by its maximum to match a mask.
    """

    weights: Mapping[str, float]
    normalize_by_max: bool

    def __call__(
        self,
        maps: Mapping[str, Tensor],
        masks: Shaped[Tensor, "b n y x"],
        has_mask: Bool[Tensor, " b"],
    ) -> dict[str, Tensor]:
        """Compute the Dice loss of each map, without its weight.

        Parameters
        ----------
        maps
            ``ModelOutput.maps``: (b, h, w), or (b, n, h, w) for a model that takes n crops.
        masks
            Mask of each crop, 0 to 255.
        has_mask
            Whether each image has a mask.
        """
        targets = masks.flatten(0, 1).float() / 255
        crop_has_mask = has_mask.repeat_interleave(masks.shape[1])
        return {
            name: attention_dice_loss(self._flatten_crops(maps[name]), targets, crop_has_mask)
            for name in self.weights
        }

    def _flatten_crops(self, attention: Tensor) -> Tensor:
        maps = attention.reshape(-1, *attention.shape[-2:])
        return maps / maps.amax(dim=(1, 2), keepdim=True) if self.normalize_by_max else maps


def make_attention_prior(
    recipe: AttentionPriorRecipe, model: Classifier, size: tuple[int, int]
) -> AttentionPriorLoss | None:
    """Return the attention prior of a recipe for a model; None if the recipe has none.

    Parameters
    ----------
    recipe
        Section ``attention_prior`` of the recipe.
    model
        Model whose attention maps are trained.
    size
        Height and width of its input in pixels.

    Raises
    ------
    ModelError
        The model has no spatial attention maps.
    RecipeError
        The recipe names a map that the model does not have.
    """
    if not recipe.is_enabled:
        return None
    names = spatial_maps(model, size)
    if not names:
        raise ModelError(
            f"attention_prior.target={recipe.target} requires spatial attention maps, but {type(model).__name__} has "
            "none. Set model.attention to gate, soft, arl or ran (patch+gate and so on for crops), or "
            "attention_prior.target=none"
        )
    for name in recipe.weight:
        if name not in names:
            raise RecipeError(unknown_name_message("attention map in attention_prior.weight", name, names))
    default = dict.fromkeys(names[:-1], EARLIER_MAP_WEIGHT) | {names[-1]: LAST_MAP_WEIGHT}
    return AttentionPriorLoss(
        recipe.weight or default, normalize_by_max=model.map_value_range == "distribution"
    )


def spatial_maps(model: Classifier, size: tuple[int, int]) -> list[str]:
    """Return the names of a model's spatial attention maps, in the order of the model."""
    if model.map_value_range == "constant":
        return []
    parameter = next(model.parameters())
    shape = (1, *([model.num_crops] if model.num_crops else []), 3, *size)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(parameter)
    was_training = model.training
    with torch.inference_mode():
        maps = model.eval()(image, maps=True).maps
    model.train(was_training)
    return [name for name in maps if not _NON_SPATIAL_MAPS.fullmatch(name)]
