"""A model over images with lesion masks: how well each of its maps agrees with them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from lesionlens.core.errors import DataError, ImageError, ModelError, unknown_name_message
from lesionlens.core.tabular import write_csv_columns
from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.file_layout import lesion_mask_paths
from lesionlens.datasets.table import LesionTable
from lesionlens.evaluation.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.evaluation.formatting import format_with_interval
from lesionlens.evaluation.result import Estimate
from lesionlens.explanation.cam import eval_mode
from lesionlens.explanation.explain import compute_maps
from lesionlens.explanation.localization_metrics import LocalizationMetrics, localization_metrics
from lesionlens.imaging.boxes import lesion_bounding_box
from lesionlens.imaging.masks import load_mask
from lesionlens.imaging.stitching import stitch
from lesionlens.models.saved_model import LoadedModel
from lesionlens.models.tta import predict_proba

_RGBImage = NDArray[np.uint8]
LOCALIZATION_METRICS = LocalizationMetrics._fields


@dataclass(frozen=True)
class ImageLocalization:
    """The maps of one image by name."""

    image_id: str
    lesion_id: str
    diagnosis: str
    maps: dict[str, LocalizationMetrics]


@dataclass(frozen=True)
class LocalizationResult:
    """What was measured.

    Attributes
    ----------
    images
        Each image with a mask, in the order of the table.
    estimates
        Mean over images of each measure of each map, with its interval over lesions; ``scope`` is the map's name.
    excluded
        Ids of the images that could not be measured, each with the reason.
    target_class
        The class that gradient maps explain; "" where each image's largest score decides.
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
    """Measure every map of a model against the lesion masks of a table.

    Maps and masks meet on the pixels of the image as it is decoded for the network: the map of each test crop is
    brought to the crop's box bilinearly, maps are averaged where crops overlap, and what no crop showed does not
    count. Then the map is rescaled to [0, 1] over the pixels seen (see `localization_metrics`). Weights of whole
    crops have no places and are passed over; of ``heads`` each is a map of its own.

    Parameters
    ----------
    methods, target_class
        As for `explain`.
    mask_dir
        Folder of masks in place of the table's own, such as predicted ones.
    n_resamples, seed, confidence
        Of the bootstrap over lesions; 0 resamples give no intervals.

    Raises
    ------
    DataError
        A mask that does not fit its image, or not one image that can be measured.
    ModelError
        A class or method that does not exist or does not fit the network, or only weights of crops.
    """
    classes, methods = loaded.card.classes, tuple(methods)
    if target_class is not None and target_class not in classes:
        raise ModelError(unknown_name_message("class", target_class, classes))
    wanted = None if target_class is None else classes.index(target_class)
    measured: list[ImageLocalization] = []
    excluded: list[tuple[str, str]] = []
    rows = table.frame
    ids, lesions, diagnoses = (map(str, rows[name]) for name in ("image_id", "lesion_id", "diagnosis"))
    each = zip(ids, lesions, diagnoses, table.paths, lesion_mask_paths(table, mask_dir), strict=True)
    for number, (image_id, lesion_id, diagnosis, path, mask) in enumerate(each, start=1):
        found = _evaluate_image(loaded, path, mask, methods, wanted)
        if isinstance(found, str):
            excluded.append((image_id, found))
        else:
            measured.append(ImageLocalization(image_id, lesion_id, diagnosis, found))
        if on_progress is not None:
            on_progress(number, len(table))
    if not measured:
        raise DataError(f"not one of {len(table)} images can be measured, for example: {excluded[0][1]}")
    estimates = tuple(_estimates(measured, n_resamples=n_resamples, seed=seed, confidence=confidence))
    return LocalizationResult(tuple(measured), estimates, tuple(excluded), target_class or "")


def _evaluate_image(
    loaded: LoadedModel,
    path: Path,
    mask_path: Path | None,
    methods: tuple[str, ...],
    target_index: int | None,
) -> dict[str, LocalizationMetrics] | str:
    """Measure one image, or say why it cannot be."""
    if mask_path is None:
        return f"{path.name} has no mask"
    try:
        image = loaded.card.preprocessing.load_image(path)
    except ImageError as error:
        return str(error)
    mask = load_mask(mask_path, (image.shape[0], image.shape[1]), image_path=path)
    if not mask.any():
        return f"the mask {mask_path} is empty"
    found = dict(_stitched_maps(loaded, image, mask, methods, target_index))
    if not found:
        raise ModelError(
            "the network's maps are weights of whole crops, which have no places; ask for gradcam"
        )
    if not mask[next(iter(found.values()))[1]].any():
        return f"no crop of {path.name} shows its lesion"
    return {name: localization_metrics(values, mask != 0, seen) for name, (values, seen) in found.items()}


