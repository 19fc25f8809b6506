"""Evaluation of a model's attention maps against lesion masks, over the images of a table."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lesionlens.core.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.core.errors import DataError, ImageError, ModelError
from lesionlens.core.tabular import write_csv_columns
from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.file_layout import lesion_mask_paths
from lesionlens.datasets.table import LesionTable
from lesionlens.evaluation.formatting import format_with_interval
from lesionlens.evaluation.result import Estimate
from lesionlens.explanation.explain import compute_maps, predict_image_scores, resolve_target_class
from lesionlens.explanation.localization_metrics import LocalizationMetrics, localization_metrics
from lesionlens.imaging.boxes import lesion_bounding_box
from lesionlens.imaging.masks import load_mask
from lesionlens.imaging.stitching import StitchedMap, stitch
from lesionlens.models.saved_model import LoadedModel

LOCALIZATION_METRICS = LocalizationMetrics._fields
LOCALIZATION_TITLES = {
    "iou": "IoU at 0.5",
    "iou_auc": "IoU AUC",
    "pointing_game": "Pointing game",
    "energy_pointing_game": "Energy pointing game",
}


@dataclass(frozen=True)
class ImageLocalization:
    """Localization metrics of one image, by name of the map."""

    image_id: str
    lesion_id: str
    diagnosis: str
    maps: dict[str, LocalizationMetrics]


@dataclass(frozen=True)
class LocalizationResult:
    """Localization metrics of all images, and their means.

    Attributes
    ----------
    images
        Evaluated images, in the order of the table.
    estimates
        Mean over images of each metric of each map, with its interval over lesions; ``scope`` is the map's name.
    excluded
        Ids of the images that could not be evaluated, each with the reason.
    target_class
        Class that gradient maps explain; empty for the class with the highest score of each image.
    """

    images: tuple[ImageLocalization, ...]
    estimates: tuple[Estimate, ...]
    excluded: tuple[tuple[str, str], ...]
    target_class: str = ""


def evaluate_localization(
    loaded: LoadedModel,
    table: LesionTable,
    *,
    methods: Iterable[str] = ("auto",),
    target_class: str | None = None,
    mask_dir: Path | None = None,
    n_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    on_progress: ProgressCallback | None = None,
) -> LocalizationResult:
    """Evaluate all maps of a model against the lesion masks of a table.

    Maps and masks are compared on the pixels of the image as it is decoded for the network: the map of each test crop
    is resized bilinearly to its box, maps are averaged where crops overlap, and pixels outside all crops are excluded.
    The map is then normalized to [0, 1] over the covered pixels (``localization_metrics``). Weights of crops are not
    spatial and are skipped; each head of ``heads`` is a separate map.

    Parameters
    ----------
    loaded
        Model with its card.
    table
        Images with their lesion ids and masks.
    methods, target_class
        As for ``explain``.
    mask_dir
        Directory of masks that replace those of the table, for example predicted ones.
    n_resamples
        Number of bootstrap resamples of the lesions, default 1000; 0 for no intervals.
    seed
        Random seed of the bootstrap.
    confidence
        Confidence level of the intervals.
    on_progress
        Called with the numbers of processed and of all images.

    Raises
    ------
    DataError
        A mask does not match its image, or none of the images can be evaluated.
    ModelError
        A class or method does not exist or does not work on the network, or all maps are weights of crops.
    """
    classes, methods = loaded.card.classes, tuple(methods)
    target_class = None if target_class is None else resolve_target_class(target_class, classes)
    target_index = None if target_class is None else classes.index(target_class)
    evaluated: list[ImageLocalization] = []
    excluded: list[tuple[str, str]] = []
    ids, lesions, diagnoses = (map(str, table.frame[name]) for name in ("image_id", "lesion_id", "diagnosis"))
    rows = zip(ids, lesions, diagnoses, table.paths, lesion_mask_paths(table, mask_dir), strict=True)
    for number, (image_id, lesion_id, diagnosis, path, mask_path) in enumerate(rows, start=1):
        result = _evaluate_image(loaded, path, mask_path, methods, target_index)
        if isinstance(result, str):
            excluded.append((image_id, result))
        else:
            evaluated.append(ImageLocalization(image_id, lesion_id, diagnosis, result))
        if on_progress is not None:
            on_progress(number, len(table))
    if not evaluated:
        raise DataError(f"none of the {len(table)} images can be evaluated, for example: {excluded[0][1]}")
    estimates = tuple(_estimates(evaluated, n_resamples=n_resamples, seed=seed, confidence=confidence))
    return LocalizationResult(tuple(evaluated), estimates, tuple(excluded), target_class or "")


def _evaluate_image(
    loaded: LoadedModel,
    path: Path,
    mask_path: Path | None,
    methods: tuple[str, ...],
    target_index: int | None,
) -> dict[str, LocalizationMetrics] | str:
    """Return the metrics of one image by map, or the reason why it cannot be evaluated."""
    loaded_image = load_masked_image(loaded, path, mask_path)
    if isinstance(loaded_image, str):
        return loaded_image
    image, mask = loaded_image
    maps = dict(stitched_maps(loaded, image, mask, methods, target_index))
    if not maps:
        raise ModelError("the network's maps are weights of crops, which are not spatial. Use method gradcam")
    if not mask[next(iter(maps.values())).coverage].any():
        return f"no crop of {path.name} contains its lesion"
    return {
        name: localization_metrics(stitched.values, mask != 0, stitched.coverage)
        for name, stitched in maps.items()
    }


def load_masked_image(
    loaded: LoadedModel, path: Path, mask_path: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
    """Decode an image (h, w, 3) for a model, and its mask (h, w); or return the reason why this is not possible.

    Raises
    ------
    DataError
        The mask does not match its image.
    """
    if mask_path is None:
        return f"{path.name} has no mask"
    try:
        image = loaded.card.preprocessing.load_image(path)
    except ImageError as error:
        return str(error)
    mask = load_mask(mask_path, (image.shape[0], image.shape[1]), image_path=path)
    return (image, mask) if mask.any() else f"the mask {mask_path} is empty"


def stitched_maps(
    loaded: LoadedModel,
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    methods: tuple[str, ...],
    target_index: int | None,
) -> Iterator[tuple[str, StitchedMap]]:
    """Yield (name, map) of each spatial map on the pixels of the image.

    Parameters
    ----------
    loaded
        Model with its card.
    image
        Decoded RGB image, (h, w, 3).
    mask
        Its lesion mask, (h, w), for a model that crops around the lesion.
    methods
        As for ``explain``.
    target_index
        Index of the class that gradient maps and CAM explain; None: the class with the highest score.
    """
    preprocessing = loaded.card.preprocessing
    region = None if preprocessing.roi_margin is None else lesion_bounding_box(mask, preprocessing.roi_margin)
    height, width = image.shape[:2]
    boxes = preprocessing.crop_boxes(height, width, region)
    crops = preprocessing.prepare_input(image, region).to(next(loaded.model.parameters()).device)
    if target_index is None:
        target_index = int(predict_image_scores(loaded, crops).argmax())
    maps = compute_maps(loaded.model, crops, methods=methods, target_index=target_index)
    for name, values in maps.items():
        for map_name, crop_maps in _spatial_maps(name, values.cpu().numpy()):
            yield map_name, stitch(crop_maps, boxes, height=height, width=width)


def _spatial_maps(name: str, values: NDArray[np.floating]) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Yield the maps (n, h, w) of one array: itself, or one for each head; nothing for weights of crops."""
    if values.ndim == 3:
        yield name, values
    if values.ndim == 4:
        for head in range(values.shape[1]):
            yield f"{name}-{head}", values[:, head]


