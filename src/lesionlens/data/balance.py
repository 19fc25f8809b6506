"""Against class imbalance: weights for the loss, and orders in which images are visited."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Sampling = Literal["shuffle", "oversample", "weighted", "balanced", "even"]


def class_weights(counts: NDArray[np.int64], *, power: float = 1.0) -> NDArray[np.float64]:
    """Weight each class by ``(N / N_i) ** power`` (Gessert et al. 2019, section II.F).

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


def sample_epoch_order(targets: NDArray[np.int64], sampling: Sampling, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw in which order an epoch visits the images.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    sampling
        ``shuffle``: each image once. ``oversample``: each class as often as the largest, its images equally often
        (to within one). ``even``: n visits, rounded up so that each class comes as often as the others: large ones are
        seen in part and small ones several times. ``weighted``: n independent draws, each class as likely as the
        others. ``balanced``: as ``even``, and every batch of b holds each of the k classes ``b // k`` times or once
        more: the classes take turns, always in the same order, and the turn goes on where the batch before it stopped.
    rng
        Where chance comes from.

    Returns
    -------
    Positions of images, one a visit.
    """
    members = [np.flatnonzero(targets == present) for present in np.unique(targets)]
    if sampling == "shuffle":
        return rng.permutation(len(targets))
    if sampling == "weighted":
        likely = 1 / np.bincount(targets)[targets]
        return rng.choice(len(targets), len(targets), p=likely / likely.sum())
    if sampling == "oversample":
        return rng.permutation(_round_robin(members, max(map(len, members)), rng))
    visits = _round_robin(members, -(-len(targets) // len(members)), rng)
    return visits if sampling == "balanced" else rng.permutation(visits)


def _round_robin(groups: list[NDArray[np.int64]], num_samples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Visit each group so often, one after another."""
    return np.stack([_shuffled_repeats(group, num_samples, rng) for group in groups], axis=1).reshape(-1)


def _shuffled_repeats(group: NDArray[np.int64], num_samples: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Visit a group in shuffled rounds until there are enough visits."""
    rounds = [rng.permutation(group) for _ in range(-(-num_samples // len(group)))]
    return np.concatenate(rounds)[:num_samples]
