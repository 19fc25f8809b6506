"""Masks made worse: what each quality promises, on drawn blobs of any shape, and against scipy and scikit-image."""

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
    iou,
    jitter_contour,
    shift_mask,
)

Mask = NDArray[np.uint8]
SHAPE = (48, 64)
QUALITIES = [*SEVERITIES, "bounding_box", "circle"]


def ellipse(shape: tuple[int, int], y: float, x: float, height: float, width: float) -> Mask:
    """Draw an ellipse by its centre and half axes."""
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
@given(MASKS, st.floats(0, 1), st.sampled_from(QUALITIES))
def test_any_mask_stays_a_mask_and_loses_no_last_pixel(mask: Mask, amount: float, quality: str) -> None:
    before = mask.copy()
    strength = 3 + round(9 * amount) if quality == "polygon" else amount
    found = degrade_mask(mask, quality, strength, seed=1, image_id="i")
    assert (found.shape, found.dtype, found.any()) == (mask.shape, np.uint8, True)
    assert set(np.unique(found)) <= {0, 255}
    np.testing.assert_array_equal(mask, before)
    np.testing.assert_array_equal(degrade_mask(mask, quality, strength, seed=1, image_id="i"), found)


@settings(max_examples=30, deadline=None)
@given(MASKS, st.floats(0, 0.5))
def test_eroded_exact_dilated_and_box_lie_in_each_other(mask: Mask, amount: float) -> None:
    less, more, around = erode_mask(mask, amount), dilate_mask(mask, amount), fill_bounding_box(mask)
    assert (less <= mask).all()
    assert (mask <= more).all()
    assert (mask <= around).all()
    within = distance_transform_edt(mask == 0) <= amount * equivalent_diameter(mask) + 1e-4
    np.testing.assert_array_equal(more > 0, within)
    if not mask.all():  # scipy's distance too takes the image's border for no outline
        depth = distance_transform_edt(mask)
        far = depth > amount * equivalent_diameter(mask) + 1e-4
        np.testing.assert_array_equal(less > 0, far if far.any() else depth == depth.max())
    top, left, bottom, right = regionprops((mask > 0).astype(int))[0].bbox
    assert (around[top:bottom, left:right] == 255).all()
    assert around.sum() == 255 * (bottom - top) * (right - left)


@settings(max_examples=20, deadline=None)
@given(MASKS)
def test_a_polygon_of_many_corners_is_the_outline_and_one_of_few_lies_in_the_hull(mask: Mask) -> None:
    filled = np.where(binary_fill_holes(mask), 255, 0).astype(np.uint8)
    alike = iou(approximate_polygon(mask, 1000), filled)
    assert alike == pytest.approx(1, abs=1e-9)
    if label(mask).max() == 1 and mask.any(axis=1).sum() > 2 and mask.any(axis=0).sum() > 2:
        assert (
            approximate_polygon(mask, 5) <= convex_hull_image(mask > 0, offset_coordinates=True) * 255
        ).all()


def test_a_discs_qualities_are_those_of_geometry() -> None:
    assert iou(erode_mask(DISC, 0.1), DISC) == pytest.approx(0.8**2, abs=0.02)
    assert iou(dilate_mask(DISC, 0.1), DISC) == pytest.approx(1 / 1.2**2, abs=0.02)
    assert iou(fill_bounding_box(DISC), DISC) == pytest.approx(np.pi / 4, abs=0.02)
    hexagon = 3 / (2 * np.pi) * np.sin(np.pi / 3) * 2  # six triangles in the disc
    assert iou(approximate_polygon(DISC, 6), DISC) == pytest.approx(hexagon, abs=0.015)
    lens = (2 * np.arccos(0.5) - np.sin(2 * np.arccos(0.5))) / np.pi  # of two discs a radius apart
    moved = shift_mask(DISC, 0.5, np.random.default_rng(0))
    assert iou(moved, DISC) == pytest.approx(lens / (2 - lens), abs=0.01)
    assert iou(fill_equal_area_circle(DISC), DISC) > 0.98


