"""Mask degradations: their guarantees on random ellipses, and comparison with SciPy and scikit-image."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, center_of_mass, distance_transform_edt
from skimage.measure import label, regionprops
from skimage.morphology import convex_hull_image
from sklearn.metrics import jaccard_score

from lesionlens.data.mask_degradation import (
    SEVERITIES,
    approximate_polygon,
    degrade_mask,
    dilate_mask,
    equivalent_diameter,
    erode_mask,
    fill_bounding_box,
    fill_equal_area_circle,
    hash_seed,
    jitter_contour,
    shift_mask,
)
from lesionlens.imaging.masks import iou

Mask = NDArray[np.uint8]
SHAPE = (48, 64)
DEGRADATIONS = [*SEVERITIES, "bounding_box", "circle"]


def ellipse(shape: tuple[int, int], y: float, x: float, height: float, width: float) -> Mask:
    """Return the mask of an ellipse given by its center and half axes."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    inside = ((rows - y) / height) ** 2 + ((columns - x) / width) ** 2 <= 1
    return np.where(inside, 255, 0).astype(np.uint8)


BLOB = st.builds(
    lambda *at: ellipse(SHAPE, *at),
    st.integers(0, SHAPE[0] - 1),
    st.integers(0, SHAPE[1] - 1),
    st.floats(1, 30),
    st.floats(1, 30),
)
MASKS = st.lists(BLOB, min_size=1, max_size=3).map(np.maximum.reduce)
DISC = ellipse((200, 200), 100, 100, 50, 50)


@settings(max_examples=30, deadline=None)
@given(MASKS, st.floats(0, 1), st.sampled_from(DEGRADATIONS))
def test_degraded_masks_are_binary_nonempty_and_reproducible(
    mask: Mask, severity: float, degradation: str
) -> None:
    original = mask.copy()
    value = 3 + round(9 * severity) if degradation == "polygon" else severity
    degraded = degrade_mask(mask, degradation, value, seed=1, image_id="i")
    assert (degraded.shape, degraded.dtype, degraded.any()) == (mask.shape, np.uint8, True)
    assert set(np.unique(degraded)) <= {0, 255}
    np.testing.assert_array_equal(mask, original)
    np.testing.assert_array_equal(degrade_mask(mask, degradation, value, seed=1, image_id="i"), degraded)


@settings(max_examples=30, deadline=None)
@given(MASKS, st.floats(0, 0.5))
def test_eroded_exact_dilated_and_box_are_nested(mask: Mask, severity: float) -> None:
    eroded, dilated, box = erode_mask(mask, severity), dilate_mask(mask, severity), fill_bounding_box(mask)
    assert (eroded <= mask).all()
    assert (mask <= dilated).all()
    assert (mask <= box).all()
    within = distance_transform_edt(mask == 0) <= severity * equivalent_diameter(mask) + 1e-4
    np.testing.assert_array_equal(dilated > 0, within)
    if not mask.all():  # SciPy's distance does not count the image border as contour either
        depth = distance_transform_edt(mask)
        far = depth > severity * equivalent_diameter(mask) + 1e-4
        np.testing.assert_array_equal(eroded > 0, far if far.any() else depth == depth.max())
    top, left, bottom, right = regionprops((mask > 0).astype(int))[0].bbox
    assert (box[top:bottom, left:right] == 255).all()
    assert box.sum() == 255 * (bottom - top) * (right - left)


@settings(max_examples=20, deadline=None)
@given(MASKS)
def test_polygon_follows_the_contour_inside_the_hull(mask: Mask) -> None:
    filled = np.where(binary_fill_holes(mask), 255, 0).astype(np.uint8)
    overlap = iou(approximate_polygon(mask, 1000), filled)
    assert overlap == pytest.approx(1, abs=1e-9)
    if label(mask).max() == 1 and mask.any(axis=1).sum() > 2 and mask.any(axis=0).sum() > 2:
        assert (
            approximate_polygon(mask, 5) <= convex_hull_image(mask > 0, offset_coordinates=True) * 255
        ).all()


