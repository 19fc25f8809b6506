"""Evaluation of predicted masks against the ground-truth masks of a table."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from lesionlens.core.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.fileio import atomic_write, write_text
from lesionlens.datasets.excluded import ExcludedImage
from lesionlens.datasets.file_layout import find_masks_in
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.split_names import canonical_split_name
from lesionlens.imaging.masks import BinaryMask, iou, read_mask
from lesionlens.segmentation.models import LoadedSegmentationModel
from lesionlens.segmentation.predict import predict_masks
from lesionlens.segmentation.samples import SegmentationSample, load_source_tables

FAILURE_JACCARD = 0.65  # the ISIC 2018 challenge counts a lower Jaccard index as 0


class ImageMaskMetrics(NamedTuple):
    """Segmentation metrics of one image."""

    jaccard: float
    thresholded_jaccard: float
    dice: float


class MeanWithInterval(BaseModel):
    """A mean and its percentile interval from a bootstrap over lesions; None if the mean is the same in all resamples.

    Examples
    --------
    >>> str(MeanWithInterval(value=0.5, low=0.4, high=0.6)), str(MeanWithInterval(value=0, low=None, high=None))
    ('0.500 [0.400, 0.600]', '0.000 [no interval]')
    """

    model_config = ConfigDict(frozen=True)

    value: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.value:.3f} [no interval]"
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


class MeanMaskMetrics(BaseModel):
    """Mean segmentation metrics of a set of images.

    Attributes
    ----------
    confidence, n_resamples, seed
        Confidence level, number of bootstrap resamples and random seed of the intervals.
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
            f"({pluralize(self.images, 'image')} of {pluralize(self.lesions, 'lesion')})"
        )


def segmentation_metrics(predicted: BinaryMask, target: BinaryMask) -> ImageMaskMetrics:
    """Compare a predicted mask with the ground truth, both (h, w); two empty masks agree perfectly.

    Examples
    --------
    >>> segmentation_metrics(np.array([[True, True, True, False]]), np.array([[False, True, True, True]]))
    ImageMaskMetrics(jaccard=0.5, thresholded_jaccard=0.0, dice=0.6666666666666666)
    """
    if predicted.shape != target.shape:
        raise ValueError(f"Cannot compare masks of shapes {predicted.shape} and {target.shape}")
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
    """Average the metrics of n images, with intervals from a bootstrap that resamples lesions with all their images.

    Parameters
    ----------
    scores, lesion_id
        Metrics and lesion id of each image, (n,), n ≥ 1.
    """
    values = np.array(scores, dtype=np.float64)
    means = [
        weights @ values / weights.sum(axis=1, keepdims=True)
        for weights in cluster_bootstrap_weights(np.array(lesion_id), n_resamples=n_resamples, seed=seed)
    ]
    resampled = np.concatenate(means) if means else np.full((0, 3), np.nan)

    def mean(column: int) -> MeanWithInterval:
        bounds = percentile_interval(resampled[:, column], confidence=confidence)
        low, high = (None if np.isnan(bound) else bound for bound in (bounds.low, bounds.high))
        return MeanWithInterval(value=float(values[:, column].mean()), low=low, high=high)

    jaccard, thresholded_jaccard, dice = map(mean, range(3))
    return MeanMaskMetrics(
        images=len(values),
        lesions=len(set(lesion_id)),
        jaccard=jaccard,
        thresholded_jaccard=thresholded_jaccard,
        dice=dice,
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
    )


@dataclass(frozen=True)
class SegmentationScores:
    """Segmentation metrics per image, in order, and their means.

    Attributes
    ----------
    excluded
        Images of the table without a ground-truth mask.
    """

    samples: tuple[SegmentationSample, ...]
    per_image: tuple[ImageMaskMetrics, ...]
    mean: MeanMaskMetrics
    excluded: tuple[ExcludedImage, ...] = ()

    def save(self, path: Path) -> None:
        """Write the means as JSON, and the metrics of each image as a CSV file next to it."""
        write_text(path, self.mean.model_dump_json(indent=2) + "\n")
        frame = pd.DataFrame(self.per_image)
        frame.insert(0, "image_id", [sample.image_id for sample in self.samples])
        frame.insert(1, "lesion_id", [sample.lesion_id for sample in self.samples])
        with atomic_write(path.with_suffix(".csv")) as temporary:
            frame.to_csv(temporary, index=False)


def evaluate_model(
    loaded: LoadedSegmentationModel, samples: Iterable[SegmentationSample]
) -> SegmentationScores:
    """Predict masks at the images' own size and compare them with the ground truth."""
    samples = tuple(samples)
    predicted = predict_masks(
        loaded, [sample.path for sample in samples], largest_only=loaded.card.keep_largest_component
    )
    return _summarize(
        samples,
        [_metrics_of_prediction(mask, sample) for sample, mask in zip(samples, predicted, strict=True)],
    )


def evaluate_folder(
    mask_dir: Path,
    source: str,
    *,
    split: str | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    within_root: bool = False,
) -> SegmentationScores:
    """Compare the masks of a folder, ``ID_segmentation.png`` or ``ID.png``, with the ground truth of a table.

    As in the official scorer, an empty ground-truth mask scores 1 if the predicted mask is empty too, and 0 otherwise.

    Parameters
    ----------
    split
        Official split to evaluate, in any usual spelling; None: all images.
    within_root
        As for ``load_table``.

    Raises
    ------
    DataError
        The table or the folder cannot be used, or a mask is missing, damaged or has another size than the ground truth.
    """
    sources = load_source_tables([source], within_root=within_root)
    name = canonical_split_name(split or "") or split
    split_of = sources.tables[0].frame.set_index("image_id")["split"]
    samples = tuple(
        sample for sample in sources.samples if split is None or split_of[sample.image_id] == name
    )
    if not samples:
        raise DataError(f"{source} has no image with a mask in the split {split!r}")
    ids = [sample.image_id for sample in samples]
    pairs = [
        (sample, file) for sample, file in zip(samples, find_masks_in(mask_dir, ids), strict=True) if file
    ]
    issues = IssueCollector()
    missing = sorted(set(ids) - {sample.image_id for sample, _ in pairs})
    issues.add_error(
        "images without a predicted mask", missing, hint="Predict them, or evaluate one split with --split."
    )
    issues.raise_errors(str(mask_dir))
    per_image = [_metrics_of_file(file, sample) for sample, file in pairs]
    scores = _summarize(samples, per_image, n_resamples=n_resamples, seed=seed)
    return replace(scores, excluded=sources.excluded)


def _summarize(
    samples: tuple[SegmentationSample, ...],
    per_image: list[ImageMaskMetrics],
    *,
    n_resamples: int = 1000,
    seed: int = 0,
) -> SegmentationScores:
    lesions = [sample.lesion_id for sample in samples]
    return SegmentationScores(
        samples,
        tuple(per_image),
        mean_segmentation_metrics(per_image, lesions, n_resamples=n_resamples, seed=seed),
    )


def _metrics_of_file(path: Path, sample: SegmentationSample) -> ImageMaskMetrics:
    target = read_mask(sample.mask_path)
    return segmentation_metrics(read_mask(path, size=(target.shape[0], target.shape[1])), target)


def _metrics_of_prediction(
    predicted: BinaryMask | ImageError, sample: SegmentationSample
) -> ImageMaskMetrics:
    if isinstance(predicted, ImageError):
        raise predicted
    return segmentation_metrics(
        predicted, read_mask(sample.mask_path, size=(predicted.shape[0], predicted.shape[1]))
    )
