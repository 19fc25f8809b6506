"""Which crop of which image comes when: the order of an epoch."""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

Sampling = Literal["shuffle", "oversample", "weighted", "balanced", "equal"]


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


def sample_epoch_order(
    targets: NDArray[np.int64], sampling: Sampling, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw in which order an epoch visits the images.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    sampling
        ``shuffle``: each image once. ``oversample``: each class as often as the largest, its images equally often
        (to within one). ``equal``: n visits, rounded up so that each class comes as often as the others: large ones are
        seen in part and small ones several times. ``weighted``: n independent draws, each class as likely as the
        others. ``balanced``: as ``equal``, and every batch of b holds each of the k classes ``b // k`` times or once
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


def _round_robin(
    groups: list[NDArray[np.int64]], num_samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Visit each group so often, one after another."""
    return np.stack([_shuffled_repeats(group, num_samples, rng) for group in groups], axis=1).reshape(-1)


def _shuffled_repeats(
    group: NDArray[np.int64], num_samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Visit a group in shuffled rounds until there are enough visits."""
    rounds = [rng.permutation(group) for _ in range(-(-num_samples // len(group)))]
    return np.concatenate(rounds)[:num_samples]


class SampleIndex(NamedTuple):
    """One crop of one image in one epoch, or one image with all its crops."""

    epoch: int
    position: int
    image_index: int
    crop_index: int


class EpochSampler(Sampler[SampleIndex]):
    """The order of an epoch: rounds of all images, one for each crop, the classes balanced as asked.

    Lightning calls ``set_epoch`` before each epoch, ``LesionDataModule`` before the first of a resumed run: it draws
    what it would have drawn.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    crops_per_image
        How many crops of an image an epoch visits.
    passes_per_epoch
        How often an epoch does all that; of a last, broken pass only the beginning is visited.
    sampling
        As for ``sample_epoch_order``.
    repeats
        How often each image is in the list before it is ordered, (n,); None: once.
    seed
        Of every draw, with the epoch's number.
    """

    def __init__(
        self,
        targets: NDArray[np.int64],
        *,
        crops_per_image: int,
        sampling: Sampling,
        seed: int,
        passes_per_epoch: float = 1.0,
        repeats: NDArray[np.int64] | None = None,
    ) -> None:
        listed = np.ones(len(targets), dtype=np.int64) if repeats is None else repeats
        self.image_indices = np.repeat(np.arange(len(targets)), listed)
        self.targets = targets[self.image_indices]
        self.crops_per_image, self.passes_per_epoch, self.sampling, self.seed, self.epoch = (
            crops_per_image,
            passes_per_epoch,
            sampling,
            seed,
            0,
        )

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._epoch_order())

    def __iter__(self) -> Iterator[SampleIndex]:
        for position, (image, crop) in enumerate(self._epoch_order()):
            yield SampleIndex(self.epoch, position, int(image), int(crop))

    def _epoch_order(self) -> NDArray[np.int64]:
        """Images and crop numbers, (n, 2)."""
        rng = np.random.default_rng((self.seed, self.epoch))
        passes = [self._one_pass(rng) for _ in range(math.ceil(self.passes_per_epoch))]
        kept = round(len(passes[-1]) * (self.passes_per_epoch - len(passes) + 1))
        return np.concatenate([*passes[:-1], passes[-1][: max(1, kept)]])

    def _one_pass(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """One round of all images for each crop, so that crops are spread."""
        rounds = [
            self.image_indices[sample_epoch_order(self.targets, self.sampling, rng)]
            for _ in range(self.crops_per_image)
        ]
        numbers = [
            np.full(len(images), crop)
            for crop, images in zip(rng.permutation(self.crops_per_image), rounds, strict=True)
        ]
        return np.stack([np.concatenate(rounds), np.concatenate(numbers)], axis=1)