def test_degradations_of_a_disc_match_geometry() -> None:
    assert iou(erode_mask(DISC, 0.1), DISC) == pytest.approx(0.8**2, abs=0.02)
    assert iou(dilate_mask(DISC, 0.1), DISC) == pytest.approx(1 / 1.2**2, abs=0.02)
    assert iou(fill_bounding_box(DISC), DISC) == pytest.approx(np.pi / 4, abs=0.02)
    hexagon = 3 / (2 * np.pi) * np.sin(np.pi / 3) * 2  # six triangles in the disc
    assert iou(approximate_polygon(DISC, 6), DISC) == pytest.approx(hexagon, abs=0.015)
    lens = (2 * np.arccos(0.5) - np.sin(2 * np.arccos(0.5))) / np.pi  # of two discs a radius apart
    shifted = shift_mask(DISC, 0.5, np.random.default_rng(0))
    assert iou(shifted, DISC) == pytest.approx(lens / (2 - lens), abs=0.01)
    assert iou(fill_equal_area_circle(DISC), DISC) > 0.98


def test_circle_has_the_area_and_centroid_of_its_mask() -> None:
    mask = ellipse((120, 160), 55, 70, 20, 45)
    degraded = fill_equal_area_circle(mask)
    assert np.count_nonzero(degraded) == pytest.approx(np.count_nonzero(mask), rel=0.01)
    assert center_of_mass(degraded) == pytest.approx(center_of_mass(mask), abs=0.3)
    assert regionprops((degraded > 0).astype(int))[0].eccentricity < 0.15


def test_shift_has_its_length_and_stays_in_the_image() -> None:
    directions = []
    for number in range(40):
        degraded = degrade_mask(DISC, "shifted", 0.4, seed=0, image_id=f"i{number}")
        shift = np.subtract(center_of_mass(degraded), center_of_mass(DISC))
        assert np.hypot(*shift) == pytest.approx(40, abs=1)
        directions.append(shift)
    assert np.sign(directions).mean(axis=0) == pytest.approx([0, 0], abs=0.5)
    far = degrade_mask(DISC, "shifted", 2, seed=0, image_id="far")
    assert far.any()


def test_jitter_has_its_standard_deviation() -> None:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    displacements = []
    for number in range(20):
        degraded = degrade_mask(DISC, "jittered_contour", 0.05, seed=3, image_id=f"i{number}")
        for angle in angles:
            ray = np.arange(90)
            values = degraded[
                np.rint(100 + ray * np.sin(angle)).astype(int), np.rint(100 + ray * np.cos(angle)).astype(int)
            ]
            displacements.append(
                np.argmin(values) - 0.5 - 50
            )  # between the last pixel inside and the first outside
    assert np.std(displacements) == pytest.approx(0.05 * 100, rel=0.2)
    assert np.mean(displacements) == pytest.approx(0, abs=1)
    first, second = (degrade_mask(DISC, "jittered_contour", 0.05, seed=3, image_id=name) for name in "ab")
    assert iou(first, second) < 0.97
    np.testing.assert_array_equal(jitter_contour(DISC, 0, np.random.default_rng(0)), DISC)


@pytest.mark.parametrize("degradation", ["exact", *DEGRADATIONS])
def test_empty_and_full_masks(degradation: str) -> None:
    empty, full = np.zeros(SHAPE, np.uint8), np.full(SHAPE, 255, np.uint8)
    assert not degrade_mask(empty, degradation, None, seed=0, image_id="i").any()
    assert degrade_mask(full, degradation, None, seed=0, image_id="i").any()
    if degradation in (
        "exact",
        "eroded",
        "dilated",
        "bounding_box",
        "jittered_contour",
    ):  # the image border is not part of the contour
        assert degrade_mask(full, degradation, None, seed=0, image_id="i").all()


def test_erosion_keeps_the_innermost_pixels() -> None:
    dot = np.zeros(SHAPE, np.uint8)
    dot[5, 7] = 255
    np.testing.assert_array_equal(erode_mask(dot, 2), dot)
    assert erode_mask(DISC, 2)[99:102, 99:102].any()
    assert np.count_nonzero(erode_mask(DISC, 2)) < 10


@settings(max_examples=20, deadline=None)
@given(MASKS, MASKS)
def test_iou_equals_scikit_learn(mask_a: Mask, mask_b: Mask) -> None:
    assert iou(mask_a, mask_b) == pytest.approx(jaccard_score(mask_a.ravel() > 0, mask_b.ravel() > 0))
    assert iou(np.zeros_like(mask_a), np.zeros_like(mask_a)) == 1


def test_hash_seed_depends_on_seed_and_name() -> None:
    assert hash_seed(0, "ISIC_1") == 0xFDFDB8E6CD90A7F9  # printf '0 ISIC_1' | sha256sum
    assert len({hash_seed(seed, name) for seed in (0, 1) for name in ("a", "b")}) == 4
