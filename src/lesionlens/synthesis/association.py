"""Which images get a planted artefact, and how strongly it goes with a class."""

import zlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

BoolFlags = npt.NDArray[np.bool_]


def sample_artifact_flags(image_ids: Iterable[str], positive: BoolFlags, *, rate_difference: float, seed: int) -> BoolFlags:
    """Draw which images get the artefact, (n,); the draw of an image depends on its id and the seed alone."""
    draws = np.array([image_rng(seed, image_id, 0).random() for image_id in image_ids])
    return np.asarray(draws < np.where(positive, 1 + rate_difference, 1 - rate_difference) / 2)


def artifact_counts_and_phi(positive: BoolFlags, has_artifact: BoolFlags) -> dict[str, float | int | None]:
    """Count how often the artefact is there, by class, and give the phi coefficient of class and artefact.

    None stands for what is not defined: a share of no image, or phi where all or none have the artefact or the class.
    """
    with_class, without = has_artifact[positive], has_artifact[~positive]
    spread = positive.std() * has_artifact.std()
    shared = ((positive - positive.mean()) * (has_artifact - has_artifact.mean())).mean()
    return {
        "images": len(positive),
        "share_of_class": float(with_class.mean()) if len(with_class) else None,
        "share_of_others": float(without.mean()) if len(without) else None,
        "phi": float(shared / spread) if spread else None,
    }


def image_rng(seed: int, image_id: str, purpose: int) -> np.random.Generator:
    """Give the random numbers of one image for one purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(image_id.encode()), purpose]))
