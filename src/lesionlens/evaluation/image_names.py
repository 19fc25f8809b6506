"""Names of images that two files may write differently: with or without folders and image endings."""

from pathlib import PurePosixPath

import numpy as np

from lesionlens.data.layout import IMAGE_SUFFIXES
from lesionlens.evaluation.prediction_table import Texts


def matching(one: Texts, other: Texts) -> tuple[Texts, Texts]:
    """Write both lists of names, (n,) and (m,), in the way in which they name the same images.

    Tried in turn: as they are, without image endings, without folders too. A way that makes two names of one
    list equal is not taken. Where none makes them match, the barest way allowed is given.

    Examples
    --------
    >>> matching(np.array(["a"]), np.array(["photos/a.jpg"]))
    (array(['a'], dtype='<U1'), array(['a'], dtype='<U1'))
    """
    best = one, other
    for way in (str, _without_ending, _bare):
        names = np.array([way(str(name)) for name in one]), np.array([way(str(name)) for name in other])
        if way is not str and any(len(np.unique(each)) < len(each) for each in names):
            continue
        best = names
        if set(names[0].tolist()) == set(names[1].tolist()):
            break
    return best


def _without_ending(name: str) -> str:
    """Drop an image's ending; a dot elsewhere in a name stays."""
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_SUFFIXES else str(path)


def _bare(name: str) -> str:
    return PurePosixPath(_without_ending(name)).name
