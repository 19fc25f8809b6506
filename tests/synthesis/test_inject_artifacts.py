"""Injected artifacts: how often by class, nested, seen where the masks say so, the same bytes for the same seed."""

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
CLASS = np.arange(4000) % 4 == 0


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("base") / "isic2017"
    return f"isic2017:{generate_in_layout('isic2017', root, num_images=24, size=(48, 64))}"


@pytest.fixture(scope="module")
def copies(base: str, tmp_path_factory: pytest.TempPathFactory) -> dict[float, Path]:
    root = tmp_path_factory.mktemp("planted")
    for association in (-0.8, 0.0, 0.8):
        source = inject_artifact(
            base, root / f"{association}", artifact="ruler", rate_difference=association, seed=2
        )
        assert source == f"table:{root / f'{association}' / 'images.csv'}"
    return {association: root / f"{association}" for association in (-0.8, 0.0, 0.8)}


def has(root: Path) -> pd.Series:
    return pd.read_csv(root / "artifacts.csv", index_col="image_id")["ruler"] == 1


@pytest.mark.parametrize("association", [-0.95, -0.5, 0.0, 0.4, 0.9])
def test_shares_and_phi_are_those_asked_for(association: float) -> None:
    chosen = sample_artifact_flags(IDS, CLASS, rate_difference=association, seed=0)
    told = artifact_counts_and_phi(CLASS, chosen)
    assert told["fraction_of_class"] == pytest.approx((1 + association) / 2, abs=0.04)
    assert told["fraction_of_others"] == pytest.approx((1 - association) / 2, abs=0.03)
    assert told["fraction_of_class"] == chosen[CLASS].mean()
    assert told["phi"] == pytest.approx(matthews_corrcoef(CLASS, chosen), abs=1e-12)


def test_a_whole_association_leaves_no_doubt_and_phi_of_one_value_is_not_defined() -> None:
    assert (sample_artifact_flags(IDS, CLASS, rate_difference=1, seed=0) == CLASS).all()
    assert (sample_artifact_flags(IDS, CLASS, rate_difference=-1, seed=0) != CLASS).all()
    assert artifact_counts_and_phi(CLASS, np.zeros(4000, bool))["phi"] is None
    assert artifact_counts_and_phi(np.ones(2, bool), np.array([True, False]))["fraction_of_others"] is None


def test_as_the_association_grows_the_class_gains_and_the_others_lose() -> None:
    sets = [
        sample_artifact_flags(IDS[:800], CLASS[:800], rate_difference=each, seed=0)
        for each in (-0.9, -0.2, 0.0, 0.5, 0.95)
    ]
    for less, more in pairwise(sets):
        assert (more[CLASS[:800]] >= less[CLASS[:800]]).all()
        assert (more[~CLASS[:800]] <= less[~CLASS[:800]]).all()
        assert (more != less).any()


def test_a_draw_depends_on_the_image_and_the_seed_alone() -> None:
    whole = sample_artifact_flags(IDS, CLASS, rate_difference=0.3, seed=0)
    assert (
        sample_artifact_flags(IDS[100:50:-1], CLASS[100:50:-1], rate_difference=0.3, seed=0)
        == whole[100:50:-1]
    ).all()
    assert (sample_artifact_flags(IDS, CLASS, rate_difference=0.3, seed=1) != whole).any()


def test_a_copy_is_read_with_parts_masks_and_origin(base: str, copies: dict[float, Path]) -> None:
    original = load_table(base).frame
    table = load_table(f"table:{copies[0.8] / 'images.csv'}", verify_images=True)
    same = ["image_id", "diagnosis", "lesion_id", "split", "age", "sex", "skin_tone", "source"]
    pd.testing.assert_frame_equal(table.frame[same], original[same])
    assert table.warnings == table.excluded == ()
    for column in ("mask_path", "feature_mask_paths"):
        for mine, theirs in zip(table.frame[column], original[column], strict=True):
            names = [[Path(part).resolve() for part in cell.split(";")] for cell in (mine, theirs)]
            assert names[0] == names[1]


@pytest.mark.parametrize(("name", "folds"), [("official", None), ("group_holdout", None), ("group_kfold", 3)])
def test_a_copy_is_split_as_its_original(
    base: str, copies: dict[float, Path], name: str, folds: int | None
) -> None:
    asked = {
        "name": name,
        "val_fraction": 0.2,
        "test_fraction": 0.2,
        "seed": 1,
        "n_folds": folds,
        "fold": folds and 1,
    }
    tables = load_table(base), load_table(f"table:{copies[0.8] / 'images.csv'}")
    original, copy = (make_splits(table, **asked).splits for table in tables)
    assert copy == original
    assert set(copy) == {"train", "validation", "test"}


