"""From the crops of images to one score for each image and class."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.models.classifier import Classifier
from lesionlens.preprocessing import Average, Turns

_ORIENTATIONS: dict[Turns, tuple[tuple[int, tuple[int, ...]], ...]] = {
    "none": ((0, ()),),
    "flips": ((0, ()), (0, (-1,)), (0, (-2,)), (0, (-2, -1))),
    "dihedral": tuple((quarters, flipped) for quarters in range(4) for flipped in ((), (-1,))),
}
"""Quarter turns, then the axes that are flipped."""


def probabilities(
    model: Classifier,
    crops: Float[Tensor, "b n 3 h w"],
    *,
    turns: Turns = "none",
    average: Average = "probabilities",
    independent: bool = False,
) -> Float[Tensor, "b k"]:
    """Score images by their crops; in double precision, on the processor.

    A network that takes all crops of an image at once joins them itself; one that takes single images scores each
    crop, and what it finds is averaged.

    Parameters
    ----------
    crops
        Of b images n each, preprocessed.
    turns
        Each crop is also seen mirrored both ways (``flips``) or in all eight orientations (``dihedral``); a network
        of crops sees all crops of an image turned alike, in their places. Averaged like crops.
    average
        Over crops and turns: of ``probabilities``, as Gessert et al. 2019 do for "Multi-Crop"; or of ``logits``, of
        which one softmax is taken.
    independent
        Each class has a score of its own: sigmoid in place of softmax.
    """
    return joined(
        lambda x: model(x).logits,
        crops,
        at_once=model.crops is not None,
        turns=turns,
        average=average,
        independent=independent,
    )


def joined(
    logits_of: Callable[[Tensor], Tensor],
    crops: Float[Tensor, "b n 3 h w"],
    *,
    at_once: bool,
    turns: Turns,
    average: Average,
    independent: bool,
) -> Float[Tensor, "b k"]:
    """Score images as ``probabilities`` does, by whatever computes logits.

    Parameters
    ----------
    logits_of
        From images (m, 3, h, w), or from the crops of images (b, n, 3, h, w), to logits.
    at_once
        Whether it takes all crops of an image at once.
    """
    turned = orientations(crops, turns)
    logits = torch.cat([_logits(logits_of, each, at_once=at_once) for each in turned], dim=1)
    if average == "logits":
        return _scores(logits.mean(dim=1), independent=independent)
    return _scores(logits, independent=independent).mean(dim=1)


def orientations(crops: Tensor, turns: Turns) -> Iterator[Tensor]:
    """Give images (..., h, w) in each orientation, as they are first; ``dihedral`` needs squares."""
    for quarters, flipped in _ORIENTATIONS[turns]:
        yield torch.rot90(crops, quarters, (-2, -1)).flip(flipped)


def orientation_count(turns: Turns) -> int:
    """Say how many ways each crop is seen."""
    return len(_ORIENTATIONS[turns])


def _logits(logits_of: Callable[[Tensor], Tensor], crops: Tensor, *, at_once: bool) -> Tensor:
    """Give what one orientation scores, (b, m, k): m = 1 for a network of crops, else n."""
    b, n = crops.shape[:2]
    found = logits_of(crops if at_once else crops.flatten(0, 1))
    return found.cpu().double().reshape(b, 1 if at_once else n, -1)


def _scores(logits: Tensor, *, independent: bool) -> Tensor:
    return logits.sigmoid() if independent else logits.softmax(dim=-1)
