"""Where to crop: strategies that name a box for the n-th crop of an image of any size."""

from collections.abc import Callable
from typing import Literal, get_args

from lesionlens.crops.attnmel import OfCentralSquare
from lesionlens.crops.box import Strategy
from lesionlens.crops.multiscale import Multiscale
from lesionlens.crops.ordered import Ordered, RandomPlace
from lesionlens.crops.single import Center, CenterArea, CenterSquare, RandomResized, Whole
from lesionlens.errors import RecipeError, unknown

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

_STRATEGIES: dict[CropName, Callable[[int], Strategy]] = {
    "whole": lambda _: Whole(),
    "center": lambda _: Center(),
    "random-resized": lambda _: RandomResized(),
    "multiscale": lambda _: Multiscale(),
    "ordered": Ordered,
    "random": lambda _: RandomPlace(),
    "attnmel-center": lambda _: OfCentralSquare(anywhere=False),
    "attnmel-random": lambda _: OfCentralSquare(anywhere=True),
    "gessert-center": lambda _: CenterArea(),
    "gessert-center-336": lambda _: CenterSquare(),
}


def strategy(name: str, count: int) -> Strategy:
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
    raise RecipeError(unknown("crop strategy", name, get_args(CropName)))
