"""Attention targets: nested fractions sampled by lesion, degradations and their mean IoU."""

from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from sklearn.metrics import jaccard_score

from lesionlens.core.errors import DataError
from lesionlens.data.attention_targets import build_attention_targets, mismatched_masks, sample_masked_images
from lesionlens.data.mask_store import MaskStore, compress_mask
from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable

LESIONS = st.lists(st.sampled_from("abcdefghij"), min_size=1, max_size=30)
SHAPES = [(30, 40)] * 6 + [(60, 80)] * 2


def table(lesions: list[str]) -> LesionTable:
    ids = [f"i{number}" for number in range(len(lesions))]
    rows = pd.DataFrame({column: [""] * len(lesions) for column in TABLE_COLUMNS})
    rows = rows.assign(image_id=ids, lesion_id=lesions, diagnosis="nevus", age=np.nan, path=ids)
    return LesionTable("table", Path(), rows, ("nevus",))


def square_masks(sides: list[int | None]) -> MaskStore:
    """Return masks with a square of each side at (10, 5); None: no mask."""
    compressed = []
    for side, shape in zip(sides, SHAPES, strict=True):
        mask = np.zeros(shape, np.uint8)
        mask[5 : 5 + (side or 0), 10 : 10 + (side or 0)] = 255
        compressed.append(None if side is None else compress_mask(mask))
    return MaskStore(compressed, SHAPES)


TABLE = table(["a", "a", "b", "c", "d", "e", "f", "g"])
EXACT = square_masks([4, 6, 8, None, 10, 12, 14, 16])


def test_only_exact_probabilities_stay_gray() -> None:
    ramp = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (30, 1))
    masks = MaskStore([compress_mask(ramp)], [(30, 40)])
    exact, eroded = (
        build_attention_targets(masks, table(["a"]), [(30, 40)], degradation=name, severity=severity)
        for name, severity in (("exact", None), ("eroded", 0.0))
    )
    np.testing.assert_array_equal(exact.masks[0], ramp)
    np.testing.assert_array_equal(eroded.masks[0], np.where(ramp > 127, 255, 0))
    assert exact.mean_iou == 1


@settings(max_examples=60, deadline=None)
@given(LESIONS, st.data(), st.integers(0, 5))
def test_sampled_masks_are_nested_and_grouped_by_lesion(
    lesions: list[str], data: st.DataObject, seed: int
) -> None:
    has_mask = np.array(data.draw(st.lists(st.booleans(), min_size=len(lesions), max_size=len(lesions))))
    previous = np.zeros(len(lesions), bool)
    largest = max(lesions.count(lesion) for lesion in lesions)
    for fraction in (0, 0.2, 0.5, 0.8, 1):
        sampled = sample_masked_images(lesions, has_mask, fraction, seed)
        assert (previous <= sampled).all()
        assert (sampled <= has_mask).all()
        assert abs(sampled.sum() - fraction * has_mask.sum()) <= largest / 2
        unsampled = {
            lesion for lesion, used, has in zip(lesions, sampled, has_mask, strict=True) if has and not used
        }
        assert unsampled.isdisjoint(np.array(lesions)[sampled])
        previous = sampled
    np.testing.assert_array_equal(sampled, has_mask)


def test_sampling_single_images_is_exact_and_depends_on_seed() -> None:
    lesions, has_mask = [f"l{number}" for number in range(200)], np.ones(200, bool)
    samples = [sample_masked_images(lesions, has_mask, 0.25, seed) for seed in range(30)]
    assert {sampled.sum() for sampled in samples} == {50}
    assert np.mean(samples, axis=0).std() == pytest.approx(
        np.sqrt(0.25 * 0.75 / 30), rel=0.2
    )  # equally likely
    reversed_order = sample_masked_images(lesions[::-1], has_mask, 0.25, 0)
    np.testing.assert_array_equal(reversed_order[::-1], samples[0])


@settings(max_examples=40, deadline=None)
@given(LESIONS, st.integers(0, 5))
def test_mismatched_masks_are_a_permutation_across_lesions(lesions: list[str], seed: int) -> None:
    has_mask = np.arange(len(lesions)) % 3 > 0
    masked = [lesion for lesion, has in zip(lesions, has_mask, strict=True) if has]
    if any(2 * masked.count(lesion) > len(masked) for lesion in masked):
        with pytest.raises(DataError, match="more than half of the masks belong to one"):
            mismatched_masks(lesions, has_mask, seed)
        return
    sources = mismatched_masks(lesions, has_mask, seed)
    assert sorted(sources[has_mask]) == np.flatnonzero(has_mask).tolist()
    assert all(lesions[index] != lesions[sources[index]] for index in np.flatnonzero(has_mask))


def test_exact_targets_equal_the_masks() -> None:
    targets = build_attention_targets(EXACT, TABLE, SHAPES)
    assert targets.to_metadata() == {"num_with_mask": 7, "num_used": 7, "mean_iou": 1.0}
    for index in range(8):
        np.testing.assert_array_equal(targets.masks[index], EXACT[index])


def test_degraded_fraction_reports_mean_iou() -> None:
    targets = build_attention_targets(
        EXACT, TABLE, SHAPES, mask_fraction=0.6, degradation="dilated", severity=0.3, seed=2
    )
    assert (targets.num_with_mask, targets.num_used) == (7, targets.masks.has_mask.sum())
    assert 3 <= targets.num_used <= 5
    assert targets.masks.has_mask[0] == targets.masks.has_mask[1]
    ious = [
        jaccard_score(EXACT[index].ravel() > 0, targets.masks[index].ravel() > 0)
        for index in np.flatnonzero(targets.masks.has_mask)
    ]
    assert targets.mean_iou == pytest.approx(np.mean(ious))
    assert targets.mean_iou < 0.7


def test_background_is_complement_of_degraded_lesion() -> None:
    inverse = MaskStore(
        [None if (mask := EXACT[n]) is None else compress_mask(255 - mask) for n in range(8)], SHAPES
    )
    lesion = build_attention_targets(EXACT, TABLE, SHAPES, degradation="jittered_contour", seed=1)
    background = build_attention_targets(
        inverse, TABLE, SHAPES, degradation="jittered_contour", background=True, seed=1
    )
    for index in np.flatnonzero(EXACT.has_mask):
        np.testing.assert_array_equal(background.masks[index], 255 - lesion.masks[index])


def test_mismatched_targets_have_the_size_of_their_image() -> None:
    targets = build_attention_targets(EXACT, TABLE, SHAPES, degradation="mismatched")
    half = build_attention_targets(EXACT, TABLE, SHAPES, degradation="mismatched", mask_fraction=0.5)
    fractions = {
        np.count_nonzero(EXACT[index]) / np.prod(SHAPES[index]) for index in np.flatnonzero(EXACT.has_mask)
    }
    for index in np.flatnonzero(EXACT.has_mask):
        mask = targets.masks[index]
        assert mask.shape == SHAPES[index]
        assert not np.array_equal(mask, EXACT[index])
        assert min(abs(np.count_nonzero(mask) / mask.size - fraction) for fraction in fractions) < 0.01
        if half.masks.has_mask[index]:  # the fraction does not change the assignment
            np.testing.assert_array_equal(half.masks[index], mask)


def test_fraction_without_any_mask_raises() -> None:
    with pytest.raises(
        DataError, match=r"attention_prior.mask_fraction=0.01 selects none of 7 images with a mask"
    ):
        build_attention_targets(EXACT, TABLE, SHAPES, mask_fraction=0.01)