def test_pixels_change_where_the_mask_says_so_and_nowhere_else(base: str, copies: dict[float, Path]) -> None:
    original, there = load_table(base).frame.set_index("image_id"), has(copies[0.0])
    assert 0 < there.sum() < len(there)
    for image_id, planted_on in there.items():
        path = copies[0.0] / "artifact_masks" / f"{image_id}.png"
        assert path.is_file() == planted_on
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if planted_on else np.zeros((48, 64), np.uint8)
        before = cv2.imread(original["path"][image_id]).astype(int)
        after = cv2.imread(str(copies[0.0] / "images" / f"{image_id}.jpg")).astype(int)
        apart = np.abs(after - before).max(axis=2)
        far = cv2.dilate(mask, np.ones((17, 17), np.uint8)) == 0  # a block of the JPEG away
        assert apart[far].max(initial=0) <= 12
        if planted_on:
            assert np.median(apart[mask > 0]) > 8


def test_artifact_masks_are_read_as_such(copies: dict[float, Path]) -> None:
    table = load_table(f"table:{copies[0.8] / 'images.csv'}")
    opened = load_masks(table, "artifacts", [(48, 64)] * len(table))
    there = has(copies[0.8])
    for place, image_id in enumerate(table.frame["image_id"]):
        mask = opened.masks[place]
        assert mask is not None
        assert mask.any() == there[image_id]


def test_images_that_have_it_in_two_copies_are_the_same_bytes(copies: dict[float, Path]) -> None:
    low, high = has(copies[-0.8]), has(copies[0.8])
    same = low[low == high].index
    assert 0 < len(same) < len(low)
    a, b = digests(copies[-0.8]), digests(copies[0.8])
    for image_id in low.index:
        name = f"images/{image_id}.jpg"
        assert (a[name] == b[name]) == (image_id in same)


@pytest.mark.slow
def test_the_same_seed_writes_the_same_bytes(base: str, copies: dict[float, Path], tmp_path: Path) -> None:
    inject_artifact(base, tmp_path / "again", artifact="ruler", rate_difference=0.8, seed=2)
    mine, theirs = digests(tmp_path / "again"), digests(copies[0.8])
    assert {k: v for k, v in mine.items() if k != "images.csv"} == {
        k: v
        for k, v in theirs.items()
        if k != "images.csv"  # it names masks from where it lies
    }


def test_the_copy_says_what_was_done(base: str, copies: dict[float, Path]) -> None:
    told = json.loads((copies[0.8] / "artifact_injection.json").read_text())
    assert "Research use only" in told["statement"]
    assert (told["artifact"], told["task"], told["rate_difference"], told["seed"], told["images"]) == (
        "ruler", "melanoma", 0.8, 2, 24,
    )  # fmt: skip
    melanoma = load_table(base).frame["diagnosis"] == "melanoma"
    there = has(copies[0.8]).to_numpy()
    assert told["phi"] == pytest.approx(matthews_corrcoef(melanoma, there))
    assert told["fraction_of_class"] == pytest.approx(there[melanoma].mean())


@pytest.mark.parametrize("artifact", INJECTABLE)
@pytest.mark.parametrize("size", [(72, 96), (256, 256)])
def test_every_artifact_can_be_seen_and_leaves_most_of_the_picture(
    artifact: str, size: tuple[int, int]
) -> None:
    skin = np.full((*size, 3), (214, 170, 150), np.uint8)
    for seed in range(4):
        rgb, mask = overlay_artifact(skin, artifact, np.random.default_rng(seed))
        assert rgb.shape == skin.shape
        assert ((rgb != skin).any(axis=2) >= mask).all()
        assert 0 < mask.mean() < 0.35


def test_a_black_picture_shows_no_ink(tmp_path: Path) -> None:
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
    ("options", "says"),
    [
        ({"artifact": "rulr", "rate_difference": 0.5}, "did you mean 'ruler'"),
        ({"artifact": "ruler", "rate_difference": 1.5}, "-1 to 1"),
        ({"artifact": "ruler", "rate_difference": 0.5, "task": "melanom"}, "did you mean 'melanoma'"),
    ],
)
def test_what_cannot_be_planted_is_refused(base: str, tmp_path: Path, options: dict, says: str) -> None:
    with pytest.raises(DataError, match=says):
        inject_artifact(base, tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_refused(base: str, copies: dict[float, Path]) -> None:
    with pytest.raises(DataError, match="not empty"):
        inject_artifact(base, copies[0.8], artifact="hair", rate_difference=0.5)


def test_ids_with_folders_are_refused_rather_than_written_elsewhere(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / folder / "a.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "x" / "mine.csv").write_text("image,label\na.png,nevus\n../y/a.png,nevus\n")
    source = f"table:{tmp_path / 'x' / 'mine.csv'}"
    with pytest.raises(DataError, match=r"1 image of .* for example \.\./y/a: .*column image_id of plain"):
        inject_artifact(source, tmp_path / "out", artifact="ruler", rate_difference=0, task="nevus")
    assert not (tmp_path / "out").exists()
