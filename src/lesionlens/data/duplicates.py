"""Files that show the same photograph: byte by byte, or as far as the eye can tell."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.data.images import read_rgb
from lesionlens.data.likeness import (
    ORIENTATIONS,
    RADIUS,
    SAME,
    THUMBNAIL,
    likeness,
    near_pairs,
    perceptual_bits,
    thumbnail,
)
from lesionlens.errors import ImageError

Progress = Callable[[int, int], None]
_AHEAD = 256  # files between two reports of progress


class Fingerprint(NamedTuple):
    """What is kept of a file to compare it: a digest of its bytes, and a grey thumbnail, (64, 64)."""

    digest: str
    thumbnail: NDArray[np.uint8]


class Pair(NamedTuple):
    """Two files by position, and how alike they are: 1 for the same bytes, less for the same picture."""

    first: int
    second: int
    kind: Literal["exact", "near"]
    likeness: float


def fingerprints(paths: Sequence[Path], *, progress: Progress | None = None) -> tuple[Fingerprint | str, ...]:
    """Read files to compare them; for one that is no usable image, give the reason instead.

    Parameters
    ----------
    progress
        Called with files done and files in all.
    """
    found: list[Fingerprint | str] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(paths), _AHEAD):
            found.extend(pool.map(_fingerprint, paths[start : start + _AHEAD]))
            if progress is not None:
                progress(len(found), len(paths))
    return tuple(found)


def _fingerprint(path: Path) -> Fingerprint | str:
    try:
        picture = thumbnail(read_rgb(path, shorter_side=2 * THUMBNAIL))
        return Fingerprint(digest(path), picture)
    except (ImageError, OSError) as error:
        return str(error)


def digest(path: Path) -> str:
    """Give the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def duplicates(
    prints: Sequence[Fingerprint],
    *,
    radius: int = RADIUS,
    same: float = SAME,
    besides: int = 0,
) -> tuple[Pair, ...]:
    """Find the pairs of files that show the same photograph, flipped or turned by right angles included.

    Of byte-identical files each is paired with the first, which alone stands for them in near pairs. A picture of one
    colour throughout is near none.

    Parameters
    ----------
    radius
        Hamming distance within which hashes make two files candidates.
    same
        Likeness from which candidates are near duplicates.
    besides
        Pairs within the first so many files are of no interest and not looked for.
    """
    pairs = exact_pairs([each.digest for each in prints])
    copies = {pair.second for pair in pairs}
    kept = [place for place, each in enumerate(prints) if place not in copies and np.ptp(each.thumbnail) > 0]
    bits = np.empty((len(kept), ORIENTATIONS, 0), dtype=np.bool_)
    if kept:
        bits = np.array([perceptual_bits(prints[place].thumbnail) for place in kept])
    candidates = [
        (kept[near.first], kept[near.second])
        for near in near_pairs(bits, radius=radius)
        if kept[near.second] >= besides
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # OpenCV releases Python's lock
        scores = pool.map(
            lambda two: likeness(prints[two[0]].thumbnail, prints[two[1]].thumbnail), candidates
        )
        near = [
            Pair(*two, "near", score) for two, score in zip(candidates, scores, strict=True) if score >= same
        ]
    return tuple([pair for pair in pairs if pair.second >= besides] + near)


def exact_pairs(digests: Sequence[str]) -> list[Pair]:
    """Pair each file with the first of the same bytes."""
    first: dict[str, int] = {}
    pairs = []
    for place, each in enumerate(digests):
        if first.setdefault(each, place) != place:
            pairs.append(Pair(first[each], place, "exact", 1.0))
    return pairs
