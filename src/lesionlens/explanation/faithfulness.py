"""Evaluation of how far maps show what the network uses: perturbation, randomization, shifts, and controls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.core.errors import DataError, ModelError
from lesionlens.core.types import BoolArray, FloatArray, ProgressCallback
from lesionlens.datasets.file_layout import lesion_mask_paths
from lesionlens.datasets.table import LesionTable
from lesionlens.explanation.explain import compute_maps, predict_image_scores, resolve_target_class
from lesionlens.explanation.faithfulness_result import (
    FaithfulnessMeasures,
    FaithfulnessResult,
    ImageFaithfulness,
    summarize_faithfulness,
)
from lesionlens.explanation.localization import iter_spatial_maps, load_with_optional_mask, stitched_maps
from lesionlens.explanation.map_controls import CENTER, LESION, RANDOM, centered_gaussian, random_map
from lesionlens.explanation.map_metrics import LoadedReferences, measure_map
from lesionlens.explanation.map_randomization import (
    RANDOMIZED_FRACTIONS,
    map_rank_correlation,
    randomize_from_top,
)
from lesionlens.explanation.map_stability import shift_correlations
from lesionlens.explanation.perturbation import crop_values, pixel_ranks
from lesionlens.explanation.perturbation_curves import (
    PerturbationCurves,
    class_scorer,
    perturbation_areas,
    perturbation_curves,
)
from lesionlens.imaging.boxes import CropBox, lesion_bounding_box
from lesionlens.imaging.stitching import StitchedMap
from lesionlens.models.base import Classifier
from lesionlens.models.saved_model import LoadedModel

_NUM_STATISTICS_IMAGES = 16  # from which batch norms of randomized networks get their statistics


@dataclass(frozen=True, kw_only=True)
class FaithfulnessOptions:
    """Size and seed of an evaluation.

    Attributes
    ----------
    num_images
        Maximum number of images, sampled from the table.
    steps
        Number of steps of insertion and of deletion.
    batch_size
        Maximum number of crops in the network at a time.
    seed
        Random seed of the sample of images, the random maps, the noise, the shuffled weights and the bootstrap.
    n_resamples
        Number of bootstrap resamples of the lesions; 0 for no intervals.
    confidence
        Confidence level of the intervals.
    """

    num_images: int = 50
    steps: int = 20
    batch_size: int = 32
    seed: int = 0
    n_resamples: int = 1000
    confidence: float = 0.95


DEFAULT_OPTIONS = FaithfulnessOptions()


class _Row(NamedTuple):
    """One row of the table."""

    image_id: str
    lesion_id: str
    path: Path
    mask_path: Path | None


class _Content(NamedTuple):
    """Decoded image, lesion mask (0 everywhere if there is none), its crops and their boxes."""

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]
    crops: Tensor
    boxes: Sequence[CropBox]


def evaluate_faithfulness(
    loaded: LoadedModel,
    table: LesionTable,
    *,
    methods: Iterable[str] = ("auto",),
    target_class: str | None = None,
    mask_dir: Path | None = None,
    options: FaithfulnessOptions = DEFAULT_OPTIONS,
    on_progress: ProgressCallback | None = None,
) -> FaithfulnessResult:
    """Evaluate all spatial maps of a model, and control maps, on a sample of images.

    All measures use the model score of one class: the mean probability over test crops, without TTA views. Pixels are
    ranked over all test crops of an image. Equal values, such as all values of a constant map, are ranked by the random
    map of the image. Weights of crops are not spatial and are skipped.

    Parameters
    ----------
    loaded
        Model with its card.
    table
        Images with their lesion ids and, if known, masks.
    methods, target_class
        As for ``explain``.
    mask_dir
        Directory of lesion masks that replace those of the table.
    options
        Size and seed.
    on_progress
        Called with the numbers of processed and of all steps.

    Raises
    ------
    DataError
        A mask does not match its image, or no image can be evaluated.
    ModelError
        A class or method does not exist or does not work on the network, a map is not finite, or all maps are weights
        of crops.
    """
    target_class = None if target_class is None else resolve_target_class(target_class, loaded.card.classes)
    evaluator = _Evaluator(loaded, tuple(methods), target_class, options, on_progress)
    images, excluded = evaluator.evaluate(_sampled_rows(table, mask_dir, seed=options.seed))
    return summarize_faithfulness(
        images,
        excluded,
        target_class=target_class or "",
        n_resamples=options.n_resamples,
        seed=options.seed,
        confidence=options.confidence,
    )


def _sampled_rows(table: LesionTable, mask_dir: Path | None, *, seed: int) -> list[_Row]:
    """Return the rows of a table in a random order."""
    ids, lesions = (table.frame[name].astype(str).tolist() for name in ("image_id", "lesion_id"))
    rows = list(map(_Row, ids, lesions, table.paths, lesion_mask_paths(table, mask_dir)))
    return [rows[index] for index in np.random.default_rng(seed).permutation(len(rows))]


class _Evaluator:
    """Model, methods and options of an evaluation."""

    def __init__(
        self,
        loaded: LoadedModel,
        methods: tuple[str, ...],
        target_class: str | None,
        options: FaithfulnessOptions,
        on_progress: ProgressCallback | None,
    ) -> None:
        self.loaded, self.methods, self.options, self.on_progress = loaded, methods, options, on_progress
        self.target = None if target_class is None else loaded.card.classes.index(target_class)

    def evaluate(self, rows: Sequence[_Row]) -> tuple[list[ImageFaithfulness], list[tuple[str, str]]]:
        """Evaluate the first images that can be, and return them with the reasons against others."""
        count = min(self.options.num_images, len(rows))
        images, used, excluded = [], [], []
        for row in rows:
            content = self._load(row)
            if isinstance(content, str):
                excluded.append((row.image_id, content))
                continue
            images.append(self._evaluate_image(row, content))
            used.append(row)
            self._report(len(images), count)
            if len(images) == count:
                break
        if not images:
            raise DataError(f"none of the {len(rows)} images can be evaluated, for example: {excluded[0][1]}")
        return self._randomize(used, images), excluded

    def _report(self, done: int, count: int) -> None:
        if self.on_progress is not None:
            self.on_progress(done, count * (1 + len(RANDOMIZED_FRACTIONS)))

    def _load(self, row: _Row) -> _Content | str:
        """Return an image with its crops, or the reason why it cannot be evaluated."""
        preprocessing = self.loaded.card.preprocessing
        loaded = load_with_optional_mask(self.loaded, row.path, row.mask_path)
        if isinstance(loaded, str):
            return loaded
        image, mask = loaded
        margin = preprocessing.roi_margin
        region = None if margin is None else lesion_bounding_box(mask, margin)
        crops = preprocessing.prepare_input(image, region).to(next(self.loaded.model.parameters()).device)
        return _Content(image, mask, crops, preprocessing.crop_boxes(image.shape[0], image.shape[1], region))

    def _target_index(self, content: _Content) -> int:
        if self.target is not None:
            return self.target
        return int(predict_image_scores(self.loaded, content.crops).argmax())

    def _evaluate_image(self, row: _Row, content: _Content) -> ImageFaithfulness:
        """Measure all maps and controls of an image; only randomization follows later."""
        target = self._target_index(content)
        maps = dict(stitched_maps(self.loaded, content.image, content.mask, self.methods, target))
        if not maps:
            raise ModelError(
                "the network's maps are weights of crops, which are not spatial. Use method gradcam"
            )
        stability = shift_correlations(
            self.loaded, content.image, content.mask, maps, methods=self.methods, target_index=target
        )
        coverage = next(iter(maps.values())).coverage
        noise = random_map(*coverage.shape, image_id=row.image_id, seed=self.options.seed)
        maps |= {
            name: StitchedMap(values, coverage)
            for name, values in _control_maps(content.mask, coverage, noise).items()
        }
        curves = self._curves(content, maps, noise, target)
        lesion = LoadedReferences(lesion=content.mask != 0)
        measures = {}
        for name, stitched in maps.items():
            metrics = measure_map(stitched, lesion)
            measures[name] = FaithfulnessMeasures(
                *perturbation_areas(curves[name]),
                stability=stability.get(name, np.nan),
                pointing_game=metrics.pointing_game,
                iou=metrics.iou,
            )
        class_name = self.loaded.card.classes[target]
        return ImageFaithfulness(row.image_id, row.lesion_id, class_name, measures, curves)

    def _curves(
        self, content: _Content, maps: dict[str, StitchedMap], noise: FloatArray, target: int
    ) -> dict[str, PerturbationCurves]:
        size = (content.crops.shape[-2], content.crops.shape[-1])
        score = class_scorer(self.loaded, target, batch_size=self.options.batch_size)
        tie_break = crop_values(noise, content.boxes, size)
        return {
            name: perturbation_curves(
                score,
                content.crops,
                pixel_ranks(crop_values(stitched.values, content.boxes, size), tie_break),
                steps=self.options.steps,
                seed=self.options.seed,
                batch_size=self.options.batch_size,
            )
            for name, stitched in maps.items()
        }

    def _randomize(
        self, rows: Sequence[_Row], images: Sequence[ImageFaithfulness]
    ) -> list[ImageFaithfulness]:
        """Add the rank correlations of the maps with those of randomized networks, one pass over the images each."""
        original = [self._grid_maps(self.loaded.model, *pair) for pair in zip(rows, images, strict=True)]
        correlations = []
        networks = randomize_from_top(
            self.loaded.model, self._statistics_images(rows), seed=self.options.seed
        )
        for level, network in enumerate(networks, start=1):
            for number, (row, image) in enumerate(zip(rows, images, strict=True)):
                maps = self._grid_maps(network, row, image)
                correlations.append(
                    {
                        name: map_rank_correlation(values, maps[name])
                        for name, values in original[number].items()
                    }
                )
                self._report(level * len(rows) + number + 1, len(rows))
        by_image = [correlations[number :: len(rows)] for number in range(len(rows))]
        return [image.with_randomization(levels) for image, levels in zip(images, by_image, strict=True)]

    def _grid_maps(
        self, network: Classifier, row: _Row, image: ImageFaithfulness
    ) -> dict[str, NDArray[np.floating]]:
        """Return the maps of the class that was explained, at their own resolution."""
        crops = self._crops(row)
        target = self.loaded.card.classes.index(image.target_class)
        maps = compute_maps(network, crops, methods=self.methods, target_index=target)
        return {
            spatial_name: values
            for name, tensor in maps.items()
            for spatial_name, values in iter_spatial_maps(name, tensor.cpu().numpy())
        }

    def _crops(self, row: _Row) -> Tensor:
        content = self._load(row)
        if isinstance(content, str):
            raise DataError(
                f"{content}, although it could be used before. Do not change images while they are evaluated"
            )
        return content.crops

    def _statistics_images(self, rows: Sequence[_Row]) -> Tensor:
        crops = [self._crops(row) for row in rows[:_NUM_STATISTICS_IMAGES]]
        return torch.cat(crops) if self.loaded.model.num_crops is None else torch.stack(crops)


def _control_maps(mask: NDArray[np.uint8], coverage: BoolArray, noise: FloatArray) -> dict[str, FloatArray]:
    """Return the control maps of an image; no lesion mask if it is empty."""
    controls = {RANDOM: noise, CENTER: centered_gaussian(coverage)}
    return controls | ({LESION: (mask != 0).astype(np.float64)} if mask.any() else {})
