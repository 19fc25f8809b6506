"""Read and write the official classification formats of the ISIC challenges of 2016 to 2019."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import DataError, PredictionsError
from lesionlens.core.tabular import (
    CSVColumns,
    format_floats,
    normalize_column_name,
    read_csv_columns,
    read_table,
    to_floats,
    write_csv_columns,
)
from lesionlens.core.taxonomy import DIAGNOSES, ISIC2017_CLASSES, ISIC2018_CLASSES, ISIC2019_CLASSES
from lesionlens.core.types import FloatArray, StrArray
from lesionlens.datasets.table_columns import IMAGE_NAME_COLUMNS, is_known_column
from lesionlens.evaluation.calibrated_columns import is_calibrated_column
from lesionlens.evaluation.metadata_columns import LESION_COLUMNS, metadata_cells, split_cells
from lesionlens.evaluation.predictions import Predictions, other_class_score
from lesionlens.evaluation.score_table import SCORE_PREFIX, ScoreTable

ISIC2018_COLUMNS = tuple(DIAGNOSES[name].code for name in ISIC2018_CLASSES)
ISIC2017_COLUMNS = ("melanoma", "seborrheic_keratosis")
ISIC2017_OTHER_CLASS = "nevus"
UNSCORED_IMAGE = "ISIC_0035068"
"""Image of the test split of 2018 to which the official scorer gives the weight 0 in every ground truth."""
_UNK = "none_of_the_others"
_MALIGNANCY = "malignancy"  # our name of the only column of ISBI 2016 besides the images, which has no header
_BENIGN_AND_MALIGNANT = {"benign": "0", "malignant": "1"}


class ISICFormat(NamedTuple):
    """Columns of an official file.

    Attributes
    ----------
    name
        Name of the challenge.
    id_column
        Column of the image names.
    columns
        Class of each column of scores.
    optional
        Class of a column that may be absent.
    """

    name: str
    id_column: str
    columns: Mapping[str, str]
    optional: Mapping[str, str] = {}


_FORMATS = (
    ISICFormat("ISBI 2016", "image_id", {_MALIGNANCY: "melanoma"}),
    ISICFormat("ISIC 2017", "image_id", {name: name for name in ISIC2017_COLUMNS}),
    ISICFormat("ISIC 2018", "image", dict(zip(ISIC2018_COLUMNS, ISIC2018_CLASSES, strict=True))),
    ISICFormat(
        "ISIC 2019",
        "image",
        {"AK" if name == "actinic_keratosis" else DIAGNOSES[name].code: name for name in ISIC2019_CLASSES},
        {DIAGNOSES[_UNK].code: _UNK},
    ),
)
FORMAT_DESCRIPTION = ", ".join(
    f"{item.id_column},{','.join([*item.columns, *(f'[{name}]' for name in item.optional)])} ({item.name})"
    for item in _FORMATS[1:]
)
_OFFICIAL_COLUMNS = {
    name.casefold(): name for item in _FORMATS for name in (item.id_column, *item.columns, *item.optional)
}
_METADATA_COLUMNS = {*LESION_COLUMNS, "label", "split", "part", "score_weight", "validation_weight"}


def read_columns(path: Path) -> CSVColumns:
    """Read the columns of predictions or of a ground truth; files of ISBI 2016, which have no header, get one.

    Official columns may be in any case.

    Raises
    ------
    PredictionsError
        See `lesionlens.core.tabular.read_csv_columns`.
    """
    try:
        columns = read_csv_columns(path, is_used=_is_used)
        first = list(columns)
    except PredictionsError:
        columns, first = {}, _first_row(path)
        if not _is_isbi2016_row(first):
            raise
    if not _is_isbi2016_row(first):
        return {_official_name(name, columns): cells for name, cells in columns.items()}
    table = read_table(path, column_names=("image_id", _MALIGNANCY))
    cells = [_BENIGN_AND_MALIGNANT.get(cell.casefold(), cell) for cell in table[_MALIGNANCY]]
    return {"image_id": table["image_id"].tolist(), _MALIGNANCY: cells}


def _is_used(name: str) -> bool:
    """Return whether a column of this name has scores, images, labels, lesions or splits."""
    normalized = normalize_column_name(name)
    return (
        normalized.startswith(SCORE_PREFIX)
        or is_known_column(normalized)
        or normalized in _OFFICIAL_COLUMNS
        or is_calibrated_column(name)
    )


def _official_name(name: str, columns: CSVColumns) -> str:
    official = _OFFICIAL_COLUMNS.get(name.casefold(), name)
    return name if official in columns else official


def _first_row(path: Path) -> list[str]:
    """Return the cells of the first line of a CSV file."""
    if path.suffix.lower() == ".parquet":
        return []
    try:
        return [str(cell) for cell in read_table(path, column_names=("image_id", _MALIGNANCY)).iloc[0]]
    except DataError:
        return []


def _is_isbi2016_row(cells: Iterable[str]) -> bool:
    """Return whether cells are an image and benign, malignant or a score, rather than names of columns."""
    match tuple(cells):
        case (_, second):
            return second.casefold() in _BENIGN_AND_MALIGNANT or _is_number(second)
    return False


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text.replace(",", ".")))
    except ValueError:
        return False


def detect_isic_format(columns: CSVColumns) -> ISICFormat | None:
    """Return the challenge whose columns a file has, with those of the optional ones that it has; None for none.

    The column of image names may also have one of the other usual names.
    """
    if set(columns) == {_FORMATS[0].id_column, _MALIGNANCY}:  # not a table of labels with such a column
        return _FORMATS[0]
    for isic_format in _FORMATS[1:]:
        names = (isic_format.id_column, *IMAGE_NAME_COLUMNS)
        id_column = next((name for name in names if name in columns), None)
        if id_column and set(isic_format.columns) <= set(columns):
            present = {name: item for name, item in isic_format.optional.items() if name in columns}
            classes = {**isic_format.columns, **present}
            return isic_format._replace(id_column=id_column, columns=classes, optional={})
    return None


def isic_image_ids(columns: CSVColumns, isic_format: ISICFormat) -> StrArray:
    """Return the image names without the extension .jpg, which the official scorer also removes."""
    names = columns[isic_format.id_column]
    return np.array([name[:-4] if name.lower().endswith(".jpg") else name for name in names])


def isic_scores(
    columns: CSVColumns, isic_format: ISICFormat, path: Path
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the scores of every class, (n, k), and the names of the classes; a ground truth has scores of 0 and 1.

    ISIC 2017 has two independent binary tasks with a threshold of 0.5. Nevus, which has no column, gets one minus the
    larger of the two scores. So nevus has the largest score exactly if neither of the two reaches 0.5: the predicted
    class is the official one, and the two columns are unchanged. In ISBI 2016, benign gets one minus the score.
    """
    table = to_floats(columns, tuple(isic_format.columns), path)
    if isic_format.name == "ISBI 2016":
        return np.column_stack([1 - table, table]), ("benign", "melanoma")
    if isic_format.name != "ISIC 2017":
        return table, tuple(isic_format.columns.values())
    return np.column_stack([table[:, 0], other_class_score(table), table[:, 1]]), ISIC2017_CLASSES


