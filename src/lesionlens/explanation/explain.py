"""From image files to pictures of where the network looked."""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lesionlens.core.errors import DataError, ImageError, ModelError, unknown_name_message
from lesionlens.explanation.cam import eval_mode
from lesionlens.explanation.crop_frames import draw_crop_frames
from lesionlens.explanation.methods import compute_maps_by_name
from lesionlens.explanation.overlay import image_grid, limit_size, overlay
from lesionlens.explanation.panel import panel, write_png
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import missing_mask_warning
from lesionlens.imaging.stitching import resize_boxes, stitch
from lesionlens.models.base import Classifier
from lesionlens.models.saved_model import LoadedModel
from lesionlens.models.tta import predict_proba


def compute_maps(
    model: Classifier,
    crops: Float[Tensor, "n 3 h w"],
    *,
    methods: Iterable[str] = ("auto",),
    target_index: int | None = None,
) -> dict[str, Float[Tensor, "n ..."]]:
    """Make one image's maps by name: all crops at once for a network of crops, else one after another.

    Parameters
    ----------
    model
        Any network.
    crops
        The image's preprocessed crops.
    methods, target_index
        As for ``compute_maps_by_name``; the class of all crops.

    Returns
    -------
    dict
        Weights of the crops (n,), maps of places (n, h, w), or maps of each head (n, heads, h, w).

    Raises
    ------
    ModelError
        A method that does not exist or does not fit the network.
    """
    methods = tuple(methods)
    wanted = None if target_index is None else torch.tensor([target_index])
    if model.num_crops is not None:
        found = compute_maps_by_name(model, crops[None], methods=methods, target=wanted)
        return {name: values[0] for name, values in found.items()}
    # one by one: the gradients of many crops at once would take much memory
    each = [compute_maps_by_name(model, crop[None], methods=methods, target=wanted) for crop in crops]
    return {name: torch.cat([found[name] for found in each]) for name in each[0]}


def draw_map(
    image: UInt8[ndarray, "h w 3"], values: Float[ndarray, "n ..."], boxes: Sequence[CropBox]
) -> UInt8[ndarray, "out_h out_w 3"]:
    """Draw a map over its image: weights as frames, places in colour, heads as a sheet of many small pictures.

    Parameters
    ----------
    image
        RGB, (h, w, 3).
    values
        One map of ``compute_maps``.
    boxes
        Where each of the n crops lies in the image.

    Raises
    ------
    ModelError
        The map holds values that are not finite.
    """
    if values.ndim == 1:
        return draw_crop_frames(image, boxes, values)
    if values.ndim == 4:
        return image_grid([draw_map(image, head, boxes) for head in np.moveaxis(values, 1, 0)])
    found = stitch(values, boxes, height=image.shape[0], width=image.shape[1])
    return overlay(image, found.values, coverage=found.coverage)


MAX_OVERLAY_SIZE = 1024  # pixels of an overlay: enough to see structures, small enough to keep many


class Explanation(NamedTuple):
    """One image, (h, w, 3), its overlays of the same aspect, its score for each class, and the class explained."""

    image: ndarray
    overlays: dict[str, ndarray]
    scores: dict[str, float]
    target_class: str


