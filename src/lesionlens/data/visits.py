"""Which crop of which image comes when: the order of an epoch."""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler

from lesionlens.data.balance import Sampling, order


class Visit(NamedTuple):
    """One crop of one image in one epoch, or one image with all its crops."""

    epoch: int
    position: int
    image: int
    crop: int


class Visits(Sampler[Visit]):
    """The order of an epoch: rounds of all images, one for each crop, the classes balanced as asked.

    Lightning calls ``set_epoch`` before each epoch, ``LesionData`` before the first of a resumed run: it draws what it
    would have drawn.

    Parameters
    ----------
    targets
        Class of each image, (n,).
    crops
        How many crops of an image an epoch visits.
    passes
        How often an epoch does all that; of a last, broken pass only the beginning is visited.
    sampling
        As for ``order``.
    copies
        How often each image is in the list before it is ordered, (n,); None: once.
    seed
        Of every draw, with the epoch's number.
    """

    def __init__(
        self,
        targets: NDArray[np.int64],
        *,
        crops: int,
        sampling: Sampling,
        seed: int,
        passes: float = 1.0,
        copies: NDArray[np.int64] | None = None,
    ) -> None:
        listed = np.ones(len(targets), dtype=np.int64) if copies is None else copies
        self.images = np.repeat(np.arange(len(targets)), listed)
        self.targets = targets[self.images]
        self.crops, self.passes, self.sampling, self.seed, self.epoch = crops, passes, sampling, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch comes next."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._order())

    def __iter__(self) -> Iterator[Visit]:
        for position, (image, crop) in enumerate(self._order()):
            yield Visit(self.epoch, position, int(image), int(crop))

    def _order(self) -> NDArray[np.int64]:
        """Images and crop numbers, (n, 2)."""
        rng = np.random.default_rng((self.seed, self.epoch))
        passes = [self._pass(rng) for _ in range(math.ceil(self.passes))]
        kept = round(len(passes[-1]) * (self.passes - len(passes) + 1))
        return np.concatenate([*passes[:-1], passes[-1][: max(1, kept)]])

    def _pass(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """One round of all images for each crop, so that crops are spread."""
        rounds = [self.images[order(self.targets, self.sampling, rng)] for _ in range(self.crops)]
        numbers = [
            np.full(len(images), crop)
            for crop, images in zip(rng.permutation(self.crops), rounds, strict=True)
        ]
        return np.stack([np.concatenate(rounds), np.concatenate(numbers)], axis=1)
