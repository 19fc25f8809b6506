"""From the crops of images to one score for each image and class."""

from collections.abc import Iterator

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
    logits = torch.cat([_logits(model, turned) for turned in orientations(crops, turns)], dim=1)
    if average == "logits":
        return _scores(logits.mean(dim=1), independent=independent)
    return _scores(logits, independent=independent).mean(dim=1)


def orientations(crops: Tensor, turns: Turns) -> Iterator[Tensor]:
    """Give images (..., h, w) in each orientation, as they are first; ``dihedral`` needs squares."""
    for quarters, flipped in _ORIENTATIONS[turns]:
        yield torch.rot90(crops, quarters, (-2, -1)).flip(flipped)


def _logits(model: Classifier, crops: Tensor) -> Tensor:
    """Give what one orientation scores, (b, m, k): m = 1 for a network of crops, else n."""
    b, n = crops.shape[:2]
    found: Tensor = model(crops if model.crops is not None else crops.flatten(0, 1)).logits
    return found.cpu().double().reshape(b, 1 if model.crops is not None else n, -1)


def _scores(logits: Tensor, *, independent: bool) -> Tensor:
    return logits.sigmoid() if independent else logits.softmax(dim=-1)
