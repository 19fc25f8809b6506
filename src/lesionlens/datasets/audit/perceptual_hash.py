"""Near-duplicate detection: a perceptual hash finds candidate pairs, and an alignment confirms them.

The hash consists of the signs of the low frequencies of a small gray image, as in Zauner 2010, "Implementation and
benchmarking of perceptual image hash functions", section 3.2.1. The one difference: local contrast is normalized
first. Lesions are dark blobs in the middle of pale skin, and without normalization their low frequencies are all
similar.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

D4_SYMMETRIES = 8  # flips and rotations by right angles
HASH_BITS = 120
HAMMING_RADIUS = 34  # of 120 bits; measured, see docs/audit.md
SIMILARITY_THRESHOLD = 0.9  # aligned correlation; measured, see docs/audit.md
THUMBNAIL_SIZE = 64
_HASH_INPUT_SIZE = 32  # pixels per side of the hashed image
_NUM_FREQUENCIES = 11  # per axis; the mean is excluded from the hash
_CONTRAST_SIGMA, _DETAIL_SIGMA = 4.0, 3.0  # pixels; of local contrast, and of fine structure
_NOISE_FLOOR = 3.0  # gray levels; contrast below it is not normalized
_BLOCK_SIZE = 512  # rows compared at once: 50 MB for 25,000 images


class NearDuplicate(NamedTuple):
    """Indices of two images, and the number of 120 bits that differ in the best of eight orientations."""

    first: int
    second: int
    distance: int


def make_thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Resize an RGB image, (h, w, 3), to a gray square, (64, 64), ignoring its aspect ratio."""
    gray = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(
        cv2.resize(gray, (THUMBNAIL_SIZE, THUMBNAIL_SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def perceptual_hash(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the hashes of a gray square or an RGB image, (h, w, 3), in its eight orientations: (8, 120).

    The hashes of a rotated or flipped image are the same rows in another order.
    """
    gray = make_thumbnail(image) if image.ndim == 3 else image
    small = cv2.resize(gray, (_HASH_INPUT_SIZE, _HASH_INPUT_SIZE), interpolation=cv2.INTER_AREA)
    low = cv2.dct(_normalize_contrast(small.astype(np.float32)))[:_NUM_FREQUENCIES, :_NUM_FREQUENCIES]
    same = np.ones(_NUM_FREQUENCIES)
    flip = np.where(np.arange(_NUM_FREQUENCIES) % 2, -1.0, 1.0)  # a flip negates odd frequencies
    rows = [
        (frequencies * vertical[:, None] * horizontal).ravel()[1:] > 0
        for frequencies in (low, low.T)
        for vertical in (same, flip)
        for horizontal in (same, flip)
    ]
    return np.array(rows)


def near_duplicate_pairs(
    hashes: NDArray[np.bool_], *, radius: int = HAMMING_RADIUS
) -> tuple[NearDuplicate, ...]:
    """Return every pair of hashes, (n, 8, 120), within a Hamming radius in the best of eight orientations.

    The comparison is a blockwise matrix product: its time grows with n², but for 25,000 images it takes seconds, less
    than decoding them.
    """
    signs = np.where(hashes, np.float32(1), np.float32(-1))
    upright = np.ascontiguousarray(signs[:, 0])
    pairs: list[NearDuplicate] = []
    for start in range(0, len(hashes), _BLOCK_SIZE):
        block, others = upright[start : start + _BLOCK_SIZE], signs[start:]
        agreement = block @ others[:, 0].T
        for orientation in range(1, D4_SYMMETRIES):
            np.maximum(agreement, block @ others[:, orientation].T, out=agreement)
        rows, columns = np.nonzero(agreement >= HASH_BITS - 2 * radius)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if row < column:
                distance = int(HASH_BITS - agreement[row, column]) // 2
                pairs.append(NearDuplicate(start + row, start + column, distance))
    return tuple(pairs)


def similarity(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Return the correlation of two thumbnails, (64, 64), after alignment: 1 for identical thumbnails.

    The best of eight orientations is aligned by enhanced correlation (Evangelidis & Psarakis 2008) on normalized
    contrast. The correlation is that of the fine structure, not of the lesion's blob. It is 0 for thumbnails that
    cannot be aligned, or that overlap by less than half of their area.
    """
    reference = first.astype(np.float32)
    moving = max(
        _d4_orientations(second.astype(np.float32)), key=lambda image: _correlation(reference, image)
    )
    warp = _affine_alignment(reference, moving)
    if warp is None:
        return 0.0
    size, flags = first.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    overlap = cv2.warpAffine(np.ones_like(reference), warp, size, flags=flags) > 0.999
    if overlap.mean() < 0.5:
        return 0.0
    aligned = np.asarray(
        cv2.warpAffine(_high_pass(moving, _DETAIL_SIGMA), warp, size, flags=flags), dtype=np.float32
    )
    return _correlation(_high_pass(reference, _DETAIL_SIGMA)[overlap], aligned[overlap])


def _affine_alignment(reference: NDArray[np.float32], moving: NDArray[np.float32]) -> Any:
    """Return the affine warp, (2, 3), that aligns two images, or None if there is no texture in common."""
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
    identity: Any = np.eye(2, 3, dtype=np.float32)
    mask = np.ones(reference.shape, dtype=np.uint8)
    images = _normalize_contrast(reference), _normalize_contrast(moving)
    try:
        return cv2.findTransformECC(*images, identity, cv2.MOTION_AFFINE, criteria, mask, 5)[1]
    except cv2.error:
        return None


def _d4_orientations(square: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [
        np.ascontiguousarray(image[::vertical, ::horizontal])
        for image in (square, square.T)
        for vertical in (1, -1)
        for horizontal in (1, -1)
    ]


def _high_pass(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(image - cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def _normalize_contrast(image: NDArray[np.float32]) -> NDArray[np.float32]:
    detail = _high_pass(image, _CONTRAST_SIGMA)
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), _CONTRAST_SIGMA) + _NOISE_FLOOR**2)
    return np.asarray(detail / contrast, dtype=np.float32)


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 0.0
