"""Whether two files show the same photograph: a perceptual hash to find candidates, an alignment to make sure.

The hash is the signs of the low frequencies of a small grey picture (after Zauner 2010, "Implementation and
benchmarking of perceptual image hash functions", section 3.2.1), with one departure: contrast is evened out locally
first. Lesions are dark blobs in the middle of pale skin, and of such blobs the plain low frequencies are all alike.
"""

from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

D4_SYMMETRIES = 8  # flips and right-angle turns
HASH_BITS = 120
HAMMING_RADIUS = 34  # of 120 bits; measured, see docs/audit.md
SIMILARITY_THRESHOLD = 0.9  # aligned correlation; measured, see docs/audit.md
THUMBNAIL_SIZE = 64
_HASH_INPUT_SIZE = 32  # pixels a side of the hashed picture
_NUM_FREQUENCIES = 11  # a side that are kept, the mean left out
_CONTRAST_SIGMA, _DETAIL_SIGMA = 4.0, 3.0  # in pixels, of local contrast and of what counts as fine
_NOISE_FLOOR = 3.0  # grey levels below which there is no contrast to even out
_BLOCK_SIZE = 512  # rows compared at once: 50 MB at 25,000 images


class NearDuplicate(NamedTuple):
    """Two images by position, and in how many of 120 bits they differ in the best of eight orientations."""

    first: int
    second: int
    distance: int


def make_thumbnail(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Squeeze an image (h, w, 3) into a grey square, (64, 64)."""
    grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
    return np.asarray(
        cv2.resize(grey, (THUMBNAIL_SIZE, THUMBNAIL_SIZE), interpolation=cv2.INTER_AREA), dtype=np.uint8
    )


def perceptual_hash(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Hash a grey square or an image (h, w, 3), in its eight orientations: (8, 120).

    The hash of a turned or flipped image has the same rows in another order.
    """
    grey = make_thumbnail(image) if image.ndim == 3 else image
    small = cv2.resize(grey, (_HASH_INPUT_SIZE, _HASH_INPUT_SIZE), interpolation=cv2.INTER_AREA).astype(
        np.float32
    )
    low = cv2.dct(_normalize_contrast(small))[:_NUM_FREQUENCIES, :_NUM_FREQUENCIES]
    odd = np.where(np.arange(_NUM_FREQUENCIES) % 2, -1.0, 1.0)
    turned = (low, low.T)
    rows = [
        (each * down[:, None] * across).ravel()[1:] > 0
        for each in turned
        for down in (np.ones(_NUM_FREQUENCIES), odd)
        for across in (np.ones(_NUM_FREQUENCIES), odd)
    ]
    return np.array(rows)


def near_duplicate_pairs(
    hashes: NDArray[np.bool_], *, radius: int = HAMMING_RADIUS
) -> tuple[NearDuplicate, ...]:
    """Find every pair of (n, 8, 120) hashes within a Hamming radius, over the eight orientations.

    Blocks of matrix products: the time grows with n², but 25,000 images take seconds, less than to decode them.
    """
    signs = np.where(hashes, np.float32(1), np.float32(-1))
    upright = np.ascontiguousarray(signs[:, 0])
    found: list[NearDuplicate] = []
    for start in range(0, len(hashes), _BLOCK_SIZE):
        block, others = upright[start : start + _BLOCK_SIZE], signs[start:]
        agree = block @ others[:, 0].T
        for turn in range(1, D4_SYMMETRIES):
            np.maximum(agree, block @ others[:, turn].T, out=agree)
        rows, columns = np.nonzero(agree >= HASH_BITS - 2 * radius)
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            if row < column:
                distance = int(HASH_BITS - agree[row, column]) // 2
                found.append(NearDuplicate(start + row, start + column, distance))
    return tuple(found)


def similarity(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Correlate two thumbnails, (64, 64), after the best orientation and an affine alignment: 1 is the same.

    Aligned by enhanced correlation (Evangelidis & Psarakis 2008) with contrast evened out; what is correlated is the
    fine structure, not the blob. Thumbnails that cannot be aligned, or share less than half of their area, have 0.
    """
    one = first.astype(np.float32)
    other = max(_d4_orientations(second.astype(np.float32)), key=lambda each: _correlation(one, each))
    criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 1e-3)
    warp: Any = np.eye(2, 3, dtype=np.float32)
    everywhere = np.ones(first.shape, dtype=np.uint8)
    try:
        _, warp = cv2.findTransformECC(
            _normalize_contrast(one),
            _normalize_contrast(other),
            warp,
            cv2.MOTION_AFFINE,
            criteria,
            everywhere,
            5,
        )
    except cv2.error:  # no texture, or nothing in common
        return 0.0
    size, flags = first.shape[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    shared = cv2.warpAffine(np.ones_like(one), warp, size, flags=flags) > 0.999
    if shared.mean() < 0.5:
        return 0.0
    moved = np.asarray(
        cv2.warpAffine(_high_pass(other, _DETAIL_SIGMA), warp, size, flags=flags), dtype=np.float32
    )
    return _correlation(_high_pass(one, _DETAIL_SIGMA)[shared], moved[shared])


def _d4_orientations(square: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    return [
        np.ascontiguousarray(each[::down, ::across])
        for each in (square, square.T)
        for down in (1, -1)
        for across in (1, -1)
    ]


def _high_pass(image: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    return np.asarray(image - cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.float32)


def _normalize_contrast(image: NDArray[np.float32]) -> NDArray[np.float32]:
    fine = _high_pass(image, _CONTRAST_SIGMA)
    contrast = np.sqrt(cv2.GaussianBlur(fine * fine, (0, 0), _CONTRAST_SIGMA) + _NOISE_FLOOR**2)
    return np.asarray(fine / contrast, dtype=np.float32)


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / scale if scale > 0 else 0.0
