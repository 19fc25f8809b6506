"""Order of training samples in an epoch, with optional class balancing."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from lesionlens.core.types import Sampling


def class_weights(counts: NDArray[np.int64], *, power: float = 1.0) -> NDArray[np.float64]:
    """Return the weight of each class, ``(N / N_i) ** power`` (Gessert et al. 2019, section II.F).

    A class without images has weight 0: it cannot occur in the loss.

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
    """Sample the order of the images in an epoch.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    sampling
        ``shuffle``: each image once. ``oversample``: each class as often as the largest, its images equally often
        (to within one). ``equal``: about n samples, the same number of each class, so that large classes are
        subsampled and small ones repeated. ``weighted``: n independent draws with equal class probabilities.
        ``balanced``: as ``equal``, with the k classes in a fixed alternating order, so that every batch of b samples
        has each class ``b // k`` times or once more.
    rng
        Random generator.

    Returns
    -------
    Index of the image of each sample.
    """
    members = [np.flatnonzero(targets == present) for present in np.unique(targets)]
    if sampling == "shuffle":
        return rng.permutation(len(targets))
    if sampling == "weighted":
        likely = 1 / np.bincount(targets)[targets]
        return rng.choice(len(targets), len(targets), p=likely / likely.sum())
    if sampling == "oversample":
        return rng.permutation(_round_robin(members, max(map(len, members)), rng))
    alternating = _round_robin(members, -(-len(targets) // len(members)), rng)
    return alternating if sampling == "balanced" else rng.permutation(alternating)


def _round_robin(
    groups: list[NDArray[np.int64]], num_samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Take ``num_samples`` indices of each group, the groups alternating."""
    return np.stack([_shuffled_repeats(group, num_samples, rng) for group in groups], axis=1).reshape(-1)


def _shuffled_repeats(
    group: NDArray[np.int64], num_samples: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Repeat a group, shuffled each time, until there are ``num_samples`` indices."""
    rounds = [rng.permutation(group) for _ in range(-(-num_samples // len(group)))]
    return np.concatenate(rounds)[:num_samples]


class SampleIndex(NamedTuple):
    """Index of a training sample: one crop of an image, or one image with all its crops.

    Attributes
    ----------
    epoch
        Number of the epoch.
    position
        Position of the sample in the epoch.
    image_index
        Index of the image in the split.
    crop_index
        Number of the crop.
    """

    epoch: int
    position: int
    image_index: int
    crop_index: int


class EpochSampler(Sampler[SampleIndex]):
    """Sampler of an epoch: the images in random order once per crop, with optional class balancing.

    The order is a function of seed and epoch. Lightning calls ``set_epoch`` before each epoch, and ``LesionDataModule``
    before the first epoch of a resumed run, which therefore has the order of an uninterrupted run.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    crops_per_image
        Number of crops of each image per pass.
    passes_per_epoch
        Number of passes per epoch; of a fractional last pass only the first samples are used.
    sampling
        Class balancing, as for ``sample_epoch_order``.
    repeats
        Oversampling factor of each image before balancing, (n,); None: 1.
    seed
        Random seed for all draws.
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
        self.image_indices = np.repeat(np.arange(len(targets)), 1 if repeats is None else repeats)
        self.targets = targets[self.image_indices]
        self.crops_per_image, self.passes_per_epoch = crops_per_image, passes_per_epoch
        self.sampling, self.seed, self.epoch = sampling, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch whose order is sampled next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._epoch_order())

    def __iter__(self) -> Iterator[SampleIndex]:
        for position, (image, crop) in enumerate(self._epoch_order()):
            yield SampleIndex(self.epoch, position, int(image), int(crop))

    def _epoch_order(self) -> NDArray[np.int64]:
        """Return the image and crop indices of an epoch, (n, 2)."""
        rng = np.random.default_rng((self.seed, self.epoch))
        passes = [self._one_pass(rng) for _ in range(math.ceil(self.passes_per_epoch))]
        last_length = round(len(passes[-1]) * (self.passes_per_epoch - len(passes) + 1))
        return np.concatenate([*passes[:-1], passes[-1][: max(1, last_length)]])

    def _one_pass(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return the image and crop indices of one pass, (n, 2): all images with one crop, then with the next."""
        rounds = [
            self.image_indices[sample_epoch_order(self.targets, self.sampling, rng)]
            for _ in range(self.crops_per_image)
        ]
        crops = rng.permutation(self.crops_per_image)
        crop_indices = [np.full(len(images), crop) for crop, images in zip(crops, rounds, strict=True)]
        return np.stack([np.concatenate(rounds), np.concatenate(crop_indices)], axis=1)
