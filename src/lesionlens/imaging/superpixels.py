"""Masks of dermoscopic features, from the superpixels of ISIC 2017 part 2 or from mask files.

The organizers divided each image into superpixels and published the experts' outlines as one flag per superpixel
and feature (Codella et al. 2018, arXiv:1710.05006, section 2). They are converted back to binary masks as in
Kawahara & Hamarneh 2018 (J. Biomed. Health Inform. 23:578), which the AttnMel thesis trains with.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lesionlens.core.errors import DataError
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.masks import BinaryMask, check_aspect_ratio, read_mask, resize_mask

ISIC2017_FEATURES = ("pigment_network", "negative_network", "streaks", "milia_like_cyst")
"""The features that were annotated in 2017."""


def superpixel_labels(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Decode the superpixel index of each pixel, (h, w), from RGB values (h, w, 3).

    The organizers encode it as red + 256 green + 65,536 blue.

    Examples
    --------
    >>> superpixel_labels(np.array([[[7, 0, 0], [1, 2, 0], [0, 0, 1]]], np.uint8)).tolist()
    [[7, 513, 65536]]
    """
    labels = rgb[..., 2].astype(np.uint32)
    for channel in (1, 0):  # in place: the largest images of 2017 have 30 megapixels
        labels <<= 8
        labels |= rgb[..., channel]
    return labels


def feature_masks(
    labels: npt.NDArray[np.uint32], features: Mapping[str, Sequence[float]]
) -> dict[str, BinaryMask]:
    """Return the mask of each feature: the pixels whose superpixel has its flag set.

    Parameters
    ----------
    labels
        Superpixel index of each pixel, (h, w), from 0.
    features
        For each feature, one flag (0 or 1) per superpixel.

    Raises
    ------
    DataError
        There are more or fewer flags than superpixels, or a flag is neither 0 nor 1.

    Examples
    --------
    >>> masks = feature_masks(np.array([[0, 1], [2, 1]], np.uint32), {"streaks": [0, 1, 0]})
    >>> masks["streaks"].astype(int).tolist()
    [[0, 1], [0, 1]]
    """
    superpixels = int(labels.max(initial=0)) + 1
    masks = {}
    for name, flags in features.items():
        if not isinstance(flags, Sequence) or not set(flags) <= {0, 1}:
            raise DataError(f"the flags of {name} are not a list of 0 and 1")
        if len(flags) != superpixels:
            raise DataError(f"{name} has flags for {len(flags):,} superpixels, the image has {superpixels:,}")
        masks[name] = np.array(flags, dtype=np.bool_)[labels]
    return masks


def read_feature_masks(superpixels: Path, features: Path) -> dict[str, BinaryMask]:
    """Read ``ID_superpixels.png`` and ``ID_features.json``, and return the mask (h, w) of each annotated feature.

    Raises
    ------
    DataError
        One of the files cannot be read, or they do not belong to the same image.
    """
    labels = superpixel_labels(read_rgb(superpixels))
    try:
        flags = json.loads(features.read_text(encoding="utf-8"))
        if not isinstance(flags, dict):
            raise DataError("it is not a JSON object of flags per feature")
        return feature_masks(labels, flags)
    except (OSError, ValueError, TypeError, RecursionError, DataError) as error:
        raise DataError(
            f"{features} does not fit {superpixels}: {error}. Download both again from ISIC 2017 part 2"
        ) from error


def union_of_features(feature_mask_paths: str, size: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
    """Return the union of all dermoscopic features of one table row.

    Parameters
    ----------
    feature_mask_paths
        The cell of the row: files joined by ``;``. A ``*_superpixels.png`` is paired with a ``.json``. Any other file
        is a mask, black outside the features (``ID_attribute_NAME.png`` of ISIC 2018 task 2, or the 16-bit structures
        of a synthetic dataset).
    size
        Height and width of the image as it is used; masks are resized with nearest-neighbor interpolation.

    Returns
    -------
    numpy.ndarray or None
        255 in the union and 0 outside, (h, w); all 0 if the image was annotated but shows no feature. None if the
        image was not annotated: the cell is empty.

    Raises
    ------
    DataError
        A file cannot be read or has another aspect ratio than the image, or one file of a pair is missing.
    """
    paths = [Path(part) for part in feature_mask_paths.split(";") if part]
    if not paths:
        return None
    union = np.zeros(size, dtype=np.uint8)
    for path, mask in _read_feature_files(paths):
        check_aspect_ratio(path, mask.shape, size)
        union[resize_mask(mask, size)] = 255
    return union


def _read_feature_files(paths: Sequence[Path]) -> list[tuple[Path, BinaryMask]]:
    """Read all files, each superpixel file together with its flags."""
    tables = [path for path in paths if path.suffix.lower() == ".json"]
    coded = [path for path in paths if path.stem.endswith("_superpixels")]
    if len(tables) != len(coded):
        raise DataError(
            f"{(tables + coded)[0]} is not part of a pair: write ID_superpixels.png;ID_features.json"
        )
    pairs = list(zip(coded, tables, strict=True))
    masks = [(image, mask) for image, flags in pairs for mask in read_feature_masks(image, flags).values()]
    unpaired = [path for path in paths if path not in (*tables, *coded)]
    return masks + [(path, read_mask(path, nonzero=True)) for path in unpaired]
