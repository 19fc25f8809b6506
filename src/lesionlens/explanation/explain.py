"""Attention maps and explanations of image files, rendered as overlays and panels."""

import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from torch import Tensor

from lesionlens.core.errors import DataError, ImageError, ModelError, unknown_name_message
from lesionlens.core.figure_style import warn_about_missing_glyphs
from lesionlens.core.list_arguments import as_name_list
from lesionlens.core.taxonomy import match_class
from lesionlens.core.types import ProgressCallback
from lesionlens.datasets.folder_walk import PANEL_SUFFIX
from lesionlens.explanation.cam import eval_mode
from lesionlens.explanation.cell_positions import cell_grids
from lesionlens.explanation.crop_frames import draw_crop_frames
from lesionlens.explanation.methods import compute_maps_by_name
from lesionlens.explanation.overlay import image_grid, limit_size, overlay, raw_map_image
from lesionlens.explanation.panel import panel, write_png
from lesionlens.explanation.score_drop import ScoreDrop, compute_score_drops
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import missing_mask_warning
from lesionlens.imaging.sources import ImageSource, as_image_list, read_image
from lesionlens.imaging.stitching import CellGrid, resize_boxes, stitch
from lesionlens.models.base import Classifier
from lesionlens.models.map_titles import RAW_SUFFIX
from lesionlens.models.saved_model import LoadedModel, load_saved_model
from lesionlens.models.tta import predict_proba

MAX_OVERLAY_SIZE = 1024  # pixels of the longer side: structures are visible, and files stay small


class Explanation(NamedTuple):
    """Explanation of one image.

    Attributes
    ----------
    image
        RGB image, (h, w, 3).
    overlays
        Overlay of each map by name, with the aspect ratio of the image, and raw maps if they were requested.
    scores
        Model score of each class.
    target_class
        Class that CAM methods explain.
    score_drops
        Score of this class without the pixels that each map marks most, if requested.
    missing_mask
        Whether a model that crops to the lesion used the complete image, because there is no mask or it is empty.
    """

    image: ndarray
    overlays: dict[str, ndarray]
    scores: dict[str, float]
    target_class: str
    score_drops: dict[str, ScoreDrop]
    missing_mask: bool


def explain(
    model: LoadedModel | Path | str,
    images: Iterable[ImageSource],
    out: Path | str,
    *,
    methods: Iterable[str] = ("auto",),
    target_class: str | None = None,
    labels: Mapping[Path, str] | Mapping[str, str] | None = None,
    masks: Mapping[Path, Path] | Mapping[str, str] | None = None,
    raw_maps: bool = False,
    on_progress: ProgressCallback | None = None,
) -> list[Path]:
    """Write the overlays of images: one PNG file per map, and a panel with all of them.

    Existing files are overwritten, which a warning states first. Images that cannot be read, or whose mask does not
    match, are skipped; one warning at the end lists them. Another warning counts the images without a mask that a model
    that crops around the lesion used uncropped. A third one names characters that panels show as boxes because no
    installed font has them.

    Parameters
    ----------
    model
        Loaded model, or the directory of a saved model or of a run.
    images
        Image files, and images in memory as for ``read_image``, which are called ``image_1``, ``image_2`` and so on by
        their position.
    out
        Output directory for ``<stem>.<map>.png`` and ``<stem>.panel.png``.
    methods
        ``attention`` (the network's attention maps), ``attention-features`` (the attention feature map of each block of
        an ARL-CNN), ``heads`` (each head of soft attention), ``cam``, ``gradcam``, ``gradcam++``, ``layercam``, or
        ``auto`` (default: attention if the network has maps, and gradcam if possible), or ``all`` that work except
        ``attention-features`` and ``heads``.
    target_class
        Class that ``cam`` … ``layercam`` explain; default the class with the highest score of each image.
    labels
        True class of each image by its path or name, for the panel.
    masks
        Lesion mask of each image by its path or name, for a model that crops around the lesion; an image without one is
        used uncropped.
    raw_maps
        Whether each map is also rendered without its image, to ``<stem>.<map>.raw.png`` and into the panel.
    on_progress
        Called with the numbers of processed and of all images.

    Returns
    -------
    list of Path
        Written files, the panel of each image last.

    Raises
    ------
    ModelError
        A class or method does not exist or does not work on the network.
    ImageError
        None of the images can be read.
    TypeError
        ``images`` is one path or image, not a list, or ``methods`` is one name.
    """
    loaded = model if isinstance(model, LoadedModel) else load_saved_model(model, device="auto")
    methods = as_name_list(methods, "methods")
    sources = as_image_list(images, "images")
    files = [
        Path(source if isinstance(source, str | os.PathLike) else f"image_{number}")
        for number, source in enumerate(sources, start=1)
    ]
    label_of = {Path(path): label for path, label in (labels or {}).items()}
    mask_of = {Path(path): Path(mask) for path, mask in (masks or {}).items()}
    out = Path(out)
    stems = unique_output_stems(files)
    _warn_about_overwriting(out, stems)
    written: list[Path] = []
    failures: list[str] = []
    uncropped: list[str] = []
    for number, (source, path, stem) in enumerate(zip(sources, files, stems, strict=True)):
        if on_progress is not None:
            on_progress(number, len(files))
        try:
            explanation = explain_image(
                loaded, source, mask=mask_of.get(path), methods=methods, target_class=target_class, raw_maps=raw_maps,
                score_drops=True,
            )  # fmt: skip
        except DataError as error:
            failures.append(str(error) if isinstance(source, str | os.PathLike) else f"{path}: {error}")
            continue
        if explanation.missing_mask:
            uncropped.append(path.name)
        written += _write_explanation(explanation, out, stem, name=path.name, label=label_of.get(path, ""))
    if on_progress is not None:
        on_progress(len(files), len(files))
    _report_failures(failures, total=len(files))
    if uncropped:
        warnings.warn(missing_mask_warning(uncropped, num_images=len(files)), stacklevel=2)
    names = [*loaded.card.classes, *label_of.values(), *(path.name for path in files)]
    warn_about_missing_glyphs(" ".join(names), "PNG")
    return written


