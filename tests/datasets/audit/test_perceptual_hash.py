"""Perceptual hash and alignment: modified copies match, other lesions do not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lesionlens.datasets.audit.perceptual_hash import (
    HAMMING_RADIUS,
    HASH_BITS,
    SIMILARITY_THRESHOLD,
    make_thumbnail,
    near_duplicate_pairs,
    perceptual_hash,
    similarity,
)

Image = NDArray[np.uint8]


def lesion(seed: int) -> Image:
    """Generate a dark blob with texture on pale skin, (120, 160, 3)."""
    rng = np.random.default_rng(seed)
    noise = sum(
        cv2.resize(rng.normal(0, size, (n, n)).astype(np.float32), (160, 120), interpolation=cv2.INTER_CUBIC)
        for n, size in ((6, 25), (12, 20), (24, 12))
    )
    y, x = np.mgrid[:120, :160]
    blob = np.exp(-(((x - 80) / 40) ** 2 + ((y - 60) / 30) ** 2)) * 120
    gray = 200 - blob + noise
    return np.clip(gray[..., None] * [1.0, 0.8, 0.7], 0, 255).astype(np.uint8)


def distance(first: Image, second: Image) -> int:
    upright = perceptual_hash(first)[0]
    return int(min((upright != row).sum() for row in perceptual_hash(second)))


def recompressed(image: Image) -> Image:
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [1, 30])[1], 1), dtype=np.uint8)


CHANGES = {
    "recompressed": recompressed,
    "half the size": lambda image: cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
    "cropped": lambda image: image[4:116, 5:155],
    "brighter": lambda image: np.clip(image * 1.2, 0, 255).astype(np.uint8),
    "other colors": lambda image: (image * [0.8, 1.0, 0.9]).astype(np.uint8),
    "rotated": lambda image: np.rot90(image),
    "flipped and recompressed": lambda image: recompressed(np.ascontiguousarray(image[:, ::-1])),
    "transposed and cropped": lambda image: image.transpose(1, 0, 2)[5:155, 4:116],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_modified_copy_is_found(change) -> None:  # type: ignore[no-untyped-def]
    for seed in range(5):
        image = lesion(seed)
        copy = np.ascontiguousarray(change(image))
        assert distance(image, copy) <= HAMMING_RADIUS
        assert similarity(make_thumbnail(image), make_thumbnail(copy)) > SIMILARITY_THRESHOLD


def test_other_lesions_are_not_similar() -> None:
    squares = [make_thumbnail(lesion(seed)) for seed in range(8)]
    scores = [similarity(first, second) for i, first in enumerate(squares) for second in squares[:i]]
    assert max(scores) < SIMILARITY_THRESHOLD - 0.1


def test_rotated_image_has_the_same_rows_in_another_order() -> None:
    square = make_thumbnail(lesion(3))
    rows = {row.tobytes() for row in perceptual_hash(square)}
    assert len(rows) == 8
    for turned in (np.rot90(square), square[::-1], square.T):
        assert {row.tobytes() for row in perceptual_hash(np.ascontiguousarray(turned))} == rows


def test_pairs_equal_those_of_an_exhaustive_search() -> None:
    rng = np.random.default_rng(0)
    bits = rng.random((600, 8, HASH_BITS)) < 0.5
    bits[550:, 3] = bits[:50, 0] ^ (rng.random((50, HASH_BITS)) < 0.2)
    # The relation is symmetric for real hashes; of these, the upright row of the first counts.
    expected = set()
    for i in range(600):
        distances = (bits[i, 0] != bits[i + 1 :]).sum(axis=2).min(axis=1)
        expected |= {(i, i + 1 + int(k), int(distances[k])) for k in np.flatnonzero(distances <= 30)}
    assert len(expected) >= 45
    assert {tuple(pair) for pair in near_duplicate_pairs(bits, radius=30)} == expected


def test_images_without_texture_are_not_similar() -> None:
    blank = np.full((64, 64), 128, dtype=np.uint8)
    assert similarity(blank, blank) == 0.0
    assert similarity(blank, make_thumbnail(lesion(0))) == 0.0
