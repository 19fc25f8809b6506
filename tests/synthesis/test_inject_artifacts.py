"""Injected artifacts: rates by class, nesting, masks of visible changes, the same bytes for the same seed."""

import hashlib
import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import matthews_corrcoef

from lesionlens.core.errors import DataError
from lesionlens.data.mask_store import load_masks
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.splits.factory import make_splits
from lesionlens.synthesis.artifacts import INJECTABLE, overlay_artifact
from lesionlens.synthesis.inject_artifacts import (
    artifact_counts_and_phi,
    inject_artifact,
    sample_artifact_flags,
)
from lesionlens.synthesis.layouts import generate_in_layout

IDS = [f"ISIC_{number:07d}" for number in range(4000)]
POSITIVE = np.arange(4000) % 4 == 0


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("base") / "isic2017"
    return f"isic2017:{generate_in_layout('isic2017', root, num_images=24, size=(48, 64))}"


@pytest.fixture(scope="module")
def copies(base: str, tmp_path_factory: pytest.TempPathFactory) -> dict[float, Path]:
    root = tmp_path_factory.mktemp("injected")
    for rate_difference in (-0.8, 0.0, 0.8):
        source = inject_artifact(
            base, root / f"{rate_difference}", artifact="ruler", rate_difference=rate_difference, seed=2
        )
        assert source == f"table:{root / f'{rate_difference}' / 'images.csv'}"
    return {rate_difference: root / f"{rate_difference}" for rate_difference in (-0.8, 0.0, 0.8)}


def artifact_flags(root: Path) -> pd.Series:
    return pd.read_csv(root / "artifacts.csv", index_col="image_id")["ruler"] == 1


@pytest.mark.parametrize("rate_difference", [-0.95, -0.5, 0.0, 0.4, 0.9])
def test_fractions_and_phi_match_the_rate_difference(rate_difference: float) -> None:
    has_artifact = sample_artifact_flags(IDS, POSITIVE, rate_difference=rate_difference, seed=0)
    result = artifact_counts_and_phi(POSITIVE, has_artifact)
    assert result["fraction_of_class"] == pytest.approx((1 + rate_difference) / 2, abs=0.04)
    assert result["fraction_of_others"] == pytest.approx((1 - rate_difference) / 2, abs=0.03)
    assert result["fraction_of_class"] == has_artifact[POSITIVE].mean()
    assert result["phi"] == pytest.approx(matthews_corrcoef(POSITIVE, has_artifact), abs=1e-12)


def test_full_rate_difference_and_undefined_phi() -> None:
    assert (sample_artifact_flags(IDS, POSITIVE, rate_difference=1, seed=0) == POSITIVE).all()
    assert (sample_artifact_flags(IDS, POSITIVE, rate_difference=-1, seed=0) != POSITIVE).all()
    assert artifact_counts_and_phi(POSITIVE, np.zeros(4000, bool))["phi"] is None
    assert artifact_counts_and_phi(np.ones(2, bool), np.array([True, False]))["fraction_of_others"] is None


def test_flags_are_nested_in_the_rate_difference() -> None:
    flags = [
        sample_artifact_flags(IDS[:800], POSITIVE[:800], rate_difference=difference, seed=0)
        for difference in (-0.9, -0.2, 0.0, 0.5, 0.95)
    ]
    for lower, higher in pairwise(flags):
        assert (higher[POSITIVE[:800]] >= lower[POSITIVE[:800]]).all()
        assert (higher[~POSITIVE[:800]] <= lower[~POSITIVE[:800]]).all()
        assert (higher != lower).any()


def test_flag_depends_only_on_image_and_seed() -> None:
    expected = sample_artifact_flags(IDS, POSITIVE, rate_difference=0.3, seed=0)
    assert (
        sample_artifact_flags(IDS[100:50:-1], POSITIVE[100:50:-1], rate_difference=0.3, seed=0)
        == expected[100:50:-1]
    ).all()
    assert (sample_artifact_flags(IDS, POSITIVE, rate_difference=0.3, seed=1) != expected).any()


def test_copy_has_splits_masks_and_metadata(base: str, copies: dict[float, Path]) -> None:
    original = load_table(base).frame
    table = load_table(f"table:{copies[0.8] / 'images.csv'}", verify_images=True)
    same = ["image_id", "diagnosis", "lesion_id", "split", "age", "sex", "skin_tone", "source"]
    pd.testing.assert_frame_equal(table.frame[same], original[same])
    assert table.warnings == table.excluded == ()
    for column in ("mask_path", "feature_mask_paths"):
        for actual, expected in zip(table.frame[column], original[column], strict=True):
            names = [[Path(path).resolve() for path in cell.split(";")] for cell in (actual, expected)]
            assert names[0] == names[1]


@pytest.mark.parametrize(("name", "folds"), [("official", None), ("group_holdout", None), ("group_kfold", 3)])
def test_copy_is_split_as_its_original(
    base: str, copies: dict[float, Path], name: str, folds: int | None
) -> None:
    options = {
        "name": name,
        "val_fraction": 0.2,
        "test_fraction": 0.2,
        "seed": 1,
        "n_folds": folds,
        "fold": folds and 1,
    }
    tables = load_table(base), load_table(f"table:{copies[0.8] / 'images.csv'}")
    original, copy = (make_splits(table, **options).splits for table in tables)
    assert copy == original
    assert set(copy) == {"train", "validation", "test"}


