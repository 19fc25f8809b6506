"""Permute which lesions are in a group, to test a difference between the group and all other images.

Under the null hypothesis, the scores of a lesion do not depend on its group, given its class. The test is exact in
groups of any size, also where every image is correct and the bootstrap does not vary. It retains how many lesions of
each class are in the group, so that a group with other class frequencies is not accused for them.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.bootstrap import ROUNDING_TOLERANCE
from lesionlens.core.types import BoolArray, FloatArray

MIN_EXTREME = 10  # permutations as extreme as the observed difference after which p is precise enough
SUBGROUP_CHUNK_SIZE = 200_000
"""Image weights at a time: arrays that fit into the cache of a CPU are twice as fast as larger ones."""
_FIRST_STAGE = 199  # permutations; each further stage doubles their number


class LesionStratum(NamedTuple):
    """Images of lesions of the same class and number of images, (lesions, images per lesion)."""

    images: NDArray[np.intp]


def stratify_lesions(lesion_id: NDArray[Any], label: NDArray[Any]) -> list[LesionStratum]:
    """Group lesions by the class of their first image and by their number of images."""
    _, member = np.unique(lesion_id, return_inverse=True)
    order = np.argsort(member, kind="stable")
    lesions = np.split(order, np.flatnonzero(np.diff(member[order])) + 1)
    strata: dict[tuple[str, int], list[NDArray[np.intp]]] = {}
    for images in lesions:
        strata.setdefault((str(label[images[0]]), len(images)), []).append(images)
    return [LesionStratum(np.stack(strata[key])) for key in sorted(strata)]


def permute_membership(
    is_member: BoolArray, strata: list[LesionStratum], *, n_permutations: int, rng: np.random.Generator
) -> BoolArray:
    """Exchange the membership of lesions within each stratum, (n,) -> (n_permutations, n)."""
    permuted = np.empty((n_permutations, len(is_member)), dtype=np.bool_)
    for stratum in strata:
        images = stratum.images
        order = rng.permuted(np.tile(np.arange(len(images)), (n_permutations, 1)), axis=1)
        permuted[:, images] = is_member[images][order]
    return permuted


def permutation_p_values(
    difference: Callable[[BoolArray], FloatArray],
    is_member: BoolArray,
    strata: list[LesionStratum],
    *,
    max_permutations: int,
    seed: int,
) -> FloatArray:
    """Return the two-sided p-value of each difference, (m,); NaN where the difference is undefined.

    p is twice the fraction of permutations in the smaller tail, both tails with the observed difference, and one added
    to counts (Phipson and Smyth 2010). Sampling stops once every test has `MIN_EXTREME` permutations in its smaller
    tail (after Besag and Clifford 1991), at the latest after ``max_permutations``.

    Parameters
    ----------
    difference
        Function from memberships, (r, n), to differences between members and others, (m, r).
    is_member
        Whether each image is in the group, (n,).
    strata
        Lesions that may be exchanged (see `stratify_lesions`).
    max_permutations
        Maximum number of permutations.
    seed
        Random seed.
    """
    rng = np.random.default_rng(seed)
    observed = difference(is_member[None])[:, 0]
    below, above, total = (np.zeros(len(observed)) for _ in range(3))
    for count in _stages(max_permutations, len(is_member)):
        values = difference(permute_membership(is_member, strata, n_permutations=count, rng=rng))
        with np.errstate(invalid="ignore"):
            below += (values <= observed[:, None] + ROUNDING_TOLERANCE).sum(axis=1)
            above += (values >= observed[:, None] - ROUNDING_TOLERANCE).sum(axis=1)
        total += (~np.isnan(values)).sum(axis=1)
        smaller = np.minimum(below, above)
        if (smaller[~np.isnan(observed)] >= MIN_EXTREME).all():
            break
    p = np.minimum(1.0, 2 * (np.minimum(below, above) + 1) / (total + 1))
    return np.where(np.isnan(observed), np.nan, p)


def _stages(max_permutations: int, n_images: int) -> Iterator[int]:
    """Yield numbers of permutations that double their total, each small enough for memory."""
    total, limit = 0, max(1, SUBGROUP_CHUNK_SIZE // n_images)
    while total < max_permutations:
        target = min(max_permutations, max(_FIRST_STAGE, 2 * total + 1))
        while total < target:
            count = min(limit, target - total)
            total += count
            yield count
