"""Mask metrics against the official scorer, and intervals against independent computations."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from isic_challenge_scoring.segmentation import SegmentationScore
from PIL import Image

from lesionlens.imaging.masks import read_mask
from lesionlens.segmentation.evaluate import (
    ImageMaskMetrics,
    MeanMaskMetrics,
    evaluate_folder,
    mean_segmentation_metrics,
    segmentation_metrics,
)
from lesionlens.segmentation.samples import load_source_tables

from ..helpers.images import write_image, write_mask


def disc(row: int, column: int, radius: int) -> np.ndarray:
    rows, columns = np.ogrid[:40, :50]
    return (rows - row) ** 2 + (columns - column) ** 2 <= radius**2


def soft_disc(row: int, column: int, radius: int) -> np.ndarray:
    """Render a disc with a soft edge that has all gray levels around the threshold."""
    rows, columns = np.ogrid[:40, :50]
    distance = np.hypot(rows - row, columns - column) - radius
    soft = np.clip(128 - 40 * distance, 0, 255).astype(np.uint8)
    soft[row, column - 3 : column + 4] = range(125, 132)
    return soft


PAIRS = [
    (disc(20, 25, 12), disc(20, 25, 12)),
    (disc(20, 25, 12), disc(22, 27, 10)),
    (disc(20, 25, 12), disc(5, 5, 4)),
    (disc(20, 25, 12), np.zeros((40, 50), bool)),
    (np.zeros((40, 50), bool), np.zeros((40, 50), bool)),
    (np.zeros((40, 50), bool), disc(20, 25, 3)),
    (np.ones((40, 50), bool), disc(20, 25, 15)),
]


def official_scores(folder: Path, true: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score one pair of masks, (40, 50) uint8, with the official scorer."""
    for part, mask in (("truth", true), ("predicted", predicted)):
        (folder / part).mkdir(parents=True)
        Image.fromarray(mask).save(folder / part / "ISIC_0000000_segmentation.png")
    scores = SegmentationScore.from_dir(folder / "truth", folder / "predicted").macro_average
    theirs = {"jaccard": "jaccard", "thresholded_jaccard": "threshold_jaccard", "dice": "dice"}
    return {name: float(scores[theirs[name]]) for name in ImageMaskMetrics._fields}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_score_equals_the_official_scorer(tmp_path: Path) -> None:
    """Per image and averaged; also for soft masks, whose threshold is half of the range."""
    pairs = [(np.uint8(255) * true, np.uint8(255) * predicted) for true, predicted in PAIRS]
    pairs.append((soft_disc(20, 25, 12), soft_disc(22, 26, 10)))
    expected = [official_scores(tmp_path / str(number), *pair) for number, pair in enumerate(pairs)]
    name = "ISIC_0000000_segmentation.png"
    folders = [tmp_path / str(number) for number in range(len(pairs))]
    ours = [
        segmentation_metrics(read_mask(f / "predicted" / name), read_mask(f / "truth" / name))
        for f in folders
    ]
    mean = mean_segmentation_metrics(ours, [folder.name for folder in folders], n_resamples=10)
    for score, theirs in zip(ours, expected, strict=True):
        assert score._asdict() == pytest.approx(theirs, rel=1e-12)
    for field in ImageMaskMetrics._fields:
        assert getattr(mean, field).value == pytest.approx(np.mean([scores[field] for scores in expected]))


def test_masks_of_two_sizes_are_not_compared() -> None:
    with pytest.raises(ValueError, match="Cannot compare masks"):
        segmentation_metrics(np.ones((2, 3), bool), np.ones((3, 2), bool))


def test_repeated_images_of_a_lesion_do_not_narrow_the_interval() -> None:
    values = np.random.default_rng(1).uniform(0.4, 1, 30)
    once = [ImageMaskMetrics(value, value, value) for value in values]
    lesions = [f"L{number:02d}" for number in range(30)]
    single = mean_segmentation_metrics(once, lesions, seed=3)
    three = mean_segmentation_metrics(once * 3, lesions * 3, seed=3)
    assert (single.images, three.images, three.lesions) == (30, 90, 30)
    assert three.jaccard.low == pytest.approx(single.jaccard.low)
    assert three.jaccard.high == pytest.approx(single.jaccard.high)


def test_constant_metric_has_no_interval_and_round_trips() -> None:
    scores = [ImageMaskMetrics(jaccard, 0.0, 0.5) for jaccard in (0.25, 0.5, 0.75)]
    mean = mean_segmentation_metrics(scores, ["a", "b", "c"])
    assert (mean.thresholded_jaccard.low, mean.thresholded_jaccard.high) == (None, None)
    assert "thresholded 0.000 [no interval]" in str(mean)
    assert MeanMaskMetrics.model_validate_json(mean.model_dump_json()) == mean


def test_interval_equals_that_of_a_numpy_bootstrap() -> None:
    """One image per lesion; the reference uses other, and more, resamples."""
    values = np.random.default_rng(2).uniform(0, 1, 40)
    mean = mean_segmentation_metrics(
        [ImageMaskMetrics(v, v, v) for v in values], list(map(str, range(40))), n_resamples=20_000
    )
    draws = np.random.default_rng(9).choice(values, (20_000, 40)).mean(axis=1)
    assert (mean.dice.low, mean.dice.high) == pytest.approx(
        tuple(np.quantile(draws, [0.025, 0.975])), abs=3e-3
    )


@pytest.mark.parametrize("name", ["test", "Testing", "hold-out", "TEST_SET"])
def test_split_is_named_in_any_usual_spelling(tmp_path: Path, name: str) -> None:
    for n in range(2):
        write_image(tmp_path / f"{n}.png", seed=n)
        write_mask(tmp_path / f"m{n}.png")
    write_mask(tmp_path / "predicted" / "1_segmentation.png")
    (tmp_path / "t.csv").write_text("image,mask_path,split\n0.png,m0.png,train\n1.png,m1.png,testing\n")
    scores = evaluate_folder(tmp_path / "predicted", f"table:{tmp_path / 't.csv'}", split=name, n_resamples=2)
    assert [sample.image_id for sample in scores.samples] == ["1"]


LABELS = {
    "custom": ["wart", "cyst", "mole"],
    "missing": ["", "NA", "?"],
    "partly known": ["nevus", "", "wart"],
    "numbers": ["0", "1", "2"],
    "punctuation": ["a/b", "a, b", "-"],
    "none": None,
}


@pytest.mark.parametrize("kind", LABELS)
@pytest.mark.parametrize("column", ["label", "diagnosis"])
def test_labels_do_not_matter(tmp_path: Path, kind: str, column: str) -> None:
    labels = LABELS[kind]
    table = pd.DataFrame(
        {"image": [f"{n}.png" for n in range(3)], "mask_path": [f"m{n}.png" for n in range(3)]}
    )
    for n in range(3):
        write_image(tmp_path / f"{n}.png", seed=n)
        write_mask(tmp_path / f"m{n}.png")
        write_mask(tmp_path / "predicted" / f"{n}_segmentation.png")
    if labels is not None:
        table[column] = labels
    table.to_csv(tmp_path / "t.csv", index=False)
    source = f"table:{tmp_path / 't.csv'}"
    assert evaluate_folder(tmp_path / "predicted", source, n_resamples=5).mean.jaccard.value == 1
    assert len(load_source_tables([source]).samples) == 3  # for training