def explain(
    loaded: LoadedModel,
    paths: Iterable[Path | str],
    out: Path,
    *,
    methods: Iterable[str] = ("auto",),
    target_class: str | None = None,
    labels: Mapping[Path, str] | None = None,
    masks: Mapping[Path, Path] | None = None,
) -> list[Path]:
    """Draw the maps of images over them: one PNG for each map, and a panel with all of them.

    An image that cannot be read, or whose mask does not fit, is left out; one warning at the end names all of these,
    and one says how many are seen whole by a model that looks at the box around the lesion.

    Parameters
    ----------
    loaded
        A model with its card.
    paths
        Image files.
    out
        Folder for ``<stem>.<map>.png`` and ``<stem>.panel.png``.
    methods
        ``attention`` (the network's own maps), ``heads`` (each head of soft attention), ``cam``, ``gradcam``,
        ``gradcam++``, ``layercam``, or ``auto`` (attention where the network has maps, and gradcam where it fits).
    target_class
        Class that ``cam`` … ``layercam`` explain; by default each image's class with the highest score.
    labels
        True classes, for the panel.
    masks
        Lesion masks, for a model that looks at the box around the lesion; an image without one is seen whole.

    Returns
    -------
    list of Path
        The files, the panel of each image last.

    Raises
    ------
    ModelError
        A class or method that does not exist or does not fit the network.
    ImageError
        None of the images can be read.
    """
    written: list[Path] = []
    problems: list[str] = []
    whole: list[str] = []
    files, methods = [Path(path) for path in paths], tuple(methods)
    for path, stem in zip(files, unique_output_stems(files), strict=True):
        try:
            image = loaded.card.preprocessing.load_image(path)
            region = loaded.card.preprocessing.lesion_roi(image, (masks or {}).get(path), path=path)
        except DataError as error:
            problems.append(str(error))
            continue
        if region is None and loaded.card.preprocessing.roi_margin is not None:
            whole.append(path.name)
        shown = explain_image(loaded, image, region=region, methods=methods, target_class=target_class)
        written += [write_png(out / f"{stem}.{name}.png", each) for name, each in shown.overlays.items()]
        label = (labels or {}).get(path, "")
        together = panel(
            shown.image,
            shown.overlays,
            name=path.name,
            scores=shown.scores,
            label=label,
            target_class=shown.target_class,
        )
        written.append(write_png(out / f"{stem}.panel.png", together))
    _report_failures(problems, total=len(files))
    if whole:
        warnings.warn(missing_mask_warning(whole, num_images=len(files)), stacklevel=2)
    return written


def explain_image(
    loaded: LoadedModel,
    image: UInt8[ndarray, "h w 3"],
    *,
    region: CropBox | None = None,
    methods: Iterable[str] = ("auto",),
    target_class: str | None = None,
    max_size: int = MAX_OVERLAY_SIZE,
) -> Explanation:
    """Make one image's overlays and scores; ``methods`` and ``target_class`` as for ``explain``.

    Scores are those of prediction. Maps are of the same test crops, not turned, each brought back to where it was cut
    and averaged where crops overlap; what no crop showed to the network is veiled in white.

    Parameters
    ----------
    region
        The box in which the crops lie, as ``Preprocessing.lesion_roi`` gives it; None: the whole image.

    Raises
    ------
    ModelError
        A class or method that does not exist or does not fit the network.
    """
    classes, preprocessing = loaded.card.classes, loaded.card.preprocessing
    if target_class is not None and target_class not in classes:
        raise ModelError(unknown_name_message("class", target_class, classes))
    crops = preprocessing.prepare_input(image, region).to(next(loaded.model.parameters()).device)
    with eval_mode(loaded.model):
        found = predict_proba(
            loaded.model,
            crops[None],
            tta=preprocessing.tta,
            aggregate=preprocessing.aggregate,
            multilabel=loaded.card.multilabel,
        )
    scores: list[float] = found[0].tolist()
    wanted = classes.index(target_class) if target_class is not None else int(np.argmax(scores))
    maps = compute_maps(loaded.model, crops, methods=methods, target_index=wanted)
    small = limit_size(image, max_size)
    height, width = image.shape[:2]
    boxes = resize_boxes(
        preprocessing.crop_boxes(height, width, region),
        old_size=(height, width),
        new_size=(small.shape[0], small.shape[1]),
    )
    overlays = {name: draw_map(small, values.cpu().numpy(), boxes) for name, values in maps.items()}
    return Explanation(small, overlays, dict(zip(classes, scores, strict=True)), classes[wanted])


def unique_output_stems(paths: Sequence[Path]) -> list[str]:
    """Give each file's name without its ending, numbered where two folders have the same.

    Examples
    --------
    >>> unique_output_stems([Path("a/1.jpg"), Path("b/1.jpg"), Path("b/2.jpg")])
    ['1', '1-2', '2']
    """
    seen: Counter[str] = Counter()
    stems = []
    for path in paths:
        seen[path.stem] += 1
        stems.append(path.stem if seen[path.stem] == 1 else f"{path.stem}-{seen[path.stem]}")
    return stems


def _report_failures(failures: Sequence[str], *, total: int) -> None:
    if failures and len(failures) == total:
        raise ImageError(f"none of the {total} images can be read:\n" + "\n".join(failures))
    if failures:
        listed = "\n".join(failures)
        warnings.warn(f"{len(failures)} of {total} images left out:\n{listed}", stacklevel=3)