def test_pixels_change_only_inside_the_mask(base: str, copies: dict[float, Path]) -> None:
    original, has_artifact = load_table(base).frame.set_index("image_id"), artifact_flags(copies[0.0])
    assert 0 < has_artifact.sum() < len(has_artifact)
    for image_id, injected in has_artifact.items():
        path = copies[0.0] / "artifact_masks" / f"{image_id}.png"
        assert path.is_file() == injected
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if injected else np.zeros((48, 64), np.uint8)
        original_pixels = cv2.imread(original["path"][image_id]).astype(int)
        pixels = cv2.imread(str(copies[0.0] / "images" / f"{image_id}.jpg")).astype(int)
        difference = np.abs(pixels - original_pixels).max(axis=2)
        far = cv2.dilate(mask, np.ones((17, 17), np.uint8)) == 0  # at least one JPEG block away
        assert difference[far].max(initial=0) <= 12
        if injected:
            assert np.median(difference[mask > 0]) > 8


def test_artifact_masks_are_loaded(copies: dict[float, Path]) -> None:
    table = load_table(f"table:{copies[0.8] / 'images.csv'}")
    loaded = load_masks(table, "artifacts", [(48, 64)] * len(table))
    has_artifact = artifact_flags(copies[0.8])
    for index, image_id in enumerate(table.frame["image_id"]):
        mask = loaded.masks[index]
        assert mask is not None
        assert mask.any() == has_artifact[image_id]


def test_unchanged_flags_have_the_same_bytes(copies: dict[float, Path]) -> None:
    low, high = artifact_flags(copies[-0.8]), artifact_flags(copies[0.8])
    same = low[low == high].index
    assert 0 < len(same) < len(low)
    a, b = digests(copies[-0.8]), digests(copies[0.8])
    for image_id in low.index:
        name = f"images/{image_id}.jpg"
        assert (a[name] == b[name]) == (image_id in same)


@pytest.mark.slow
def test_same_seed_writes_the_same_bytes(base: str, copies: dict[float, Path], tmp_path: Path) -> None:
    inject_artifact(base, tmp_path / "again", artifact="ruler", rate_difference=0.8, seed=2)
    actual, expected = digests(tmp_path / "again"), digests(copies[0.8])
    assert {k: v for k, v in actual.items() if k != "images.csv"} == {
        k: v
        for k, v in expected.items()
        if k != "images.csv"  # it has paths relative to the copy
    }


def test_metadata_describes_the_injection(base: str, copies: dict[float, Path]) -> None:
    result = json.loads((copies[0.8] / "artifact_injection.json").read_text())
    assert "Research use only" in result["statement"]
    assert (result["artifact"], result["task"], result["rate_difference"], result["seed"], result["images"]) == (
        "ruler", "melanoma", 0.8, 2, 24,
    )  # fmt: skip
    melanoma = load_table(base).frame["diagnosis"] == "melanoma"
    has_artifact = artifact_flags(copies[0.8]).to_numpy()
    assert result["phi"] == pytest.approx(matthews_corrcoef(melanoma, has_artifact))
    assert result["fraction_of_class"] == pytest.approx(has_artifact[melanoma].mean())


@pytest.mark.parametrize("artifact", INJECTABLE)
@pytest.mark.parametrize("size", [(72, 96), (256, 256)])
def test_artifacts_are_visible_and_leave_most_of_the_image(artifact: str, size: tuple[int, int]) -> None:
    skin = np.full((*size, 3), (214, 170, 150), np.uint8)
    for seed in range(4):
        rgb, mask = overlay_artifact(skin, artifact, np.random.default_rng(seed))
        assert rgb.shape == skin.shape
        assert ((rgb != skin).any(axis=2) >= mask).all()
        assert 0 < mask.mean() < 0.35


def test_ink_is_invisible_on_a_black_image(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "mine.csv").write_text("image,label\na,nevus\n")
    inject_artifact(
        f"table:{tmp_path / 'mine.csv'}",
        tmp_path / "out",
        artifact="ink_markings",
        rate_difference=1,
        task="nevus",
    )
    assert (tmp_path / "out" / "artifacts.csv").read_text() == "image_id,ink_markings\na,0\n"
    assert json.loads((tmp_path / "out" / "artifact_injection.json").read_text())["fraction_of_class"] == 0
    assert list((tmp_path / "out" / "artifact_masks").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"artifact": "rulr", "rate_difference": 0.5}, "did you mean 'ruler'"),
        ({"artifact": "ruler", "rate_difference": 1.5}, "-1 to 1"),
        ({"artifact": "ruler", "rate_difference": 0.5, "task": "melanom"}, "did you mean 'melanoma'"),
    ],
)
def test_invalid_options_raise(base: str, tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        inject_artifact(base, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_nonempty_directory_raises(base: str, copies: dict[float, Path]) -> None:
    with pytest.raises(DataError, match="not empty"):
        inject_artifact(base, copies[0.8], artifact="hair", rate_difference=0.5)


def test_ids_with_directories_raise(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "x" / "mine.csv").write_text("image,label\na.png,nevus\n../y/a.png,nevus\n")
    source = f"table:{tmp_path / 'x' / 'mine.csv'}"
    with pytest.raises(
        DataError, match=r"1 image id of .* for example \.\./y/a; .*column image_id without slashes"
    ):
        inject_artifact(source, tmp_path / "out", artifact="ruler", rate_difference=0, task="nevus")
    assert not (tmp_path / "out").exists()