def explain_image(
    loaded: LoadedModel,
    image: ImageSource,
    *,
    mask: Path | None = None,
    methods: Iterable[str] = ("auto",),
    target_class: str | None = None,
    max_size: int = MAX_OVERLAY_SIZE,
    raw_maps: bool = False,
    score_drops: bool = False,
) -> Explanation:
    """Compute the overlays and scores of one image.

    Scores are those of prediction. Maps are computed for the same test crops without TTA views, placed at the position
    of each crop and averaged where crops overlap; parts of the image outside all crops are shown under white. Overlays
    have the resolution of the image, up to ``max_size``, and not the one that the network reads.

    Parameters
    ----------
    loaded
        Model with its card.
    image
        Image file, or image in memory, as for ``read_image``.
    mask
        Lesion mask file, for a model that crops around the lesion; None: the complete image is used.
    methods, target_class
        As for ``explain``.
    max_size
        Maximum length of the longer side of the overlays in pixels, default 1024.
    raw_maps
        Whether ``overlays`` also has each spatial map without the image, as ``<map>.raw``.
    score_drops
        Whether the score without the pixels that each map marks most is computed, see `compute_score_drops`.

    Raises
    ------
    ModelError
        A class or method does not exist or does not work on the network.
    DataError
        The image or its mask cannot be read, or they do not match.
    """
    classes, preprocessing = loaded.card.classes, loaded.card.preprocessing
    target_class = None if target_class is None else resolve_target_class(target_class, classes)
    pixels = read_image(image)
    decoded = preprocessing.load_image(pixels)
    region = preprocessing.lesion_roi(decoded, mask, source=image)
    crops = preprocessing.prepare_input(decoded, region).to(next(loaded.model.parameters()).device)
    scores: list[float] = predict_image_scores(loaded, crops).tolist()
    target_index = classes.index(target_class) if target_class is not None else int(np.argmax(scores))
    maps = compute_maps(loaded.model, crops, methods=methods, target_index=target_index)
    height, width = decoded.shape[:2]
    shown = limit_size(pixels, max_size)
    boxes = resize_boxes(
        preprocessing.crop_boxes(height, width, region),
        old_size=(height, width),
        new_size=(shown.shape[0], shown.shape[1]),
    )
    grids = cell_grids(loaded.model, crops) if any(values.dim() > 1 for values in maps.values()) else {}
    overlays: dict[str, ndarray] = {}
    for name, tensor in maps.items():
        values = tensor.cpu().numpy()
        grid = grids.get((tensor.shape[-2], tensor.shape[-1])) if tensor.dim() > 1 else None
        overlays[name] = draw_map(shown, values, boxes, grid=grid)
        if raw_maps and values.ndim > 1:  # weights of crops are not spatial
            overlays[name + RAW_SUFFIX] = draw_map(shown, values, boxes, grid=grid, raw=True)
    drops = (
        compute_score_drops(loaded, crops, maps, grids, boxes, (shown.shape[0], shown.shape[1]), target_index)
        if score_drops
        else {}
    )
    return Explanation(
        shown, overlays, dict(zip(classes, scores, strict=True)), classes[target_index], drops,
        missing_mask=region is None and preprocessing.roi_margin is not None,
    )  # fmt: skip


def resolve_target_class(name: str, classes: Sequence[str]) -> str:
    """Return the model's class that a name means: in any spelling, or by its code.

    Raises
    ------
    ModelError
        The model has no such class.
    """
    if not (target_class := match_class(name, classes)):
        raise ModelError(unknown_name_message("class", name, classes))
    return target_class


