"""Predicted masks against the true ones of a table."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lesionlens.atomic import atomic_write, write_text
from lesionlens.data.mask_files import find_masks_in
from lesionlens.data.problems import IssueCollector
from lesionlens.errors import DataError, ImageError
from lesionlens.segment.bundle import LoadedSegmentationModel
from lesionlens.segment.cases import SegmentationSample, load_source_tables
from lesionlens.segment.masks import BinaryMask, read_mask
from lesionlens.segment.predict import predict_masks
from lesionlens.segment.scores import ImageMaskMetrics, MeanMaskMetrics, segmentation_metrics, mean_segmentation_metrics
from lesionlens.training.left_out import ExcludedImage


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


def evaluate_model(loaded: LoadedSegmentationModel, samples: Iterable[SegmentationSample]) -> SegmentationScores:
    """Draw the masks of images at their own size, and score them against the true ones."""
    samples = tuple(samples)
    drawn = predict_masks(loaded, [case.path for case in samples], largest_only=loaded.card.keep_largest_component)
    return _summarize(samples, [_metrics_of_prediction(mask, case) for case, mask in zip(samples, drawn, strict=True)])


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
    names = sources.tables[0].frame.set_index("image_id")["part"]
    cases = tuple(case for case in sources.samples if split is None or names[case.image_id] == split)
    if not cases:
        raise DataError(f"{source} has no image with a mask in the part {split!r}")
    ids = [case.image_id for case in cases]
    drawn = [(case, file) for case, file in zip(cases, find_masks_in(mask_dir, ids), strict=True) if file]
    problems = IssueCollector()
    absent = sorted(set(ids) - {case.image_id for case, _ in drawn})
    problems.add_error(
        "images without a predicted mask", absent, hint="Predict them, or score one part with --part."
    )
    problems.raise_errors(str(mask_dir))
    each = [_metrics_of_file(file, case) for case, file in drawn]
    scored = _summarize(cases, each, n_resamples=n_resamples, seed=seed)
    return SegmentationScores(scored.samples, scored.per_image, scored.mean, sources.excluded)


def _summarize(
    samples: tuple[SegmentationSample, ...], per_image: list[ImageMaskMetrics], *, n_resamples: int = 1000, seed: int = 0
) -> SegmentationScores:
    lesions = [case.lesion_id for case in samples]
    return SegmentationScores(samples, tuple(per_image), mean_segmentation_metrics(per_image, lesions, n_resamples=n_resamples, seed=seed))


def _metrics_of_file(path: Path, sample: SegmentationSample) -> ImageMaskMetrics:
    true = read_mask(sample.mask_path)
    return segmentation_metrics(read_mask(path, size=(true.shape[0], true.shape[1])), true)


def _metrics_of_prediction(predicted: BinaryMask | ImageError, sample: SegmentationSample) -> ImageMaskMetrics:
    if isinstance(predicted, ImageError):
        raise predicted
    return segmentation_metrics(predicted, read_mask(sample.mask_path, size=(predicted.shape[0], predicted.shape[1])))
