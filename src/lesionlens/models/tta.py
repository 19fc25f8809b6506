"""Class probabilities of images, averaged over crops and test-time augmentation (TTA) views."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from lesionlens.imaging.preprocessing import TTA, Aggregation
from lesionlens.models.base import Classifier

_TTA_VIEWS: dict[TTA, tuple[tuple[int, tuple[int, ...]], ...]] = {
    "none": ((0, ()),),
    "flips": ((0, ()), (0, (-1,)), (0, (-2,)), (0, (-2, -1))),
    "dihedral": tuple((quarter_turns, flip_dims) for quarter_turns in range(4) for flip_dims in ((), (-1,))),
}
"""Views of each kind: number of quarter turns, then the axes that are flipped."""


def predict_proba(
    model: Classifier,
    crops: Float[Tensor, "b n 3 h w"],
    *,
    tta: TTA = "none",
    aggregate: Aggregation = "probabilities",
    multilabel: bool = False,
) -> Float[Tensor, "b k"]:
    """Compute class probabilities of images from their crops, in double precision on the CPU.

    A network of crops combines all crops of an image itself; one that takes single images scores each crop, and the
    scores are averaged.

    Parameters
    ----------
    model
        Network in evaluation mode.
    crops
        Preprocessed crops, n of each of b images.
    tta
        Views of each crop: only itself (``none``), also mirrored in both directions (``flips``), or in all eight
        orientations (``dihedral``). A network of crops gets all crops of an image in the same orientation and in their
        order. Views are averaged like crops.
    aggregate
        What is averaged over crops and views: ``probabilities``, as Gessert et al. 2019 do for "Multi-Crop", or
        ``logits``, followed by one softmax. ``vote``: the probability of a class is the fraction of crops and views
        whose largest logit is that of this class (of equal logits, the first), or whose probability of it is above
        0.5 if classes are independent. Classes with equally many votes have equal probabilities.
    multilabel
        Whether classes are independent: sigmoid instead of softmax.
    """
    return aggregate_logits(
        lambda x: model(x).logits,
        crops,
        multi_crop=model.num_crops is not None,
        tta=tta,
        aggregate=aggregate,
        multilabel=multilabel,
    )


def aggregate_logits(
    forward: Callable[[Tensor], Tensor],
    crops: Float[Tensor, "b n 3 h w"],
    *,
    multi_crop: bool,
    tta: TTA,
    aggregate: Aggregation,
    multilabel: bool,
) -> Float[Tensor, "b k"]:
    """Compute class probabilities as ``predict_proba`` does, with any function that computes logits.

    Parameters
    ----------
    forward
        Function from images (m, 3, h, w), or from the crops of images (b, n, 3, h, w), to logits.
    multi_crop
        Whether ``forward`` takes all crops of an image at once.
    crops, tta, aggregate, multilabel
        As for ``predict_proba``.
    """
    views = tta_views(crops, tta)
    logits = torch.cat([_view_logits(forward, view, multi_crop=multi_crop) for view in views], dim=1)
    if aggregate == "logits":
        return _to_probabilities(logits.mean(dim=1), multilabel=multilabel)
    scores = _to_votes if aggregate == "vote" else _to_probabilities
    return scores(logits, multilabel=multilabel).mean(dim=1)


def tta_views(crops: Tensor, tta: TTA) -> Iterator[Tensor]:
    """Yield the views of images (..., h, w), the unchanged images first; ``dihedral`` needs squares."""
    for quarter_turns, flip_dims in _TTA_VIEWS[tta]:
        yield torch.rot90(crops, quarter_turns, (-2, -1)).flip(flip_dims)


def num_tta_views(tta: TTA) -> int:
    """Return the number of views of each crop."""
    return len(_TTA_VIEWS[tta])


def _view_logits(forward: Callable[[Tensor], Tensor], crops: Tensor, *, multi_crop: bool) -> Tensor:
    """Return the logits of one view, (b, m, k): m = 1 for a network of crops, otherwise n."""
    b, n = crops.shape[:2]
    logits = forward(crops if multi_crop else crops.flatten(0, 1))
    return logits.cpu().double().reshape(b, 1 if multi_crop else n, -1)


def _to_votes(logits: Tensor, *, multilabel: bool) -> Tensor:
    if multilabel:
        return (logits > 0).double()
    return one_hot(logits.argmax(dim=-1), logits.shape[-1]).double()


def _to_probabilities(logits: Tensor, *, multilabel: bool) -> Tensor:
    return logits.sigmoid() if multilabel else logits.softmax(dim=-1)
