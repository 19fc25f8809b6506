"""Contact sheet of synthetic images, one row per class, for visual inspection of the generator."""

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.imaging.masks import ImageSize
from lesionlens.synthesis.class_priors import CLASS_CODES
from lesionlens.synthesis.sampling import render_images, sample_dataset


def contact_sheet(
    *, per_class: int = 6, seed: int = 0, thumbnail_size: ImageSize = (135, 180), difficulty: float = 0.5
) -> npt.NDArray[np.uint8]:
    """Return a row of ``per_class`` thumbnails (h, w) for each class, in the order of ``CLASS_CODES``.

    Returns
    -------
    ndarray
        RGB image, (7 h, per_class w, 3).
    """
    rows = [
        np.hstack(_class_row(code, per_class, seed + number, thumbnail_size, difficulty))
        for number, code in enumerate(CLASS_CODES)
    ]
    return np.asarray(np.vstack(rows), np.uint8)


def _class_row(
    code: str, count: int, seed: int, thumbnail_size: ImageSize, difficulty: float
) -> list[npt.NDArray[np.uint8]]:
    """Render ``count`` lesions of a class at twice the thumbnail size and downsample them (antialiasing)."""
    h, w = thumbnail_size
    # A lesion has at most four images, so that this many images have enough lesions.
    plans = sample_dataset(4 * count, seed=seed, difficulty=difficulty, class_weights={code: 1.0})[:count]
    large = [next(render_images(plan, (2 * h, 2 * w))).rgb for plan in plans]
    return [np.asarray(cv2.resize(rgb, (w, h), interpolation=cv2.INTER_AREA), np.uint8) for rgb in large]