def _estimates(
    images: list[ImageLocalization], *, n_resamples: int, seed: int, confidence: float
) -> Iterator[Estimate]:
    """Yield the mean over images of each metric of each map, with its interval over lesions."""
    lesions = np.array([image.lesion_id for image in images])
    resamples = list(cluster_bootstrap_weights(lesions, n_resamples=n_resamples, seed=seed))
    for map_name in images[0].maps:
        metrics = np.array([image.maps[map_name] for image in images])
        means = [weights @ metrics / weights.sum(axis=1, keepdims=True) for weights in resamples]
        for column, metric in enumerate(LOCALIZATION_METRICS):
            mean, low, high = float(metrics[:, column].mean()), np.nan, np.nan
            if means:
                low, high, _ = percentile_interval(np.concatenate(means)[:, column], confidence=confidence)
            yield Estimate(metric, map_name, mean, low, high)


def write_localization(folder: Path, result: LocalizationResult) -> None:
    """Write ``images.csv`` (one row per image and map), ``summary.csv`` and ``excluded.csv``."""
    rows = [
        (image.image_id, image.lesion_id, image.diagnosis, name, *(f"{value:.6g}" for value in metrics))
        for image in result.images
        for name, metrics in image.maps.items()
    ]
    _write_rows(
        folder / "images.csv", ("image_id", "lesion_id", "diagnosis", "map", *LOCALIZATION_METRICS), rows
    )
    means = [
        (
            str(estimate.scope),
            estimate.metric,
            *(f"{value:.6g}" for value in (estimate.value, estimate.low, estimate.high)),
        )
        for estimate in result.estimates
    ]
    _write_rows(folder / "summary.csv", ("map", "measure", "mean", "low", "high"), means)
    _write_rows(folder / "excluded.csv", ("image_id", "reason"), list(result.excluded))


def localization_table(result: LocalizationResult) -> Table:
    """Return a table for the terminal: means with intervals, one row per map."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Map")
    for metric in LOCALIZATION_METRICS:
        table.add_column(LOCALIZATION_TITLES[metric], justify="right")
    for name in dict.fromkeys(str(estimate.scope) for estimate in result.estimates):
        cells = [format_with_interval(estimate) for estimate in result.estimates if estimate.scope == name]
        table.add_row(name, *cells)
    return table


def _write_rows(path: Path, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    write_csv_columns(path, dict(zip(names, cells, strict=True)))
