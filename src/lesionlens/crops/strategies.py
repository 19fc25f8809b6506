"""Where to crop: strategies that name a box for the n-th crop of an image of any size."""

from collections.abc import Callable
from typing import Literal, get_args

from lesionlens.crops.attnmel import CentralSquareCrop
from lesionlens.crops.box import CropStrategy
from lesionlens.crops.multiscale import MultiScaleCrop
from lesionlens.crops.ordered import GridCrop, RandomSquareCrop
from lesionlens.crops.single import CenterSquareCrop, CenterCropByArea, CenterCrop, RandomResizedCrop, FullImage
from lesionlens.errors import RecipeError, unknown_name_message

CropName = Literal[
    "whole",
    "center",
    "random-resized",
    "multiscale",
    "ordered",
    "random",
    "attnmel-center",
    "attnmel-random",
    "gessert-center",
    "gessert-center-336",
]

_STRATEGIES: dict[CropName, Callable[[int], CropStrategy]] = {
    "whole": lambda _: FullImage(),
    "center": lambda _: CenterSquareCrop(),
    "random-resized": lambda _: RandomResizedCrop(),
    "multiscale": lambda _: MultiScaleCrop(),
    "ordered": GridCrop,
    "random": lambda _: RandomSquareCrop(),
    "attnmel-center": lambda _: CentralSquareCrop(random=False),
    "attnmel-random": lambda _: CentralSquareCrop(random=True),
    "gessert-center": lambda _: CenterCropByArea(),
    "gessert-center-336": lambda _: CenterCrop(),
}


def make_crop_strategy(name: str, count: int) -> CropStrategy:
    """Give a strategy by name, for so many crops of an image.

    Raises
    ------
    RecipeError
        No such strategy, or not for this number of crops.

    Examples
    --------
    >>> import numpy as np
    >>> strategy("ordered", 9)(450, 600, 8, np.random.default_rng(0))[:4]
    (226, 376, 224, 224)
    """
    for known in get_args(CropName):
        if known == name:
            return _STRATEGIES[known](count)
    raise RecipeError(unknown_name_message("crop strategy", name, get_args(CropName)))
