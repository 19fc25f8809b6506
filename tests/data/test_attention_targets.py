"""A share of the masks, nested and by lesion; and what a prior's masks came to."""

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


def squares(sides: list[int | None]) -> MaskStore:
    """Draw a square of each side at (10, 5); None: no mask."""
    packed = []
    for side, shape in zip(sides, SHAPES, strict=True):
        mask = np.zeros(shape, np.uint8)
        mask[5 : 5 + (side or 0), 10 : 10 + (side or 0)] = 255
        packed.append(None if side is None else compress_mask(mask))
    return MaskStore(packed, SHAPES)


ROWS = table(["a", "a", "b", "c", "d", "e", "f", "g"])
EXACT = squares([4, 6, 8, None, 10, 12, 14, 16])


@settings(max_examples=60, deadline=None)
@given(LESIONS, st.data(), st.integers(0, 5))
def test_a_smaller_share_is_part_of_a_larger_one_and_lesions_stay_whole(
    lesions: list[str], data: st.DataObject, seed: int
) -> None:
    known = np.array(data.draw(st.lists(st.booleans(), min_size=len(lesions), max_size=len(lesions))))
    before = np.zeros(len(lesions), bool)
    largest = max(lesions.count(lesion) for lesion in lesions)
    for share in (0, 0.2, 0.5, 0.8, 1):
        kept = sample_masked_images(lesions, known, share, seed)
        assert (before <= kept).all()
        assert (kept <= known).all()
        assert abs(kept.sum() - share * known.sum()) <= largest / 2
        split = {lesion for lesion, here, has in zip(lesions, kept, known, strict=True) if has and not here}
        assert split.isdisjoint(np.array(lesions)[kept])
        before = kept
    np.testing.assert_array_equal(kept, known)


def test_a_share_of_single_images_is_exact_and_each_seed_draws_its_own() -> None:
    lesions, known = [f"l{number}" for number in range(200)], np.ones(200, bool)
    drawn = [sample_masked_images(lesions, known, 0.25, seed) for seed in range(30)]
    assert {kept.sum() for kept in drawn} == {50}
    assert np.mean(drawn, axis=0).std() == pytest.approx(np.sqrt(0.25 * 0.75 / 30), rel=0.2)  # each as likely
    turned = sample_masked_images(lesions[::-1], known, 0.25, 0)
    np.testing.assert_array_equal(turned[::-1], drawn[0])


@settings(max_examples=40, deadline=None)
@given(LESIONS, st.integers(0, 5))
def test_partners_are_of_other_lesions_and_each_is_taken_once(lesions: list[str], seed: int) -> None:
    known = np.arange(len(lesions)) % 3 > 0
    shown = [lesion for lesion, has in zip(lesions, known, strict=True) if has]
    if any(2 * shown.count(lesion) > len(shown) for lesion in shown):
        with pytest.raises(DataError, match="more than half of the masks are of one"):
            mismatched_masks(lesions, known, seed)
        return
    takes = mismatched_masks(lesions, known, seed)
    assert sorted(takes[known]) == np.flatnonzero(known).tolist()
    assert all(lesions[place] != lesions[takes[place]] for place in np.flatnonzero(known))


def test_exact_masks_of_all_images_are_as_they_were() -> None:
    found = build_attention_targets(EXACT, ROWS, SHAPES)
    assert found.to_metadata() == {"num_with_mask": 7, "num_used": 7, "mean_iou": 1.0}
    for place in range(8):
        np.testing.assert_array_equal(found.masks[place], EXACT[place])


def test_a_share_of_worse_masks_and_their_jaccard() -> None:
    found = build_attention_targets(
        EXACT, ROWS, SHAPES, mask_fraction=0.6, degradation="dilated", severity=0.3, seed=2
    )
    assert (found.num_with_mask, found.num_used) == (7, found.masks.has_mask.sum())
    assert 3 <= found.num_used <= 5
    assert found.masks.has_mask[0] == found.masks.has_mask[1]
    alike = [
        jaccard_score(EXACT[place].ravel() > 0, found.masks[place].ravel() > 0)
        for place in np.flatnonzero(found.masks.has_mask)
    ]
    assert found.mean_iou == pytest.approx(np.mean(alike))
    assert found.mean_iou < 0.7


def test_a_worse_background_is_that_of_a_worse_lesion() -> None:
    inverse = MaskStore(
        [None if (mask := EXACT[n]) is None else compress_mask(255 - mask) for n in range(8)], SHAPES
    )
    lesion = build_attention_targets(EXACT, ROWS, SHAPES, degradation="jittered_contour", seed=1)
    background = build_attention_targets(
        inverse, ROWS, SHAPES, degradation="jittered_contour", background=True, seed=1
    )
    for place in np.flatnonzero(EXACT.has_mask):
        np.testing.assert_array_equal(background.masks[place], 255 - lesion.masks[place])


def test_elsewhere_is_the_mask_of_another_lesion_at_this_images_size() -> None:
    found = build_attention_targets(EXACT, ROWS, SHAPES, degradation="mismatched")
    few = build_attention_targets(EXACT, ROWS, SHAPES, degradation="mismatched", mask_fraction=0.5)
    shares = {
        np.count_nonzero(EXACT[place]) / np.prod(SHAPES[place]) for place in np.flatnonzero(EXACT.has_mask)
    }
    for place in np.flatnonzero(EXACT.has_mask):
        mask = found.masks[place]
        assert mask.shape == SHAPES[place]
        assert not np.array_equal(mask, EXACT[place])
        assert min(abs(np.count_nonzero(mask) / mask.size - share) for share in shares) < 0.01
        if few.masks.has_mask[place]:  # a share changes no image's partner
            np.testing.assert_array_equal(few.masks[place], mask)


def test_a_share_that_leaves_no_mask_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"attention_prior.mask_fraction=0.01 of 7 images with a mask leaves none"
    ):
        build_attention_targets(EXACT, ROWS, SHAPES, mask_fraction=0.01)
