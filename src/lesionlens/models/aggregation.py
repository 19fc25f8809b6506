"""Class probabilities from the logits of crops and of their test-time augmentation (TTA) views, without torch."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax

from lesionlens.core.types import FloatArray
from lesionlens.imaging.preprocessing import TTA, Aggregation

TTA_VIEWS: dict[TTA, tuple[tuple[int, tuple[int, ...]], ...]] = {
    "none": ((0, ()),),
    "flips": ((0, ()), (0, (1,)), (0, (0,)), (0, (0, 1))),
    "dihedral": tuple((quarter_turns, flip_axes) for quarter_turns in range(4) for flip_axes in ((), (1,))),
}
"""Views of each kind: number of quarter turns, then the axes that are flipped: 0 is the height, 1 the width."""


def num_tta_views(tta: TTA) -> int:
    """Return the number of views of each crop."""
    return len(TTA_VIEWS[tta])


def array_views(crops: NDArray[np.uint8], tta: TTA) -> Iterator[NDArray[np.uint8]]:
    """Yield the views of images (..., h, w, 3), the unchanged images first; ``dihedral`` needs squares."""
    height_axis = crops.ndim - 3
    for quarter_turns, flip_axes in TTA_VIEWS[tta]:
        turned = np.rot90(crops, quarter_turns, (height_axis, height_axis + 1))
        yield np.ascontiguousarray(np.flip(turned, tuple(height_axis + axis for axis in flip_axes)))


def aggregate_logits(logits: FloatArray, *, aggregate: Aggregation, multilabel: bool) -> FloatArray:
    """Average the logits of all crops and views of each image, (b, m, k), to probabilities, (b, k).

    Parameters
    ----------
    logits
        Logits of b images, m crops and views, and k classes.
    aggregate
        What is averaged: ``probabilities``, as Gessert et al. 2019 do for "Multi-Crop"; ``logits``, followed by one
        softmax; or ``vote``: the probability of a class is the fraction of crops and views whose largest logit is that
        of this class (of equal logits, the first), or whose probability of it is above 0.5 if classes are independent.
        Classes with equally many votes have equal probabilities.
    multilabel
        Whether classes are independent: sigmoid instead of softmax.
    """
    if aggregate == "logits":
        return _to_probabilities(logits.mean(axis=1), multilabel=multilabel)
    scores = _to_votes if aggregate == "vote" else _to_probabilities
    mean: FloatArray = scores(logits, multilabel=multilabel).mean(axis=1)
    return mean


def _to_votes(logits: FloatArray, *, multilabel: bool) -> FloatArray:
    if multilabel:
        return (logits > 0).astype(np.float64)
    votes: FloatArray = np.eye(logits.shape[-1])[logits.argmax(axis=-1)]
    return votes


def _to_probabilities(logits: FloatArray, *, multilabel: bool) -> FloatArray:
    probabilities: FloatArray = expit(logits) if multilabel else softmax(logits, axis=-1)
    return probabilities
