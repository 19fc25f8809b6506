"""Where attention should look, as a term of the loss for any network with maps of places."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from lesionlens.errors import ModelError, RecipeError, unknown
from lesionlens.models.classifier import Classifier
from lesionlens.training.losses import dice_prior
from lesionlens.training.prior_recipe import PriorRecipe

EARLIER, LAST = 0.001, 0.01  # lambda of pool3 and of pool4 (Yan 2020, section 2.4)
_NO_PLACES = re.compile(r"soft head \d+|.* crops")  # one of many heads; weights of crops


@dataclass(frozen=True)
class Prior:
    """A Dice term for each map of places.

    Attributes
    ----------
    weights
        Lambda of each map, by name.
    shares
        The maps are shares of a whole: each is divided by its largest value first, so that it can reach a mask of ones.
    """

    weights: Mapping[str, float]
    shares: bool

    def __call__(
        self,
        maps: Mapping[str, Tensor],
        masks: Shaped[Tensor, "b n y x"],
        known: Bool[Tensor, " b"],
    ) -> dict[str, Tensor]:
        """Give each map's Dice term before weighing.

        Parameters
        ----------
        maps
            ``Output.maps``: (b, h, w), or (b, n, h, w) of a network of crops.
        masks
            Of each crop, 0 to 255.
        known
            Which images have a mask.
        """
        wanted = masks.flatten(0, 1).float() / 255
        of_crop = known.repeat_interleave(masks.shape[1])
        return {name: dice_prior(self._places(maps[name]), wanted, of_crop) for name in self.weights}

    def _places(self, found: Tensor) -> Tensor:
        places = found.reshape(-1, *found.shape[-2:])
        return places / places.amax(dim=(1, 2), keepdim=True) if self.shares else places


def make_prior(recipe: PriorRecipe, model: Classifier, size: tuple[int, int]) -> Prior | None:
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
    if not recipe.asked:
        return None
    names = places_of(model, size)
    if not names:
        raise ModelError(
            f"prior.masks={recipe.masks} draws attention maps to masks, and {type(model).__name__} has none of places. "
            "Give model.attention gate, soft, arl or ran (patch+gate and so on for crops), or prior.masks=none"
        )
    for name in recipe.weights:
        if name not in names:
            raise RecipeError(unknown("attention map in prior.weights", name, names))
    usual = dict.fromkeys(names[:-1], EARLIER) | {names[-1]: LAST}
    return Prior(recipe.weights or usual, shares=model.map_scale == "share")


def places_of(model: Classifier, size: tuple[int, int]) -> list[str]:
    """Name the maps that tell places apart, in the network's order."""
    if model.map_scale == "flat":
        return []
    parameter = next(model.parameters())
    shape = (1, *([model.crops] if model.crops else []), 3, *size)
    image = torch.rand(shape, generator=torch.Generator().manual_seed(0)).to(parameter)
    was_training = model.training
    with torch.inference_mode():
        maps = model.eval()(image, maps=True).maps
    model.train(was_training)
    return [name for name in maps if not _NO_PLACES.fullmatch(name)]
