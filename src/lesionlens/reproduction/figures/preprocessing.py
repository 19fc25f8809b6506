"""Figure of images before and after preprocessing (Zhang et al. 2019, Figs. 8 and 10; Yan 2020, Fig. 3.4)."""

import numpy as np
from numpy import ndarray

from lesionlens.core.errors import RunError
from lesionlens.explanation.overlay import limit_size
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.load import load_image
from lesionlens.imaging.masks import load_mask
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.saved_model import load_saved_model
from lesionlens.reproduction.figures.attention_maps import FIGURE_MAX_SIZE
from lesionlens.reproduction.figures.base import CaptionedFigure, panels_with_matched_runs
from lesionlens.reproduction.figures.image_grid import GridCell, GridRow, image_grid_figure
from lesionlens.reproduction.figures.image_selection import SelectedImage, select_images
from lesionlens.reproduction.planner import TableResults

COLOR_CONSTANCY_TITLES = {
    "gray-world": "gray-world color constancy",
    "shades-of-gray": "shades-of-gray color constancy",
}


def preprocessing_figure(results: TableResults) -> CaptionedFigure | None:
    """Show the original images, then each panel's preprocessing: colors, hair removal, lesion mask, crop to the lesion.

    Masks are shown if the recipes use a folder of masks, or crop to the lesion.

    Raises
    ------
    LesionLensError
        A run, image or mask cannot be read, or no panel's recipe changes its images.
    """
    panels, notes = panels_with_matched_runs(results)
    spec = results.spec.figure
    if not panels or spec is None:
        return None
    selection = select_images(panels, spec.image_selection, spec.count)
    cards = [load_saved_model(panel.cells[0].run_dir.best_model).card for panel in panels]
    distinct = {
        (
            card.preprocessing.color_constancy,
            card.preprocessing.hair_removal,
            card.preprocessing.roi_margin,
        ): card
        for card in cards
    }
    with_masks = any(panel.cells[0].recipe.data.mask_dir for panel in panels)
    rows = [
        row
        for card in distinct.values()
        for row in _processed_rows(card.preprocessing, selection.images, with_masks=with_masks)
    ]
    if not rows:
        raise RunError(
            "the figure shows images before and after preprocessing, but its rows' recipes do not change them; one of "
            "them needs data.color_constancy, data.hair_removal, data.mask_dir or crops.roi_margin"
        )
    side = cards[0].preprocessing.max_short_side
    originals = [
        GridCell(limit_size(load_image(image.path, max_short_side=side), FIGURE_MAX_SIZE), image.caption)
        for image in selection.images
    ]
    figure = image_grid_figure([GridRow("original", originals), *rows])
    return CaptionedFigure(figure, spec.caption, (*notes, *selection.notes), is_vector=False)


def _processed_rows(
    preprocessing: Preprocessing, images: list[SelectedImage], *, with_masks: bool
) -> list[GridRow]:
    """Return a row for color and hair, and rows for mask and crop; none for steps that are not used."""
    decoded = [preprocessing.load_image(image.path) for image in images]
    rows = []
    steps = [
        COLOR_CONSTANCY_TITLES.get(preprocessing.color_constancy, ""),
        "hair removed" if preprocessing.hair_removal else "",
    ]
    if any(steps):
        cells = [GridCell(limit_size(pixels, FIGURE_MAX_SIZE)) for pixels in decoded]
        rows.append(GridRow(", ".join(filter(None, steps)), cells))
    pairs = list(zip(images, decoded, strict=True))
    if with_masks or preprocessing.roi_margin is not None:
        rows.append(GridRow("lesion mask", [_mask_cell(image, pixels) for image, pixels in pairs]))
    if preprocessing.roi_margin is not None:
        cells = [_crop_cell(preprocessing, image, pixels) for image, pixels in pairs]
        rows.append(GridRow("crop to the lesion", cells))
    return rows


def _mask_cell(selected: SelectedImage, image: ndarray) -> GridCell | None:
    if selected.mask is None:
        return None
    mask = load_mask(selected.mask, (image.shape[0], image.shape[1]), image_path=selected.path)
    return GridCell(limit_size(np.repeat(mask[..., None], 3, axis=2), FIGURE_MAX_SIZE))


def _crop_cell(preprocessing: Preprocessing, selected: SelectedImage, image: ndarray) -> GridCell:
    """Return the region of the image that crops are taken from; without a mask the full image."""
    region = preprocessing.lesion_roi(image, selected.mask, source=selected.path)
    full_image = CropBox(0, 0, image.shape[0], image.shape[1])
    return GridCell(
        limit_size(image[(region or full_image).slices()], FIGURE_MAX_SIZE),
        "" if region else "no mask: full image",
    )
