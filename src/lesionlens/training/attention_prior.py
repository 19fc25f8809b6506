"""Where attention should look, as a term of the loss for any network with maps of places."""

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
_NON_SPATIAL_MAPS = re.compile(r"soft head \d+|.* crops")  # one of many heads; weights of crops


@dataclass(frozen=True)
class AttentionPriorLoss:
    """A Dice term for each map of places.

    Attributes
    ----------
    weights
        Lambda of each map, by name.
    normalize_by_max
        The maps are shares of a whole: each is divided by its largest value first, so that it can reach a mask of ones.
    """

    weights: Mapping[str, float]
    normalize_by_max: bool

    def __call__(
        self,
        maps: Mapping[str, Tensor],
        masks: Shaped[Tensor, "b n y x"],
        has_mask: Bool[Tensor, " b"],
    ) -> dict[str, Tensor]:
        """Give each map's Dice term before weighing.

        Parameters
        ----------
        maps
            ``ModelOutput.maps``: (b, h, w), or (b, n, h, w) of a network of crops.
        masks
            Of each crop, 0 to 255.
        has_mask
            Which images have a mask.
        """
        wanted = masks.flatten(0, 1).float() / 255
        of_crop = has_mask.repeat_interleave(masks.shape[1])
        return {
            name: attention_dice_loss(self._spatial(maps[name]), wanted, of_crop) for name in self.weights
        }

    def _spatial(self, attention: Tensor) -> Tensor:
        places = attention.reshape(-1, *attention.shape[-2:])
        return places / places.amax(dim=(1, 2), keepdim=True) if self.normalize_by_max else places


def make_attention_prior(
    recipe: AttentionPriorRecipe, model: Classifier, size: tuple[int, int]
) -> AttentionPriorLoss | None:
    """Find the maps that a recipe's prior is for; None where it asks for none.

    Parameters
    ----------
    size
        Height and width of the network's input.

    Raises
    ------
    ModelError
        The network makes no map of places.
    RecipeError
        A map is named that it does not make.
    """
    if not recipe.is_enabled:
        return None
    names = spatial_maps(model, size)
    if not names:
        raise ModelError(
            f"attention_prior.target={recipe.target} draws attention maps to masks, and {type(model).__name__} has "
            "none of places. Give model.attention gate, soft, arl or ran (patch+gate and so on for crops), or "
            "attention_prior.target=none"
        )
    for name in recipe.weight:
        if name not in names:
            raise RecipeError(unknown_name_message("attention map in attention_prior.weight", name, names))
    usual = dict.fromkeys(names[:-1], EARLIER_MAP_WEIGHT) | {names[-1]: LAST_MAP_WEIGHT}
    return AttentionPriorLoss(
        recipe.weight or usual, normalize_by_max=model.map_value_range == "distribution"
    )


def spatial_maps(model: Classifier, size: tuple[int, int]) -> list[str]:
    """Name the maps that tell places apart, in the network's order."""
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
