"""Images before and after what a recipe does to them (Zhang et al. 2019, Figs. 8 and 10)."""

import numpy as np
from numpy import ndarray

from lesionlens.core.errors import RunError
from lesionlens.explanation.overlay import limit_size
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.load import load_image
from lesionlens.imaging.masks import load_mask
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.saved_model import load_model
from lesionlens.reproduction.figures.attention_maps import FIGURE_MAX_SIZE
from lesionlens.reproduction.figures.base import FigureDraft, panels_with_matched_runs
from lesionlens.reproduction.figures.image_grid import (
    GridCell,
    GridRow,
    SelectedImage,
    image_grid_figure,
    select_images,
)
from lesionlens.reproduction.planner import TableResults

COLOR_CONSTANCY_TITLES = {
    "gray-world": "gray-world colour constancy",
    "shades-of-gray": "shades-of-gray colour constancy",
}


def preprocessing_figure(results: TableResults) -> FigureDraft | None:
    """Draw the images as they came, then as each panel's network sees them: colours, hair, the cut to the lesion.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or no panel's recipe does anything to its images.
    """
    found, notes = panels_with_matched_runs(results)
    figure = results.spec.figure
    if not found or figure is None:
        return None
    choice = select_images(found, figure.image_selection, figure.count)
    seeing = [load_model(each.cells[0].run_dir.best_model).card.preprocessing for each in found]
    different = {(each.color_constancy, each.hair_removal, each.roi_margin): each for each in seeing}
    lines = [line for each in different.values() for line in _processed_rows(each, choice.images)]
    if not lines:
        raise RunError(
            "the figure shows images before and after, but its rows' recipes leave images as they are; one of them "
            "needs data.color_constancy, data.hair_removal or crops.roi_margin"
        )
    side = seeing[0].max_short_side
    before = [
        GridCell(limit_size(load_image(one.path, max_short_side=side), FIGURE_MAX_SIZE), one.caption)
        for one in choice.images
    ]
    drawn = image_grid_figure([GridRow("original", before), *lines])
    return FigureDraft(drawn, figure.caption, (*notes, *choice.notes), is_vector=False)


def _processed_rows(preprocessing: Preprocessing, images: list[SelectedImage]) -> list[GridRow]:
    """Give the lines for what is done: to light and hair, then mask and cut; none where nothing is."""
    decoded = [preprocessing.load_image(one.path) for one in images]
    lines = []
    done = [
        COLOR_CONSTANCY_TITLES.get(preprocessing.color_constancy, ""),
        "hair removed" if preprocessing.hair_removal else "",
    ]
    if any(done):
        shown = [GridCell(limit_size(image, FIGURE_MAX_SIZE)) for image in decoded]
        lines.append(GridRow(", ".join(filter(None, done)), shown))
    if preprocessing.roi_margin is not None:
        pairs = list(zip(images, decoded, strict=True))
        lines.append(GridRow("lesion mask", [_mask_cell(one, image) for one, image in pairs]))
        lines.append(
            GridRow("cut to the lesion", [_crop_cell(preprocessing, one, image) for one, image in pairs])
        )
    return lines


def _mask_cell(selected: SelectedImage, image: ndarray) -> GridCell | None:
    if selected.mask is None:
        return None
    mask = load_mask(selected.mask, (image.shape[0], image.shape[1]), image_path=selected.path)
    return GridCell(limit_size(np.repeat(mask[..., None], 3, axis=2), FIGURE_MAX_SIZE))


def _crop_cell(preprocessing: Preprocessing, selected: SelectedImage, image: ndarray) -> GridCell:
    """Cut the box that the crops lie in; without a mask the whole image is seen."""
    region = preprocessing.lesion_roi(image, selected.mask, path=selected.path)
    whole = CropBox(0, 0, image.shape[0], image.shape[1])
    return GridCell(
        limit_size(image[(region or whole).slices()], FIGURE_MAX_SIZE),
        "" if region else "no mask: seen whole",
    )
