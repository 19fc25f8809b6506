"""Attention prior: a Dice loss between attention maps and masks, for any model with spatial attention maps."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from lesionlens.core.errors import ModelError, RecipeError, unknown_name_message
from lesionlens.explanation.cell_positions import CellGrids, cell_grids
from lesionlens.imaging.stitching import CellAxis
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
    grids
        Centers of the cells by the height and width of a map, see `uneven_grids`; other maps have an even grid.
    """

    weights: Mapping[str, float]
    normalize_by_max: bool
    grids: CellGrids = field(default_factory=dict)

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
        flat = {name: self._flatten_crops(maps[name]) for name in self.weights}
        return {
            name: attention_dice_loss(
                values, targets, crop_has_mask, self.grids.get((values.shape[1], values.shape[2]))
            )
            for name, values in flat.items()
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
        recipe.weight or default, model.map_value_range == "distribution", uneven_grids(model, size)
    )


def uneven_grids(model: Classifier, size: tuple[int, int]) -> CellGrids:
    """Return the centers of the cells of a model's maps, see `cell_grids`, without those on an even grid.

    The maps of VGG-16, the network of Yan 2020, have even grids; those of a ResNet have not.
    """
    parameter = next(model.parameters())
    grids = cell_grids(model, parameter.new_zeros((1, 3, *size)))
    return {cells: grid for cells, grid in grids.items() if not all(map(_is_even, grid, cells))}


def _is_even(axis: CellAxis, num_cells: int) -> bool:
    return math.isclose(axis.step * num_cells, 1) and math.isclose(axis.start * 2, axis.step)


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