def test_a_circle_has_area_and_centre_of_its_mask() -> None:
    mask = ellipse((120, 160), 55, 70, 20, 45)
    found = fill_equal_area_circle(mask)
    assert np.count_nonzero(found) == pytest.approx(np.count_nonzero(mask), rel=0.01)
    assert center_of_mass(found) == pytest.approx(center_of_mass(mask), abs=0.3)
    assert regionprops((found > 0).astype(int))[0].eccentricity < 0.15


def test_a_shifted_mask_goes_where_it_is_drawn_and_its_centre_stays_inside() -> None:
    directions = []
    for number in range(40):
        found = degrade_mask(DISC, "shifted", 0.4, seed=0, image_id=f"i{number}")
        away = np.subtract(center_of_mass(found), center_of_mass(DISC))
        assert np.hypot(*away) == pytest.approx(40, abs=1)
        directions.append(away)
    assert np.sign(directions).mean(axis=0) == pytest.approx([0, 0], abs=0.5)
    far = degrade_mask(DISC, "shifted", 2, seed=0, image_id="far")
    assert far.any()


def test_noise_moves_the_outline_by_its_amount_on_average() -> None:
    angles = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    moved = []
    for number in range(20):
        found = degrade_mask(DISC, "jittered_contour", 0.05, seed=3, image_id=f"i{number}")
        for angle in angles:
            ray = np.arange(90)
            line = found[
                np.rint(100 + ray * np.sin(angle)).astype(int), np.rint(100 + ray * np.cos(angle)).astype(int)
            ]
            moved.append(np.argmin(line) - 0.5 - 50)  # between the last pixel inside and the first outside
    assert np.std(moved) == pytest.approx(0.05 * 100, rel=0.2)
    assert np.mean(moved) == pytest.approx(0, abs=1)
    one, other = (degrade_mask(DISC, "jittered_contour", 0.05, seed=3, image_id=name) for name in "ab")
    assert iou(one, other) < 0.97
    np.testing.assert_array_equal(jitter_contour(DISC, 0, np.random.default_rng(0)), DISC)


@pytest.mark.parametrize("quality", ["exact", *QUALITIES])
def test_nothing_stays_nothing_and_everything_is_borne(quality: str) -> None:
    empty, full = np.zeros(SHAPE, np.uint8), np.full(SHAPE, 255, np.uint8)
    assert not degrade_mask(empty, quality, None, seed=0, image_id="i").any()
    assert degrade_mask(full, quality, None, seed=0, image_id="i").any()
    if quality in (
        "exact",
        "eroded",
        "dilated",
        "bounding_box",
        "jittered_contour",
    ):  # the image's border is no outline
        assert degrade_mask(full, quality, None, seed=0, image_id="i").all()


def test_an_outline_of_one_pixel_keeps_its_innermost() -> None:
    dot = np.zeros(SHAPE, np.uint8)
    dot[5, 7] = 255
    np.testing.assert_array_equal(erode_mask(dot, 2), dot)
    assert erode_mask(DISC, 2)[99:102, 99:102].any()
    assert np.count_nonzero(erode_mask(DISC, 2)) < 10


@settings(max_examples=20, deadline=None)
@given(MASKS, MASKS)
def test_jaccard_is_that_of_scikit_learn(one: Mask, other: Mask) -> None:
    assert iou(one, other) == pytest.approx(jaccard_score(one.ravel() > 0, other.ravel() > 0))
    assert iou(np.zeros_like(one), np.zeros_like(one)) == 1


def test_what_is_drawn_depends_on_seed_and_name() -> None:
    assert hash_seed(0, "ISIC_1") == 0xFDFDB8E6CD90A7F9  # printf '0 ISIC_1' | sha256sum
    assert len({hash_seed(seed, name) for seed in (0, 1) for name in ("a", "b")}) == 4
