"""The masks of a prior: of a table's exact ones so many, and so good."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from lesionlens.data.fitted_mask import Shape
from lesionlens.data.mask_files import Mask
from lesionlens.data.masks import Masks, pack
from lesionlens.data.prior_quality import Quality, drawn, jaccard, worse
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError


class PriorMasks(NamedTuple):
    """Masks row by row, and what they came to.

    Attributes
    ----------
    masks
        None where there is none, or it is not kept.
    images
        How many images have a mask.
    used
        How many of them keep it.
    jaccard
        Mean Jaccard index of the masks that are used with the exact ones.
    """

    masks: Masks
    images: int
    used: int
    jaccard: float

    def facts(self) -> dict[str, int | float]:
        """Say for ``run.json`` what they came to."""
        return {"images": self.images, "used": self.used, "jaccard": round(self.jaccard, 4)}


def prior_masks(
    exact: Masks,
    rows: LesionTable,
    shapes: Sequence[Shape],
    *,
    share: float = 1.0,
    quality: Quality = "exact",
    amount: float | None = None,
    background: bool = False,
    seed: int = 0,
) -> PriorMasks:
    """Keep a share of a table's masks, and make them worse.

    Parameters
    ----------
    exact
        Masks of the rows, at least one.
    rows
        The table.
    shapes
        Height and width of each row's image as it is used.
    share
        Of the images that have a mask; see ``keeping``.
    quality, amount
        As for ``prior_quality.worse``; or ``elsewhere``: the mask of another image (see ``partners``).
    background
        The masks are of the background: it is the lesion, which they leave out, that is drawn worse.
    seed
        Of all that is drawn.

    Raises
    ------
    DataError
        No mask is left, or ``elsewhere`` has no other lesion to take one from.
    """
    images, lesions = list(rows.frame["image_id"]), list(rows.frame["lesion_id"])
    kept = keeping(lesions, exact.known, share, seed)
    if not kept.any():
        raise DataError(
            f"prior.share={share:g} of {exact.known.sum():,} images with a mask leaves none; give a larger one, or 0"
        )
    takes = partners(lesions, exact.known, seed) if quality == "elsewhere" else np.arange(len(exact))

    def made(place: int) -> tuple[bytes | None, float]:
        wanted, found = exact[place], exact[int(takes[place])]
        if not kept[place] or wanted is None or found is None:
            return None, np.nan
        if quality == "elsewhere":
            found = _stretched(found, shapes[place])
        elif background:
            found = ~worse(~found, quality, amount, seed=seed, image_id=images[place])
        else:
            found = worse(found, quality, amount, seed=seed, image_id=images[place])
        return pack(found), jaccard(found, wanted)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        packed, alike = zip(*pool.map(made, range(len(exact))), strict=True)
    return PriorMasks(
        Masks(packed, shapes), int(exact.known.sum()), int(kept.sum()), float(np.nanmean(alike))
    )


def keeping(lesions: Sequence[str], known: NDArray[np.bool_], share: float, seed: int) -> NDArray[np.bool_]:
    """Draw which images keep their mask, (n,): all of a lesion or none, and of a larger share also those of a smaller.

    As near to ``share`` of the images with a mask as whole lesions allow.

    Parameters
    ----------
    lesions
        The lesion of each image.
    known
        Which images have a mask.

    Examples
    --------
    >>> keeping(["a", "b", "a", "c"], np.array([True, True, True, False]), 0.6, 1).tolist()
    [True, False, True, False]
    """
    order = _by_lesion(lesions, np.flatnonzero(known), seed)
    inside = {n for n in range(1, len(order)) if lesions[order[n]] == lesions[order[n - 1]]}
    ends = sorted({*range(len(order) + 1)} - inside)
    count = min(ends, key=lambda end: abs(end - share * len(order)))
    kept = np.zeros(len(lesions), dtype=np.bool_)
    kept[order[:count]] = True
    return kept


def partners(lesions: Sequence[str], known: NDArray[np.bool_], seed: int) -> NDArray[np.int64]:
    """Draw for each image with a mask another lesion's image that has one, (n,): each is taken once.

    Raises
    ------
    DataError
        More than half of the images show one lesion.
    """
    order = _by_lesion(lesions, np.flatnonzero(known), seed)
    others = np.roll(order, len(order) // 2)  # a lesion's images stand together
    if any(lesions[one] == lesions[other] for one, other in zip(order, others, strict=True)):
        raise DataError(
            "prior.quality=elsewhere takes the masks of other lesions, and more than half of the masks are of one; "
            "give more lesions or another quality"
        )
    takes = np.arange(len(lesions))
    takes[order] = others
    return takes


def _by_lesion(lesions: Sequence[str], places: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Put places in a drawn order of their lesions."""
    keys = {lesion: (drawn(seed, lesion), lesion) for lesion in set(lesions)}
    return np.array(sorted(places, key=lambda place: keys[lesions[place]]), dtype=np.int64)


def _stretched(mask: Mask, shape: Shape) -> Mask:
    found = cv2.resize(mask, (shape[1], shape[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, dtype=np.uint8)
