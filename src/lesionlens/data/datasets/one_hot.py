"""The ground truth of the later ISIC challenges: a column for each class, 1 in one of them and 0 in the others."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from lesionlens.data.problems import IssueCollector
from lesionlens.data.sheet import read_table
from lesionlens.errors import DataError


def read_one_hot(path: Path, codes: Mapping[str, str], issues: IssueCollector) -> pd.DataFrame:
    """Read the file with its other columns as they are, ``image`` as ``image_id`` and the class as ``diagnosis``.

    Parameters
    ----------
    path
        The CSV file.
    codes
        Column to canonical diagnosis.
    issues
        Where rows without exactly one 1 are noted; they are dropped.

    Raises
    ------
    DataError
        The column ``image`` or that of a class is missing.
    """
    truth = read_table(path)
    lacking = [name for name in ("image", *codes) if name not in truth]
    if lacking:
        raise DataError(f"{path} lacks the column {lacking[0]!r}; it has {', '.join(truth.columns)}")
    numbers = np.stack([pd.to_numeric(truth[code], errors="coerce").to_numpy(np.float64) for code in codes])
    single: npt.NDArray[np.bool_] = np.isin(numbers, [0, 1]).all(axis=0) & ((numbers == 1).sum(axis=0) == 1)
    issues.add_error(
        "rows without exactly one diagnosis",
        [f"{path.name}: {name}" for name in truth["image"][~single]],
        hint=f"One of {', '.join(codes)} must be 1 and the others 0; fetch the official ground truth again.",
    )
    names = np.array(list(codes.values()), dtype=object)[(numbers == 1).argmax(axis=0)]
    return (
        truth.drop(columns=list(codes)).rename(columns={"image": "image_id"}).assign(diagnosis=names)[single]
    )