def predict_image_scores(loaded: LoadedModel, crops: Float[Tensor, "n 3 h w"]) -> Float[Tensor, " k"]:
    """Return the model score of each class for one image, as in prediction: with TTA views."""
    preprocessing = loaded.card.preprocessing
    with eval_mode(loaded.model):
        scores = predict_proba(
            loaded.model,
            crops[None],
            tta=preprocessing.tta,
            aggregate=preprocessing.aggregate,
            multilabel=loaded.card.multilabel,
        )
    return scores[0]


def compute_maps(
    model: Classifier,
    crops: Float[Tensor, "n 3 h w"],
    *,
    methods: Iterable[str] = ("auto",),
    target_index: int | None = None,
) -> dict[str, Float[Tensor, "n ..."]]:
    """Compute the maps of one image by name: all crops at once for a network of crops, otherwise crop by crop.

    Parameters
    ----------
    model
        Any network.
    crops
        Preprocessed crops of the image.
    methods
        As for ``compute_maps_by_name``.
    target_index
        Index of the class to explain, for all crops; default each crop's class with the highest score.

    Returns
    -------
    dict
        Weights of the crops (n,), spatial maps (n, h, w), or maps of each head (n, heads, h, w).

    Raises
    ------
    ModelError
        A method does not exist or does not work on the network.
    """
    methods = tuple(methods)
    target = None if target_index is None else torch.tensor([target_index])
    if model.num_crops is not None:
        maps = compute_maps_by_name(model, crops[None], methods=methods, target=target)
        return {name: values[0] for name, values in maps.items()}
    # crop by crop, because the gradients of many crops at once need much memory
    crop_maps = [compute_maps_by_name(model, crop[None], methods=methods, target=target) for crop in crops]
    return {name: torch.cat([maps[name] for maps in crop_maps]) for name in crop_maps[0]}


def draw_map(
    image: UInt8[ndarray, "h w 3"],
    values: Float[ndarray, "n ..."],
    boxes: Sequence[CropBox],
    *,
    grid: CellGrid | None = None,
    raw: bool = False,
) -> UInt8[ndarray, "out_h out_w 3"]:
    """Render a map on its image: weights as frames, spatial maps as overlays, heads as a grid of overlays.

    Parameters
    ----------
    image
        RGB image, (h, w, 3).
    values
        One map from ``compute_maps``.
    boxes
        Box of each of the n crops, in pixels of the image.
    grid
        Centers of the cells of the map, from ``cell_grids``; default: an even grid.
    raw
        Whether a spatial map is rendered without the image.

    Raises
    ------
    ModelError
        The map contains values that are not finite.
    """
    if values.ndim == 1:
        return draw_crop_frames(image, boxes, values)
    if values.ndim == 4:
        heads = np.moveaxis(values, 1, 0)
        return image_grid([draw_map(image, head, boxes, grid=grid, raw=raw) for head in heads])
    stitched = stitch(values, boxes, height=image.shape[0], width=image.shape[1], grid=grid)
    if raw:
        return raw_map_image(stitched.values, (image.shape[0], image.shape[1]), coverage=stitched.coverage)
    return overlay(image, stitched.values, coverage=stitched.coverage)


def unique_output_stems(paths: Sequence[Path]) -> list[str]:
    """Return each file's name without its suffix, numbered if files of several directories have the same.

    Examples
    --------
    >>> unique_output_stems([Path("a/1.jpg"), Path("b/1.jpg"), Path("b/2.jpg")])
    ['1', '1-2', '2']
    """
    counts: Counter[str] = Counter()
    stems = []
    for path in paths:
        counts[path.stem] += 1
        stems.append(path.stem if counts[path.stem] == 1 else f"{path.stem}-{counts[path.stem]}")
    return stems


def _write_explanation(
    explanation: Explanation, out: Path, stem: str, *, name: str, label: str
) -> Iterator[Path]:
    """Write the overlays and the panel of an image; yield their paths."""
    for map_name, rendered in explanation.overlays.items():
        yield write_png(out / f"{stem}.{map_name}.png", rendered)
    rendered_panel = panel(
        explanation.image,
        explanation.overlays,
        name=name,
        scores=explanation.scores,
        label=label,
        target_class=explanation.target_class,
        score_drops=explanation.score_drops,
    )
    yield write_png(out / f"{stem}{PANEL_SUFFIX}", rendered_panel)


def _warn_about_overwriting(out: Path, stems: Sequence[str]) -> None:
    existing = [stem for stem in stems if (out / f"{stem}{PANEL_SUFFIX}").exists()]
    if existing:
        warnings.warn(
            f"{out} already contains maps of {len(existing)} of {len(stems)} images, for example "
            f"{existing[0]}{PANEL_SUFFIX}: they are overwritten",
            stacklevel=3,
        )


def _report_failures(failures: Sequence[str], *, total: int) -> None:
    if failures and len(failures) == total:
        subject = "the image cannot" if total == 1 else f"none of the {total} images can"
        raise ImageError(f"{subject} be read:\n" + "\n".join(failures))
    if failures:
        listed = "\n".join(failures)
        warnings.warn(f"{len(failures)} of {total} images were skipped:\n{listed}", stacklevel=3)
