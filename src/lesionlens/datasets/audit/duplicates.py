"""Files that show the same photograph: byte by byte, or as far as the eye can tell."""

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
    D4_SYMMETRIES,
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
    """What is kept of a file to compare it: a digest of its bytes, and a grey thumbnail, (64, 64)."""

    sha256: str
    thumbnail: NDArray[np.uint8]


class DuplicatePair(NamedTuple):
    """Two files by position, and how alike they are: 1 for the same bytes, less for the same picture."""

    first: int
    second: int
    kind: Literal["exact", "near"]
    similarity: float


def fingerprints(
    paths: Sequence[Path], *, progress: ProgressCallback | None = None
) -> tuple[Fingerprint | str, ...]:
    """Read files to compare them; for one that is no usable image, give the reason instead.

    Parameters
    ----------
    progress
        Called with files done and files in all.
    """
    found: list[Fingerprint | str] = []
    for fingerprint in prefetch(_fingerprint, paths):
        found.append(fingerprint)
        if progress is not None:
            progress(len(found), len(paths))
    return tuple(found)


def _fingerprint(path: Path) -> Fingerprint | str:
    try:
        picture = make_thumbnail(read_rgb(path, max_short_side=2 * THUMBNAIL_SIZE))
        return Fingerprint(sha256_of_file(path), picture)
    except (ImageError, OSError) as error:
        return str(error)


def duplicate_pairs(
    file_fingerprints: Sequence[Fingerprint],
    *,
    radius: int = HAMMING_RADIUS,
    threshold: float = SIMILARITY_THRESHOLD,
    exclude: int = 0,
) -> tuple[DuplicatePair, ...]:
    """Find the pairs of files that show the same photograph, flipped or turned by right angles included.

    Of byte-identical files each is paired with the first, which alone stands for them in near pairs. A picture of one
    colour throughout is near none.

    Parameters
    ----------
    radius
        Hamming distance within which hashes make two files candidates.
    threshold
        Likeness from which candidates are near duplicates.
    exclude
        Pairs within the first so many files are of no interest and not looked for.
    """
    pairs = exact_duplicate_pairs([each.sha256 for each in file_fingerprints])
    copies = {pair.second for pair in pairs}
    kept = [
        place
        for place, each in enumerate(file_fingerprints)
        if place not in copies and np.ptp(each.thumbnail) > 0
    ]
    bits = np.empty((len(kept), D4_SYMMETRIES, 0), dtype=np.bool_)
    if kept:
        bits = np.array([perceptual_hash(file_fingerprints[place].thumbnail) for place in kept])
    candidates = [
        (kept[near.first], kept[near.second])
        for near in near_duplicate_pairs(bits, radius=radius)
        if kept[near.second] >= exclude
    ]
    scores = prefetch(
        lambda two: similarity(file_fingerprints[two[0]].thumbnail, file_fingerprints[two[1]].thumbnail),
        candidates,
    )
    near = [
        DuplicatePair(*two, "near", score)
        for two, score in zip(candidates, scores, strict=True)
        if score >= threshold
    ]
    return tuple([pair for pair in pairs if pair.second >= exclude] + near)


def exact_duplicate_pairs(digests: Sequence[str]) -> list[DuplicatePair]:
    """Pair each file with the first of the same bytes."""
    first: dict[str, int] = {}
    pairs = []
    for place, each in enumerate(digests):
        if first.setdefault(each, place) != place:
            pairs.append(DuplicatePair(first[each], place, "exact", 1.0))
    return pairs