def _stitched_maps(
    loaded: LoadedModel, image: _RGBImage, mask: _RGBImage, methods: tuple[str, ...], target_index: int | None
) -> Iterator[tuple[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]]:
    """Give each map on the image's pixels, and where it was seen."""
    seeing = loaded.card.preprocessing
    region = None if seeing.roi_margin is None else lesion_bounding_box(mask, seeing.roi_margin)
    boxes = seeing.crop_boxes(image.shape[0], image.shape[1], region)
    crops = seeing.prepare_input(image, region).to(next(loaded.model.parameters()).device)
    found = compute_maps(
        loaded.model, crops, methods=methods, target_index=_explained_class(loaded, crops, target_index)
    )
    for name, values in found.items():
        grids = values.cpu().numpy()
        parts = {name: grids} if grids.ndim == 3 else {}
        if grids.ndim == 4:
            parts = {f"{name}-{head}": grids[:, head] for head in range(grids.shape[1])}
        for part, of_crops in parts.items():
            stitched = stitch(of_crops, boxes, height=image.shape[0], width=image.shape[1])
            yield part, (stitched.values, stitched.coverage)


def _explained_class(loaded: LoadedModel, crops: torch.Tensor, target_index: int | None) -> int:
    """Give the class asked for, else that of the largest score."""
    if target_index is not None:
        return target_index
    card = loaded.card
    with eval_mode(loaded.model):
        scores = predict_proba(
            loaded.model,
            crops[None],
            tta=card.preprocessing.tta,
            aggregate=card.preprocessing.aggregate,
            multilabel=card.multilabel,
        )
    return int(scores[0].argmax())


def _estimates(
    results: list[ImageLocalization], *, n_resamples: int, seed: int, confidence: float
) -> Iterator[Estimate]:
    """Average over images, with the interval over lesions."""
    lesions = np.array([each.lesion_id for each in results])
    drawn = list(cluster_bootstrap_weights(lesions, n_resamples=n_resamples, seed=seed))
    for name in results[0].maps:
        table = np.array([each.maps[name] for each in results])
        means = [weights @ table / weights.sum(axis=1, keepdims=True) for weights in drawn]
        for place, measure in enumerate(LOCALIZATION_METRICS):
            value, low, high = float(table[:, place].mean()), np.nan, np.nan
            if means:
                low, high, _ = percentile_interval(np.concatenate(means)[:, place], confidence=confidence)
            yield Estimate(measure, name, value, low, high)


LOCALIZATION_TITLES = {
    "iou": "IoU at 0.5",
    "iou_auc": "IoU AUC",
    "pointing_game": "Pointing game",
    "energy_pointing_game": "Energy pointing game",
}


def write_localization(folder: Path, result: LocalizationResult) -> None:
    """Write ``images.csv`` (a row for each image and map), ``summary.csv`` and ``excluded.csv``."""
    rows = [
        (image.image_id, image.lesion_id, image.diagnosis, name, *(f"{value:.6g}" for value in found))
        for image in result.images
        for name, found in image.maps.items()
    ]
    _write_rows(
        folder / "images.csv", ("image_id", "lesion_id", "diagnosis", "map", *LOCALIZATION_METRICS), rows
    )
    means = [
        (each.scope, each.metric, *(f"{value:.6g}" for value in (each.value, each.low, each.high)))
        for each in result.estimates
    ]
    _write_rows(folder / "summary.csv", ("map", "measure", "mean", "low", "high"), means)
    _write_rows(folder / "excluded.csv", ("image_id", "reason"), list(result.excluded))


def localization_table(result: LocalizationResult) -> Table:
    """Lay out the means and their intervals, a row for each map."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("Map")
    for measure in LOCALIZATION_METRICS:
        table.add_column(LOCALIZATION_TITLES[measure], justify="right")
    for name in dict.fromkeys(each.scope for each in result.estimates):
        table.add_row(name, *(format_with_interval(each) for each in result.estimates if each.scope == name))
    return table


def _write_rows(path: Path, names: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    write_csv_columns(path, dict(zip(names, cells, strict=True)))
