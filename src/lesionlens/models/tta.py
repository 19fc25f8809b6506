"""Class probabilities of images by a network of torch, averaged over crops and test-time augmentation (TTA) views."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from lesionlens.imaging.preprocessing import TTA, Aggregation
from lesionlens.models.aggregation import TTA_VIEWS, aggregate_logits
from lesionlens.models.base import Classifier


def predict_proba(
    model: Classifier,
    crops: Float[Tensor, "b n 3 h w"],
    *,
    tta: TTA = "none",
    aggregate: Aggregation = "probabilities",
    multilabel: bool = False,
) -> Float[Tensor, "b k"]:
    """Compute class probabilities of images from their crops, in double precision on the CPU, without gradients.

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
    aggregate, multilabel
        As for ``aggregate_logits``.
    """
    logits = torch.cat([_view_logits(model, view) for view in tta_views(crops, tta)], dim=1)
    scores = aggregate_logits(logits.numpy(), aggregate=aggregate, multilabel=multilabel)
    return torch.from_numpy(scores)


def tta_views(crops: Tensor, tta: TTA) -> Iterator[Tensor]:
    """Yield the views of images (..., h, w), the unchanged images first; ``dihedral`` needs squares."""
    for quarter_turns, flip_axes in TTA_VIEWS[tta]:
        yield torch.rot90(crops, quarter_turns, (-2, -1)).flip([axis - 2 for axis in flip_axes])


def _view_logits(model: Classifier, crops: Tensor) -> Tensor:
    """Return the logits of one view, (b, m, k): m = 1 for a network of crops, otherwise n."""
    b, n = crops.shape[:2]
    multi_crop = model.num_crops is not None
    logits: Tensor = model(crops if multi_crop else crops.flatten(0, 1)).logits
    return logits.detach().cpu().double().reshape(b, 1 if multi_crop else n, -1)
