"""Against class imbalance: weights for the loss, and orders in which images are visited."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sampling = Literal["shuffle", "oversample", "balanced"]


def class_weights(counts: NDArray[np.int64], *, power: float = 1.0) -> NDArray[np.float64]:
    """Weight each class by ``(N / N_i) ** power`` (Gessert et al. 2019, section II.C).

    A class without images gets weight 0: it cannot occur in the loss.

    Examples
    --------
    >>> class_weights(np.array([10, 30]))
    array([4.        , 1.33333333])
    """
    present = counts > 0
    weights = np.zeros(len(counts))
    weights[present] = (counts.sum() / counts[present]) ** power
    return weights


def order(targets: NDArray[np.int64], sampling: Sampling, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw in which order an epoch visits the images.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    sampling
        ``shuffle``: each image once. ``oversample``: each class as often as the largest, its images equally often
        (to within one). ``balanced``: n visits in which the classes take turns, so that every batch holds them evenly.
    rng
        Where chance comes from.

    Returns
    -------
    Positions of images, one a visit.
    """
    members = [np.flatnonzero(targets == present) for present in np.unique(targets)]
    if sampling == "shuffle":
        return rng.permutation(len(targets))
    if sampling == "oversample":
        most = max(len(group) for group in members)
        return rng.permutation(np.concatenate([_rounds(group, most, rng) for group in members]))
    visits = -(-len(targets) // len(members))
    turns = np.stack([_rounds(group, visits, rng) for group in members], axis=1)
    return rng.permuted(turns, axis=1).reshape(-1)[: len(targets)]


def _rounds(group: NDArray[np.int64], visits: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Visit a group in shuffled rounds until there are enough visits."""
    rounds = [rng.permutation(group) for _ in range(-(-visits // len(group)))]
    return np.concatenate(rounds)[:visits]
