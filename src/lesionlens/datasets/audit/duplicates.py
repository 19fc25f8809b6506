"""Duplicate images: identical files, and near-duplicates that show the same photograph."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import ImageError
from lesionlens.core.fileio import sha256_of_file
from lesionlens.core.prefetch import prefetch
from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.audit.perceptual_hash import (
    HAMMING_RADIUS,
    SIMILARITY_THRESHOLD,
    THUMBNAIL_SIZE,
    make_thumbnail,
    near_duplicate_pairs,
    perceptual_hash,
    similarity,
)
from lesionlens.imaging.decode import read_rgb


class Fingerprint(NamedTuple):
    """Digest of an image file, and its gray thumbnail, (64, 64)."""

    sha256: str
    thumbnail: NDArray[np.uint8]


class DuplicatePair(NamedTuple):
    """Indices of two duplicate files, and their similarity: 1 if identical, less for a near-duplicate."""

    first: int
    second: int
    kind: Literal["exact", "near"]
    similarity: float


def fingerprints(
    paths: Sequence[Path], *, progress: ProgressCallback | None = None
) -> tuple[Fingerprint | str, ...]:
    """Return the fingerprint of each file, or the error message if it is not a usable image.

    Parameters
    ----------
    paths
        Image files.
    progress
        Called with the number of files read and the total.
    """
    results: list[Fingerprint | str] = []
    for fingerprint in prefetch(_fingerprint, paths):
        results.append(fingerprint)
        if progress is not None:
            progress(len(results), len(paths))
    return tuple(results)


def _fingerprint(path: Path) -> Fingerprint | str:
    try:
        thumbnail = make_thumbnail(read_rgb(path, max_short_side=2 * THUMBNAIL_SIZE, draft=True))
        return Fingerprint(sha256_of_file(path), thumbnail)
    except (ImageError, OSError) as error:
        return str(error)


def duplicate_pairs(
    file_fingerprints: Sequence[Fingerprint], *, exclude: int = 0
) -> tuple[DuplicatePair, ...]:
    """Return the pairs of files that show the same photograph, including flips and rotations by right angles.

    Each of several identical files is paired with the first, which represents them in near-duplicate pairs. An image
    of uniform color is never a near-duplicate.

    Parameters
    ----------
    file_fingerprints
        Fingerprints of the files.
    exclude
        Skip pairs within the first ``exclude`` files.
    """
    exact = exact_duplicate_pairs([fingerprint.sha256 for fingerprint in file_fingerprints])
    candidates = [pair for pair in _candidate_pairs(file_fingerprints, exact) if pair[1] >= exclude]
    scores = prefetch(
        lambda pair: similarity(file_fingerprints[pair[0]].thumbnail, file_fingerprints[pair[1]].thumbnail),
        candidates,
    )
    near = [
        DuplicatePair(*pair, "near", score)
        for pair, score in zip(candidates, scores, strict=True)
        if score >= SIMILARITY_THRESHOLD
    ]
    return tuple([pair for pair in exact if pair.second >= exclude] + near)


def _candidate_pairs(
    file_fingerprints: Sequence[Fingerprint], exact: Sequence[DuplicatePair]
) -> list[tuple[int, int]]:
    """Return the pairs with similar hashes, without identical copies and images of uniform color."""
    copies = {pair.second for pair in exact}
    indices = [
        index
        for index, fingerprint in enumerate(file_fingerprints)
        if index not in copies and np.ptp(fingerprint.thumbnail) > 0
    ]
    if not indices:
        return []
    hashes = np.array([perceptual_hash(file_fingerprints[index].thumbnail) for index in indices])
    pairs = near_duplicate_pairs(hashes, radius=HAMMING_RADIUS)
    return [(indices[pair.first], indices[pair.second]) for pair in pairs]


def exact_duplicate_pairs(digests: Sequence[str]) -> list[DuplicatePair]:
    """Pair each file with the first file that has the same digest."""
    first: dict[str, int] = {}
    pairs = []
    for index, digest in enumerate(digests):
        if first.setdefault(digest, index) != index:
            pairs.append(DuplicatePair(first[digest], index, "exact", 1.0))
    return pairs
