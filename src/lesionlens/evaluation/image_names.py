"""Names of images that two files may write differently: with or without folders and image endings."""

from pathlib import PurePosixPath

import numpy as np

from lesionlens.data.layout import IMAGE_SUFFIXES
from lesionlens.evaluation.prediction_table import StrArray


def normalize_image_ids(ids_a: StrArray, ids_b: StrArray) -> tuple[StrArray, StrArray]:
    """Write both lists of names, (n,) and (m,), in the way in which they name the same images.

    Tried in turn: as they are, without image endings, without folders too. A way that makes two names of one
    list equal is not taken. Where none makes them match, the barest way allowed is given.

    Examples
    --------
    >>> matching(np.array(["a"]), np.array(["photos/a.jpg"]))
    (array(['a'], dtype='<U1'), array(['a'], dtype='<U1'))
    """
    best = ids_a, ids_b
    for way in (str, _strip_extension, _strip_directories):
        names = np.array([way(str(name)) for name in ids_a]), np.array([way(str(name)) for name in ids_b])
        if way is not str and any(len(np.unique(each)) < len(each) for each in names):
            continue
        best = names
        if set(names[0].tolist()) == set(names[1].tolist()):
            break
    return best


def _strip_extension(name: str) -> str:
    """Drop an image's ending; a dot elsewhere in a name stays."""
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else str(path)


def _strip_directories(name: str) -> str:
    return PurePosixPath(_strip_extension(name)).name
