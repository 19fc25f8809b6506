"""A model over images with lesion masks: how well each of its maps agrees with them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.crops.roi import lesion_box
from lesionlens.crops.stitch import stitch
from lesionlens.data.fitted_mask import fitted_mask
from lesionlens.data.mask_files import lesion_masks
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError, ImageError, ModelError, unknown
from lesionlens.evaluation.evaluation import Estimate
from lesionlens.evaluation.intervals import lesion_weights, percentile_interval
from lesionlens.explanation.image_maps import maps_of_crops
from lesionlens.explanation.quality import MapQuality, map_quality
from lesionlens.explanation.undisturbed import undisturbed
from lesionlens.models.bundle import Loaded
from lesionlens.models.voting import probabilities

Progress = Callable[[int, int], None]
Image = NDArray[np.uint8]
MEASURES = MapQuality._fields


@dataclass(frozen=True)
class ImageQuality:
    """The maps of one image by name."""

    image_id: str
    lesion_id: str
    diagnosis: str
    maps: dict[str, MapQuality]


@dataclass(frozen=True)
class Quality:
    """What was measured.

    Attributes
    ----------
    images
        Each image with a mask, in the order of the table.
    estimates
        Mean over images of each measure of each map, with its interval over lesions; ``of`` is the map's name.
    left_out
        Ids of the images that could not be measured, each with the reason.
    target
        The class that gradient maps explain; "" where each image's largest score decides.
    """

    images: tuple[ImageQuality, ...]
    estimates: tuple[Estimate, ...]
    left_out: tuple[tuple[str, str], ...]
    target: str = ""


def attention_quality(
    loaded: Loaded,
    table: LesionTable,
    *,
    methods: Iterable[str] = ("auto",),
    target: str | None = None,
    masks: Path | None = None,
    replicates: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    progress: Progress | None = None,
) -> Quality:
    """Measure every map of a model against the lesion masks of a table.

    Maps and masks meet on the pixels of the image as it is decoded for the network: the map of each test crop is
    brought to the crop's box bilinearly, maps are averaged where crops overlap, and what no crop showed does not
    count. Then the map is rescaled to [0, 1] over the pixels seen (see `map_quality`). Weights of whole crops have no
    places and are passed over; of ``heads`` each is a map of its own.

    Parameters
    ----------
    methods, target
        As for `explain`.
    masks
        Folder of masks in place of the table's own, such as predicted ones.
    replicates, seed, confidence
        Of the bootstrap over lesions; 0 replicates give no intervals.

    Raises
    ------
    DataError
        A mask that does not fit its image, or not one image that can be measured.
    ModelError
        A class or method that does not exist or does not fit the network, or only weights of crops.
    """
    classes, methods = loaded.card.classes, tuple(methods)
    if target is not None and target not in classes:
        raise ModelError(unknown("class", target, classes))
    wanted = None if target is None else classes.index(target)
    measured: list[ImageQuality] = []
    left_out: list[tuple[str, str]] = []
    rows = table.frame
    ids, lesions, diagnoses = (map(str, rows[name]) for name in ("image_id", "lesion_id", "diagnosis"))
    each = zip(ids, lesions, diagnoses, table.paths, lesion_masks(table, masks), strict=True)
    for number, (image_id, lesion_id, diagnosis, path, mask) in enumerate(each, start=1):
        found = _image(loaded, path, mask, methods, wanted)
        if isinstance(found, str):
            left_out.append((image_id, found))
        else:
            measured.append(ImageQuality(image_id, lesion_id, diagnosis, found))
        if progress is not None:
            progress(number, len(table))
    if not measured:
        raise DataError(f"not one of {len(table)} images can be measured, for example: {left_out[0][1]}")
    estimates = tuple(_estimates(measured, replicates=replicates, seed=seed, confidence=confidence))
    return Quality(tuple(measured), estimates, tuple(left_out), target or "")


def _image(
    loaded: Loaded, path: Path, file: Path | None, methods: tuple[str, ...], target: int | None
) -> dict[str, MapQuality] | str:
    """Measure one image, or say why it cannot be."""
    if file is None:
        return f"{path.name} has no mask"
    try:
        image = loaded.card.preprocessing.decode(path)
    except ImageError as error:
        return str(error)
    mask = fitted_mask(file, (image.shape[0], image.shape[1]), image=path)
    if not mask.any():
        return f"the mask {file} is empty"
    found = dict(_maps(loaded, image, mask, methods, target))
    if not found:
        raise ModelError(
            "the network's maps are weights of whole crops, which have no places; ask for gradcam"
        )
    if not mask[next(iter(found.values()))[1]].any():
        return f"no crop of {path.name} shows its lesion"
    return {name: map_quality(values, mask != 0, seen) for name, (values, seen) in found.items()}


def _maps(
    loaded: Loaded, image: Image, mask: Image, methods: tuple[str, ...], target: int | None
) -> Iterator[tuple[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]]:
    """Give each map on the image's pixels, and where it was seen."""
    seeing = loaded.card.preprocessing
    region = None if seeing.roi is None else lesion_box(mask, seeing.roi)
    boxes = seeing.boxes(image.shape[0], image.shape[1], region)
    crops = seeing.prepare(image, region).to(next(loaded.model.parameters()).device)
    found = maps_of_crops(loaded.model, crops, methods=methods, target=_explained(loaded, crops, target))
    for name, values in found.items():
        grids = values.cpu().numpy()
        parts = {name: grids} if grids.ndim == 3 else {}
        if grids.ndim == 4:
            parts = {f"{name}-{head}": grids[:, head] for head in range(grids.shape[1])}
        for part, of_crops in parts.items():
            stitched = stitch(of_crops, boxes, height=image.shape[0], width=image.shape[1])
            yield part, (stitched.values, stitched.seen)


def _explained(loaded: Loaded, crops: torch.Tensor, target: int | None) -> int:
    """Give the class asked for, else that of the largest score."""
    if target is not None:
        return target
    card = loaded.card
    with undisturbed(loaded.model):
        scores = probabilities(
            loaded.model,
            crops[None],
            turns=card.preprocessing.turns,
            average=card.preprocessing.average,
            independent=card.independent,
        )
    return int(scores[0].argmax())


def _estimates(
    measured: list[ImageQuality], *, replicates: int, seed: int, confidence: float
) -> Iterator[Estimate]:
    """Average over images, with the interval over lesions."""
    lesions = np.array([each.lesion_id for each in measured])
    drawn = list(lesion_weights(lesions, replicates=replicates, seed=seed))
    for name in measured[0].maps:
        table = np.array([each.maps[name] for each in measured])
        means = [weights @ table / weights.sum(axis=1, keepdims=True) for weights in drawn]
        for place, measure in enumerate(MEASURES):
            value, low, high = float(table[:, place].mean()), np.nan, np.nan
            if means:
                low, high, _ = percentile_interval(np.concatenate(means)[:, place], confidence=confidence)
            yield Estimate(measure, name, value, low, high)
