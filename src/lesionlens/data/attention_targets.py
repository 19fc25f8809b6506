"""Target masks for supervised attention: a sampled, optionally degraded subset of a table's exact masks."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError
from lesionlens.core.prefetch import prefetch
from lesionlens.data.mask_degradation import MaskDegradation, degrade_mask, hash_seed
from lesionlens.data.mask_store import MaskImage, MaskStore, compress_mask
from lesionlens.datasets.table import LesionTable
from lesionlens.imaging.masks import ImageSize, binarize_mask, iou


class AttentionTargets(NamedTuple):
    """Target masks and how they were made.

    Attributes
    ----------
    masks
        Target mask of each row; None for rows without a mask and for rows that were not sampled.
    num_with_mask
        Number of images that have an exact mask.
    num_used
        Number of images whose mask was sampled.
    mean_iou
        Mean IoU between the target masks and the exact masks.
    """

    masks: MaskStore
    num_with_mask: int
    num_used: int
    mean_iou: float

    def to_metadata(self) -> dict[str, int | float]:
        """Return the counts and the mean IoU for ``metadata.json``."""
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
    """Sample a fraction of a table's masks and degrade them.

    Masks of probabilities stay gray unless their outline is degraded, for which they are thresholded at 0.5.

    Parameters
    ----------
    exact_masks
        Exact mask of each row, binary or of probabilities; at least one row has a mask.
    table
        Table whose rows the masks belong to.
    shapes
        Height and width of each row's cached image.
    mask_fraction
        Fraction of the images with a mask that keep it, see ``sample_masked_images``.
    degradation, severity
        As for ``degrade_mask``; or ``mismatched``: each image gets another lesion's mask (see ``mismatched_masks``).
    background
        Whether the masks mark the background. The lesion, their complement, is then degraded.
    seed
        Random seed for all draws.

    Raises
    ------
    DataError
        No mask was sampled, or ``mismatched`` finds no other lesion for some image.
    """
    image_ids, lesion_ids = list(table.frame["image_id"]), list(table.frame["lesion_id"])
    used = sample_masked_images(lesion_ids, exact_masks.has_mask, mask_fraction, seed)
    if not used.any():
        raise DataError(
            f"attention_prior.mask_fraction={mask_fraction:g} selects none of {exact_masks.has_mask.sum():,} images "
            "with a mask; use a larger fraction, or 0 to train without masks"
        )
    sources = (
        mismatched_masks(lesion_ids, exact_masks.has_mask, seed)
        if degradation == "mismatched"
        else np.arange(len(exact_masks))
    )

    def make_target(index: int) -> tuple[bytes | None, float]:
        exact, mask = exact_masks[index], exact_masks[int(sources[index])]
        if not used[index] or exact is None or mask is None:
            return None, np.nan
        if degradation == "mismatched":
            mask = _resize_nearest(mask, shapes[index])
        elif degradation != "exact" and background:
            mask = binarize_mask(mask)
            mask = ~degrade_mask(~mask, degradation, severity, seed=seed, image_id=image_ids[index])
        elif degradation != "exact":
            mask = binarize_mask(mask)
            mask = degrade_mask(mask, degradation, severity, seed=seed, image_id=image_ids[index])
        return compress_mask(mask), iou(binarize_mask(mask), binarize_mask(exact))

    compressed, ious = zip(*prefetch(make_target, range(len(exact_masks))), strict=True)
    return AttentionTargets(
        MaskStore(compressed, shapes),
        num_with_mask=int(exact_masks.has_mask.sum()),
        num_used=int(used.sum()),
        mean_iou=float(np.nanmean(ious)),
    )


def sample_masked_images(
    lesion_ids: Sequence[str], has_mask: NDArray[np.bool_], fraction: float, seed: int
) -> NDArray[np.bool_]:
    """Sample which images keep their mask, (n,), as near to ``fraction`` of the masks as complete lesions allow.

    Either all images of a lesion are sampled or none. A larger fraction includes the images of a smaller one.

    Parameters
    ----------
    lesion_ids
        Lesion of each image, n.
    has_mask
        Whether each image has a mask, (n,).
    fraction
        Fraction of the images with a mask, 0 to 1.
    seed
        Random seed of the order of lesions.

    Examples
    --------
    >>> sample_masked_images(["a", "b", "a", "c"], np.array([True, True, True, False]), 0.6, 1).tolist()
    [True, False, True, False]
    """
    order = _shuffle_by_lesion(lesion_ids, np.flatnonzero(has_mask), seed)
    within_lesion = {n for n in range(1, len(order)) if lesion_ids[order[n]] == lesion_ids[order[n - 1]]}
    lesion_ends = sorted({*range(len(order) + 1)} - within_lesion)
    count = min(lesion_ends, key=lambda end: abs(end - fraction * len(order)))
    sampled = np.zeros(len(lesion_ids), dtype=np.bool_)
    sampled[order[:count]] = True
    return sampled


def mismatched_masks(lesion_ids: Sequence[str], has_mask: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Assign to each image with a mask the index of another lesion's masked image, (n,), each used once.

    Raises
    ------
    DataError
        More than half of the masks belong to one lesion.
    """
    order = _shuffle_by_lesion(lesion_ids, np.flatnonzero(has_mask), seed)
    sources = np.roll(order, len(order) // 2)  # images of a lesion are adjacent in this order
    if any(lesion_ids[a] == lesion_ids[b] for a, b in zip(order, sources, strict=True)):
        raise DataError(
            "attention_prior.mask_degradation=mismatched assigns masks of other lesions, and more than half of the "
            "masks belong to one lesion; use data with more lesions or another degradation"
        )
    indices = np.arange(len(lesion_ids))
    indices[order] = sources
    return indices


def _shuffle_by_lesion(lesion_ids: Sequence[str], indices: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Shuffle the lesions and return the image indices in that order."""
    keys = {lesion: (hash_seed(seed, lesion), lesion) for lesion in set(lesion_ids)}
    return np.array(sorted(indices, key=lambda index: keys[lesion_ids[index]]), dtype=np.int64)


def _resize_nearest(mask: MaskImage, shape: ImageSize) -> MaskImage:
    resized = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized, dtype=np.uint8)
