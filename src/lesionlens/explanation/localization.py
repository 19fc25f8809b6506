"""Evaluation of a model's attention maps against lesion masks, artifacts and continuous maps of a table's images."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, ImageError, ModelError
from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.artifact_labels import load_artifact_labels
from lesionlens.datasets.file_layout import lesion_mask_paths
from lesionlens.datasets.table import LesionTable
from lesionlens.explanation.cell_positions import cell_grids
from lesionlens.explanation.explain import compute_maps, predict_image_scores, resolve_target_class
from lesionlens.explanation.localization_result import (
    ImageLocalization,
    LocalizationResult,
    MapAverages,
    compare_by_artifact,
)
from lesionlens.explanation.map_metrics import MapMetrics, measure_map
from lesionlens.explanation.map_references import ReferenceFolders, ReferencePaths, find_references
from lesionlens.imaging.boxes import lesion_bounding_box
from lesionlens.imaging.masks import load_mask
from lesionlens.imaging.stitching import StitchedMap, stitch
from lesionlens.models.saved_model import LoadedModel

NO_FOLDERS = ReferenceFolders()


def evaluate_localization(
    loaded: LoadedModel,
    table: LesionTable,
    *,
    methods: Iterable[str] = ("auto",),
    target_class: str | None = None,
    folders: ReferenceFolders = NO_FOLDERS,
    artifact_labels: pd.DataFrame | None = None,
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
    folders
        Directories of masks and maps to compare with, besides what the dataset has.
    artifact_labels
        Labels of the table's rows, as from ``read_artifact_labels``. Default: the dataset's own.
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
    if artifact_labels is None:
        artifact_labels = load_artifact_labels(table)
    evaluated: list[ImageLocalization] = []
    rows_of_evaluated: list[int] = []
    excluded: list[tuple[str, str]] = []
    ids, lesions, diagnoses = (map(str, table.frame[name]) for name in ("image_id", "lesion_id", "diagnosis"))
    rows = zip(ids, lesions, diagnoses, table.paths, find_references(table, folders), strict=True)
    for number, (image_id, lesion_id, diagnosis, path, references) in enumerate(rows):
        result = _evaluate_image(loaded, path, references, methods, target_index)
        if isinstance(result, str):
            excluded.append((image_id, result))
        else:
            evaluated.append(ImageLocalization(image_id, lesion_id, diagnosis, result))
            rows_of_evaluated.append(number)
        if on_progress is not None:
            on_progress(number + 1, len(table))
    if not evaluated:
        raise DataError(f"none of the {len(table)} images can be evaluated, for example: {excluded[0][1]}")
    averages = MapAverages(evaluated, n_resamples=n_resamples, seed=seed, confidence=confidence)
    return LocalizationResult(
        tuple(evaluated),
        tuple(averages.estimates()),
        tuple(excluded),
        target_class or "",
        tuple(compare_by_artifact(averages, artifact_labels.iloc[rows_of_evaluated])),
    )


def _evaluate_image(
    loaded: LoadedModel,
    path: Path,
    references: ReferencePaths,
    methods: tuple[str, ...],
    target_index: int | None,
) -> dict[str, MapMetrics] | str:
    """Return the metrics of one image by map, or the reason why it cannot be evaluated."""
    image_and_mask = _load_with_references(loaded, path, references)
    if isinstance(image_and_mask, str):
        return image_and_mask
    image, mask = image_and_mask
    maps = dict(stitched_maps(loaded, image, mask, methods, target_index))
    if not maps:
        raise ModelError("the network's maps are weights of crops, which are not spatial. Use method gradcam")
    loaded_references = references.load(mask, (image.shape[0], image.shape[1]), image_path=path)
    metrics = {name: measure_map(stitched, loaded_references) for name, stitched in maps.items()}
    if not np.isnan(list(metrics.values())).all():
        return metrics
    content = "its lesion" if not references.has_more_than_lesion else "what its maps are compared with"
    return f"no crop of {path.name} contains {content}"


def _load_with_references(
    loaded: LoadedModel, path: Path, references: ReferencePaths
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
    """Return image and lesion mask; an empty mask if there is none, but another reference and no need to crop."""
    if references.has_more_than_lesion:
        return load_with_optional_mask(loaded, path, references.lesion_mask)
    return load_masked_image(loaded, path, references.lesion_mask)


def load_with_optional_mask(
    loaded: LoadedModel, path: Path, mask_path: Path | None
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | str:
    """Decode an image and its mask as ``load_masked_image``; without a mask it is empty, unless the model crops to it.

    Raises
    ------
    DataError
        The mask does not match its image.
    """
    image_and_mask = load_masked_image(loaded, path, mask_path)
    if not isinstance(image_and_mask, str) or loaded.card.preprocessing.roi_margin is not None:
        return image_and_mask
    try:
        image = loaded.card.preprocessing.load_image(path)
    except ImageError as error:
        return str(error)
    return image, np.zeros((image.shape[0], image.shape[1]), dtype=np.uint8)


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


class MaskedImage(NamedTuple):
    """An image (h, w, 3), decoded for a model, with its lesion and lesion mask (h, w)."""

    image_id: str
    lesion_id: str
    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]


def iter_masked_images(
    loaded: LoadedModel, table: LesionTable, mask_dir: Path | None = None
) -> Iterator[MaskedImage]:
    """Yield each image of a table that has a lesion mask.

    Parameters
    ----------
    mask_dir
        Directory of masks that replace those of the table.

    Raises
    ------
    DataError
        A mask does not match its image, or no image has a mask.
    """
    ids, lesions = (map(str, table.frame[name]) for name in ("image_id", "lesion_id"))
    reason, num_masked = "the table is empty", 0
    for image_id, lesion_id, path, mask_path in zip(
        ids, lesions, table.paths, lesion_mask_paths(table, mask_dir), strict=True
    ):
        image_and_mask = load_masked_image(loaded, path, mask_path)
        if isinstance(image_and_mask, str):
            reason = image_and_mask
            continue
        num_masked += 1
        yield MaskedImage(image_id, lesion_id, *image_and_mask)
    if not num_masked:
        raise DataError(f"none of the {len(table)} images has a lesion mask to compare with: {reason}")


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
    grids = cell_grids(loaded.model, crops)
    for name, values in maps.items():
        for map_name, crop_maps in iter_spatial_maps(name, values.cpu().numpy()):
            grid = grids.get((crop_maps.shape[-2], crop_maps.shape[-1]))
            yield map_name, stitch(crop_maps, boxes, height=height, width=width, grid=grid)


def iter_spatial_maps(name: str, values: NDArray[np.floating]) -> Iterator[tuple[str, NDArray[np.floating]]]:
    """Yield the maps (n, h, w) of one array: itself, or one for each head; nothing for weights of crops."""
    if values.ndim == 3:
        yield name, values
    if values.ndim == 4:
        for head in range(values.shape[1]):
            yield f"{name}-{head}", values[:, head]
