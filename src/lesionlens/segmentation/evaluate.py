"""Predicted masks against the true ones of a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.fileio import atomic_write, write_text
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.datasets.file_layout import find_masks_in
from lesionlens.datasets.issues import IssueCollector
from lesionlens.evaluation.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.imaging.masks import BinaryMask, iou, read_mask
from lesionlens.segmentation.models import LoadedSegmentationModel
from lesionlens.segmentation.predict import predict_masks
from lesionlens.segmentation.samples import SegmentationSample, load_source_tables

FAILURE_JACCARD = 0.65  # below which the challenge of 2018 calls a segmentation failed: 0


class ImageMaskMetrics(NamedTuple):
    """The scores of one image."""

    jaccard: float
    thresholded_jaccard: float
    dice: float


class MeanWithInterval(BaseModel):
    """A mean and its percentile interval over lesions drawn with replacement."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class MeanMaskMetrics(BaseModel):
    """The scores of a set of images.

    Attributes
    ----------
    confidence, n_resamples, seed
        Of the intervals.
    """

    model_config = ConfigDict(frozen=True)

    images: int
    lesions: int
    jaccard: MeanWithInterval
    thresholded_jaccard: MeanWithInterval
    dice: MeanWithInterval
    confidence: float
    n_resamples: int
    seed: int

    def __str__(self) -> str:
        return (
            f"Jaccard {self.jaccard}, thresholded {self.thresholded_jaccard}, Dice {self.dice} "
            f"({self.images:,} images of {self.lesions:,} lesions)"
        )


def segmentation_metrics(predicted: BinaryMask, target: BinaryMask) -> ImageMaskMetrics:
    """Score a predicted mask against the true one, both (h, w); two empty masks agree fully.

    Examples
    --------
    >>> segmentation_metrics(np.array([[True, True, True, False]]), np.array([[False, True, True, True]]))
    ImageMaskMetrics(jaccard=0.5, thresholded_jaccard=0.0, dice=0.6666666666666666)
    """
    if predicted.shape != target.shape:
        raise ValueError(f"masks of {predicted.shape} and {target.shape} cannot be compared")
    jaccard = iou(predicted, target)
    total_area = int(predicted.sum()) + int(target.sum())
    dice = 2 * int((predicted & target).sum()) / total_area if total_area else 1.0
    return ImageMaskMetrics(jaccard, jaccard if jaccard >= FAILURE_JACCARD else 0.0, dice)


def mean_segmentation_metrics(
    scores: Sequence[ImageMaskMetrics],
    lesion_id: Sequence[str],
    *,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> MeanMaskMetrics:
    """Average the scores of n images; the intervals are over lesions, whose images are drawn together.

    Parameters
    ----------
    scores, lesion_id
        Of each image, (n,), n at least 1.
    """
    values = np.array(scores, dtype=np.float64)
    means = [
        weights @ values / weights.sum(axis=1, keepdims=True)
        for weights in cluster_bootstrap_weights(np.array(lesion_id), n_resamples=n_resamples, seed=seed)
    ]
    drawn = np.concatenate(means) if means else np.full((0, 3), np.nan)

    def mean(column: int) -> MeanWithInterval:
        bounds = percentile_interval(drawn[:, column], confidence=confidence)
        return MeanWithInterval(value=float(values[:, column].mean()), low=bounds.low, high=bounds.high)

    jaccard, threshold_jaccard, dice = map(mean, range(3))
    return MeanMaskMetrics(
        images=len(values),
        lesions=len(set(lesion_id)),
        jaccard=jaccard,
        thresholded_jaccard=threshold_jaccard,
        dice=dice,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
    )


@dataclass(frozen=True)
class SegmentationScores:
    """The scores of each case, in order, and of all together.

    Attributes
    ----------
    excluded
        Images of the table without a true mask.
    """

    samples: tuple[SegmentationSample, ...]
    per_image: tuple[ImageMaskMetrics, ...]
    mean: MeanMaskMetrics
    excluded: tuple[ExcludedImage, ...] = ()

    def save(self, path: Path) -> None:
        """Write the means as JSON, and each image's scores as CSV beside it."""
        write_text(path, self.mean.model_dump_json(indent=2) + "\n")
        frame = pd.DataFrame(self.per_image)
        frame.insert(0, "image_id", [case.image_id for case in self.samples])
        frame.insert(1, "lesion_id", [case.lesion_id for case in self.samples])
        with atomic_write(path.with_suffix(".csv")) as part:
            frame.to_csv(part, index=False)


def evaluate_model(
    loaded: LoadedSegmentationModel, samples: Iterable[SegmentationSample]
) -> SegmentationScores:
    """Draw the masks of images at their own size, and score them against the true ones."""
    samples = tuple(samples)
    drawn = predict_masks(
        loaded, [case.path for case in samples], largest_only=loaded.card.keep_largest_component
    )
    return _summarize(
        samples, [_metrics_of_prediction(mask, case) for case, mask in zip(samples, drawn, strict=True)]
    )


def evaluate_folder(
    mask_dir: Path, source: str, *, split: str | None = None, n_resamples: int = 1000, seed: int = 0
) -> SegmentationScores:
    """Score the masks of a folder, ``ID_segmentation.png`` or ``ID.png``, against those of a table.

    As the official scorer does, an empty true mask counts: 1 if the predicted one is empty too, else 0.

    Parameters
    ----------
    split
        Of the table's official parts: these images alone.

    Raises
    ------
    DataError
        The table or the folder cannot be used, or a mask is missing, damaged or of another size than the true one.
    """
    sources = load_source_tables([source])
    names = sources.tables[0].frame.set_index("image_id")["split"]
    cases = tuple(case for case in sources.samples if split is None or names[case.image_id] == split)
    if not cases:
        raise DataError(f"{source} has no image with a mask in the part {split!r}")
    ids = [case.image_id for case in cases]
    drawn = [(case, file) for case, file in zip(cases, find_masks_in(mask_dir, ids), strict=True) if file]
    problems = IssueCollector()
    absent = sorted(set(ids) - {case.image_id for case, _ in drawn})
    problems.add_error(
        "images without a predicted mask", absent, hint="Predict them, or score one part with --split."
    )
    problems.raise_errors(str(mask_dir))
    each = [_metrics_of_file(file, case) for case, file in drawn]
    scored = _summarize(cases, each, n_resamples=n_resamples, seed=seed)
    return SegmentationScores(scored.samples, scored.per_image, scored.mean, sources.excluded)


def _summarize(
    samples: tuple[SegmentationSample, ...],
    per_image: list[ImageMaskMetrics],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> SegmentationScores:
    lesions = [case.lesion_id for case in samples]
    return SegmentationScores(
        samples,
        tuple(per_image),
        mean_segmentation_metrics(per_image, lesions, n_resamples=n_resamples, seed=seed),
    )


def _metrics_of_file(path: Path, sample: SegmentationSample) -> ImageMaskMetrics:
    true = read_mask(sample.mask_path)
    return segmentation_metrics(read_mask(path, size=(true.shape[0], true.shape[1])), true)


def _metrics_of_prediction(
    predicted: BinaryMask | ImageError, sample: SegmentationSample
) -> ImageMaskMetrics:
    if isinstance(predicted, ImageError):
        raise predicted
    return segmentation_metrics(
        predicted, read_mask(sample.mask_path, size=(predicted.shape[0], predicted.shape[1]))
    )