def parse_isic_predictions(columns: CSVColumns, isic_format: ISICFormat, path: Path) -> ScoreTable:
    """Parse predictions; without columns of lesions and labels, which the formats do not have, both are unknown.

    Raises
    ------
    PredictionsError
        The file has columns that are not in the format: a class would be ignored.
    """
    known = {isic_format.id_column, *isic_format.columns}
    unexpected = [
        name for name in columns if name not in known and normalize_column_name(name) not in _METADATA_COLUMNS
    ]
    if unexpected:
        raise PredictionsError(
            f"{path}: predictions of {isic_format.name} have no column {', '.join(unexpected)}; remove it, or name all "
            "columns of scores p_<class>"
        )
    ids = isic_image_ids(columns, isic_format)
    scores, classes = isic_scores(columns, isic_format, path)
    lesion, label = (np.array(metadata_cells(columns, names, path)) for names in (LESION_COLUMNS, ("label",)))
    other_class = ISIC2017_OTHER_CLASS if isic_format.name == "ISIC 2017" else ""
    return ScoreTable(ids, lesion, label, scores, classes, other_class, split_cells(columns, path))


def write_isic2018(path: Path | str, predictions: Predictions) -> None:
    """Write predictions in the format of ISIC 2018 Task 3; see ``isic2018_columns``."""
    write_csv_columns(Path(path), isic2018_columns(predictions))


def isic2018_columns(predictions: Predictions) -> CSVColumns:
    """Return the columns of the format of ISIC 2018 Task 3, ``image,MEL,NV,BCC,AKIEC,BKL,DF,VASC``.

    Raises
    ------
    PredictionsError
        The classes are not exactly the seven of the challenge.
    """
    if set(ISIC2018_CLASSES) != set(predictions.classes):
        raise PredictionsError(
            f"the ISIC 2018 format has the classes {', '.join(ISIC2018_CLASSES)}; "
            f"these predictions have {', '.join(predictions.classes)}. Use "
            "--format lesionlens (write_predictions in Python)."
        )
    scores = {
        code: format_floats(predictions.scores[:, predictions.classes.index(name)])
        for code, name in zip(ISIC2018_COLUMNS, ISIC2018_CLASSES, strict=True)
    }
    return {"image": list(map(str, predictions.image_id))} | scores


def write_isic2017(path: Path | str, predictions: Predictions) -> None:
    """Write predictions in the format of ISIC 2017 Part 3; see ``isic2017_columns``."""
    write_csv_columns(Path(path), isic2017_columns(predictions))


def isic2017_columns(predictions: Predictions) -> CSVColumns:
    """Return the columns of the format of ISIC 2017 Part 3, ``image_id,melanoma,seborrheic_keratosis``.

    The score of nevus is omitted: the challenge has two binary tasks, each against the rest.

    Raises
    ------
    PredictionsError
        The predictions have no score of melanoma or of seborrheic_keratosis.
    """
    missing = [name for name in ISIC2017_COLUMNS if name not in predictions.classes]
    if missing:
        raise PredictionsError(
            f"the ISIC 2017 format needs scores of {' and '.join(ISIC2017_COLUMNS)}; "
            f"these predictions have {', '.join(predictions.classes)}. Use "
            "--format lesionlens (write_predictions in Python)."
        )
    scores = {
        name: format_floats(predictions.scores[:, predictions.classes.index(name)])
        for name in ISIC2017_COLUMNS
    }
    return {"image_id": list(map(str, predictions.image_id))} | scores
