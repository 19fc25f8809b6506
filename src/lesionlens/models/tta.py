"""From the crops of images to one score for each image and class."""

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.imaging.preprocessing import TTA, Aggregation
from lesionlens.models.base import Classifier

_TTA_VIEWS: dict[TTA, tuple[tuple[int, tuple[int, ...]], ...]] = {
    "none": ((0, ()),),
    "flips": ((0, ()), (0, (-1,)), (0, (-2,)), (0, (-2, -1))),
    "dihedral": tuple((quarters, flipped) for quarters in range(4) for flipped in ((), (-1,))),
}
"""Quarter turns, then the axes that are flipped."""


def predict_proba(
    model: Classifier,
    crops: Float[Tensor, "b n 3 h w"],
    *,
    tta: TTA = "none",
    aggregate: Aggregation = "probabilities",
    multilabel: bool = False,
) -> Float[Tensor, "b k"]:
    """Score images by their crops; in double precision, on the processor.

    A network that takes all crops of an image at once joins them itself; one that takes single images scores each
    crop, and what it finds is averaged.

    Parameters
    ----------
    crops
        Of b images n each, preprocessed.
    tta
        Each crop is also seen mirrored both ways (``flips``) or in all eight orientations (``dihedral``); a network
        of crops sees all crops of an image turned alike, in their places. Averaged like crops.
    aggregate
        Over crops and turns: of ``probabilities``, as Gessert et al. 2019 do for "Multi-Crop"; or of ``logits``, of
        which one softmax is taken.
    multilabel
        Each class has a score of its own: sigmoid in place of softmax.
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
    """Score images as ``predict_proba`` does, by whatever computes logits.

    Parameters
    ----------
    forward
        From images (m, 3, h, w), or from the crops of images (b, n, 3, h, w), to logits.
    multi_crop
        Whether it takes all crops of an image at once.
    """
    turned = tta_views(crops, tta)
    logits = torch.cat([_view_logits(forward, each, multi_crop=multi_crop) for each in turned], dim=1)
    if aggregate == "logits":
        return _to_probabilities(logits.mean(dim=1), multilabel=multilabel)
    return _to_probabilities(logits, multilabel=multilabel).mean(dim=1)


def tta_views(crops: Tensor, tta: TTA) -> Iterator[Tensor]:
    """Give images (..., h, w) in each orientation, as they are first; ``dihedral`` needs squares."""
    for quarters, flipped in _TTA_VIEWS[tta]:
        yield torch.rot90(crops, quarters, (-2, -1)).flip(flipped)


def num_tta_views(tta: TTA) -> int:
    """Say how many ways each crop is seen."""
    return len(_TTA_VIEWS[tta])


def _view_logits(forward: Callable[[Tensor], Tensor], crops: Tensor, *, multi_crop: bool) -> Tensor:
    """Give what one orientation scores, (b, m, k): m = 1 for a network of crops, else n."""
    b, n = crops.shape[:2]
    found = forward(crops if multi_crop else crops.flatten(0, 1))
    return found.cpu().double().reshape(b, 1 if multi_crop else n, -1)


def _to_probabilities(logits: Tensor, *, multilabel: bool) -> Tensor:
    return logits.sigmoid() if multilabel else logits.softmax(dim=-1)
