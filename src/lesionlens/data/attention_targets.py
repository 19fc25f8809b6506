"""The masks of a prior: of a table's exact ones so many, and so good."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError
from lesionlens.core.prefetch import prefetch
from lesionlens.data.mask_degradation import MaskDegradation, degrade_mask, hash_seed, iou
from lesionlens.data.mask_store import MaskImage, MaskStore, compress_mask
from lesionlens.datasets.table import LesionTable
from lesionlens.imaging.masks import ImageSize


class AttentionTargets(NamedTuple):
    """Masks row by row, and what they came to.

    Attributes
    ----------
    masks
        None where there is none, or it is not kept.
    num_with_mask
        How many images have a mask.
    num_used
        How many of them keep it.
    mean_iou
        Mean IoU of the masks that are used with the exact ones.
    """

    masks: MaskStore
    num_with_mask: int
    num_used: int
    mean_iou: float

    def to_metadata(self) -> dict[str, int | float]:
        """Say for ``metadata.json`` what they came to."""
        return {
            "num_with_mask": self.num_with_mask,
            "num_used": self.num_used,
            "mean_iou": round(self.mean_iou, 4),
        }


def build_attention_targets(
    exact_masks: MaskStore,
    table: LesionTable,
    shapes: Sequence[ImageSize],
    *,
    mask_fraction: float = 1.0,
    degradation: MaskDegradation = "exact",
    severity: float | None = None,
    background: bool = False,
    seed: int = 0,
) -> AttentionTargets:
    """Keep a share of a table's masks, and make them worse.

    Parameters
    ----------
    exact_masks
        Masks of the rows, at least one.
    table
        The table.
    shapes
        Height and width of each row's image as it is used.
    mask_fraction
        Of the images that have a mask; see ``sample_masked_images``.
    degradation, severity
        As for ``degrade_mask``; or ``mismatched``: the mask of another image (see ``mismatched_masks``).
    background
        The masks are of the background: it is the lesion, which they leave out, that is drawn worse.
    seed
        Of all that is drawn.

    Raises
    ------
    DataError
        No mask is left, or ``mismatched`` has no other lesion to take one from.
    """
    images, lesions = list(table.frame["image_id"]), list(table.frame["lesion_id"])
    kept = sample_masked_images(lesions, exact_masks.has_mask, mask_fraction, seed)
    if not kept.any():
        raise DataError(
            f"attention_prior.mask_fraction={mask_fraction:g} of {exact_masks.has_mask.sum():,} images with a mask "
            "leaves none; give a larger one, or 0"
        )
    takes = (
        mismatched_masks(lesions, exact_masks.has_mask, seed)
        if degradation == "mismatched"
        else np.arange(len(exact_masks))
    )

    def made(place: int) -> tuple[bytes | None, float]:
        wanted, found = exact_masks[place], exact_masks[int(takes[place])]
        if not kept[place] or wanted is None or found is None:
            return None, np.nan
        if degradation == "mismatched":
            found = _resize_nearest(found, shapes[place])
        elif background:
            found = ~degrade_mask(~found, degradation, severity, seed=seed, image_id=images[place])
        else:
            found = degrade_mask(found, degradation, severity, seed=seed, image_id=images[place])
        return compress_mask(found), iou(found, wanted)

    packed, alike = zip(*prefetch(made, range(len(exact_masks))), strict=True)
    return AttentionTargets(
        MaskStore(packed, shapes), int(exact_masks.has_mask.sum()), int(kept.sum()), float(np.nanmean(alike))
    )


def sample_masked_images(
    lesion_ids: Sequence[str], has_mask: NDArray[np.bool_], fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Draw which images keep their mask, (n,): all of a lesion or none, and of a larger share also those of a smaller.

    As near to ``fraction`` of the images with a mask as whole lesions allow.

    Parameters
    ----------
    lesion_ids
        The lesion of each image.
    has_mask
        Which images have a mask.

    Examples
    --------
    >>> sample_masked_images(["a", "b", "a", "c"], np.array([True, True, True, False]), 0.6, 1).tolist()
    [True, False, True, False]
    """
    order = _shuffle_by_lesion(lesion_ids, np.flatnonzero(has_mask), seed)
    inside = {n for n in range(1, len(order)) if lesion_ids[order[n]] == lesion_ids[order[n - 1]]}
    ends = sorted({*range(len(order) + 1)} - inside)
    count = min(ends, key=lambda end: abs(end - fraction * len(order)))
    kept = np.zeros(len(lesion_ids), dtype=np.bool_)
    kept[order[:count]] = True
    return kept


def mismatched_masks(lesion_ids: Sequence[str], has_mask: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Draw for each image with a mask another lesion's image that has one, (n,): each is taken once.

    Raises
    ------
    DataError
        More than half of the images show one lesion.
    """
    order = _shuffle_by_lesion(lesion_ids, np.flatnonzero(has_mask), seed)
    others = np.roll(order, len(order) // 2)  # a lesion's images stand together
    if any(lesion_ids[one] == lesion_ids[other] for one, other in zip(order, others, strict=True)):
        raise DataError(
            "attention_prior.mask_degradation=mismatched takes the masks of other lesions, and more than half of the "
            "masks are of one; give more lesions or another degradation"
        )
    takes = np.arange(len(lesion_ids))
    takes[order] = others
    return takes


def _shuffle_by_lesion(lesion_ids: Sequence[str], indices: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Put places in a drawn order of their lesions."""
    keys = {lesion: (hash_seed(seed, lesion), lesion) for lesion in set(lesion_ids)}
    return np.array(sorted(indices, key=lambda place: keys[lesion_ids[place]]), dtype=np.int64)


def _resize_nearest(mask: MaskImage, shape: ImageSize) -> MaskImage:
    found = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, dtype=np.uint8)
