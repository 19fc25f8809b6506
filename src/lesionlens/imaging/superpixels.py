"""Dermoscopic features as masks: the superpixels of ISIC 2017 part 2, and all else that a table's row can name.

The organisers cut each image into superpixels, and experts' outlines were told as one flag for each superpixel
and feature. Codella et al. 2018, arXiv:1710.05006, section 2; turned back into binary masks of pixels as
Kawahara & Hamarneh 2018 did (J. Biomed. Health Inform. 23:578), which is what the AttnMel thesis trains with.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lesionlens.core.errors import DataError
from lesionlens.imaging.decode import read_binary_mask, read_rgb
from lesionlens.imaging.masks import BinaryMask, same_aspect_ratio

ISIC2017_FEATURES = ("pigment_network", "negative_network", "streaks", "milia_like_cyst")
"""What was annotated in 2017."""


def superpixel_labels(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint32]:
    """Decode the number of each pixel's superpixel, (h, w), from the colours (h, w, 3) that carry it.

    The organisers' code: red + 256 green + 65,536 blue.

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
    """Give the mask of each feature: the pixels whose superpixel carries its flag.

    Parameters
    ----------
    labels
        Number of each pixel's superpixel, (h, w), counted from 0.
    features
        By feature one flag, 0 or 1, for each superpixel.

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
    """Read ``ID_superpixels.png`` with ``ID_features.json``: a mask (h, w) for each feature told.

    Raises
    ------
    DataError
        One of them cannot be read, or they do not belong together.
    """
    labels = superpixel_labels(read_rgb(superpixels))
    try:
        told = json.loads(features.read_text(encoding="utf-8"))
        if not isinstance(told, dict):
            raise DataError("it holds no flags by feature")
        return feature_masks(labels, told)
    except (OSError, ValueError, TypeError, RecursionError, DataError) as error:
        raise DataError(
            f"{features} does not fit {superpixels}: {error}. Fetch both again from ISIC 2017 part 2"
        ) from error


def union_of_features(feature_mask_paths: str, size: tuple[int, int]) -> npt.NDArray[np.uint8] | None:
    """Give the union of all dermoscopic features that a row of a table names.

    Parameters
    ----------
    feature_mask_paths
        The row's cell: files joined by ``;``. A ``*_superpixels.png`` goes with a ``.json``; any other file is
        a mask, black where there is no feature (``ID_attribute_NAME.png`` of ISIC 2018 task 2, or the
        structures of a synthetic set, 16 bits).
    size
        Height and width of the image as it is used; masks are brought to it by the nearest pixel.

    Returns
    -------
    numpy.ndarray or None
        255 in the union and 0 outside, (h, w); all 0 where an annotated image shows no feature. None where
        nothing was annotated: the cell is empty.

    Raises
    ------
    DataError
        A file cannot be read, has not the image's proportions, or its other half is not named.
    """
    paths = [Path(part) for part in feature_mask_paths.split(";") if part]
    if not paths:
        return None
    union = np.zeros(size, dtype=np.uint8)
    for path, mask in _read_feature_files(paths):
        _check_aspect_ratio(path, mask.shape, size)
        height, width = size
        fitted = Image.fromarray(mask.astype(np.uint8) * 255).resize(
            (width, height), Image.Resampling.NEAREST
        )
        np.maximum(union, np.asarray(fitted), out=union)
    return union


def _read_feature_files(paths: Sequence[Path]) -> list[tuple[Path, BinaryMask]]:
    """Read each file, superpixels together with their flags."""
    tables = [path for path in paths if path.suffix.lower() == ".json"]
    coded = [path for path in paths if path.stem.endswith("_superpixels")]
    if len(tables) != len(coded):
        lone = (tables + coded)[0]
        raise DataError(
            f"{lone} comes alone: superpixels need their flags, ID_superpixels.png;ID_features.json"
        )
    pairs = list(zip(coded, tables, strict=True))
    masks = [(image, mask) for image, flags in pairs for mask in read_feature_masks(image, flags).values()]
    return masks + [(path, read_binary_mask(path)) for path in paths if path not in (*tables, *coded)]


def _check_aspect_ratio(path: Path, actual: tuple[int, ...], expected: tuple[int, int]) -> None:
    if not same_aspect_ratio(actual, expected):
        raise DataError(
            f"{path} is {actual[1]} × {actual[0]} pixels, its image {expected[1]} × {expected[0]}: "
            "a mask must have the proportions of its image. Fetch it again, or take it away"
        )
