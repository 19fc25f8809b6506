"""Read and write the official classification formats of the ISIC challenges: 2017 Part 3 and 2018 Task 3."""

from pathlib import Path

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.core.tabular import CSVColumns, format_floats, to_floats, write_csv_columns
from lesionlens.core.taxonomy import DIAGNOSES, ISIC2017_CLASSES, ISIC2018_CLASSES
from lesionlens.core.types import FloatArray, StrArray
from lesionlens.evaluation.predictions import Predictions, other_class_score

ISIC2018_COLUMNS = tuple(DIAGNOSES[name].code for name in ISIC2018_CLASSES)
ISIC2017_COLUMNS = ("melanoma", "seborrheic_keratosis")
ISIC2017_OTHER_CLASS = "nevus"
_WEIGHT_COLUMNS = {"score_weight", "validation_weight"}  # further columns of the official ground truth
_FORMATS = {"isic2018": ("image", ISIC2018_COLUMNS), "isic2017": ("image_id", ISIC2017_COLUMNS)}


def detect_isic_format(columns: CSVColumns, path: Path) -> str:
    """Return the challenge whose columns a file has: "isic2018", "isic2017" or "" for neither.

    Raises
    ------
    PredictionsError
        The file has the columns of a challenge and others that the challenge does not have.
    """
    names = set(columns)
    for format_name, (id_column, score_columns) in _FORMATS.items():
        expected = {id_column, *score_columns}
        if expected <= names:
            unexpected = sorted(names - expected - _WEIGHT_COLUMNS)
            if unexpected:
                raise PredictionsError(
                    f"{path}: the {format_name} format has no column {', '.join(unexpected)}; remove it"
                )
            return format_name
    return ""


def isic_image_ids(columns: CSVColumns, format_name: str) -> StrArray:
    """Return the image names without the extension .jpg, which the official scorer also removes."""
    names = columns[_FORMATS[format_name][0]]
    return np.array([name[:-4] if name.lower().endswith(".jpg") else name for name in names])


def isic_scores(columns: CSVColumns, format_name: str, path: Path) -> tuple[FloatArray, tuple[str, ...]]:
    """Return the scores of every class, (n, k), and the names of the classes; a ground truth has scores of 0 and 1.

    ISIC 2017 has two independent binary tasks with a threshold of 0.5. Nevus, which has no column, gets one minus the
    larger of the two scores. So nevus has the largest score exactly if neither of the two reaches 0.5: the predicted
    class is the official one, and the two columns are unchanged.
    """
    table = to_floats(columns, _FORMATS[format_name][1], path)
    if format_name == "isic2018":
        return table, ISIC2018_CLASSES
    scores = np.column_stack([table[:, 0], other_class_score(table), table[:, 1]])
    return scores, ISIC2017_CLASSES


def parse_isic_predictions(columns: CSVColumns, format_name: str, path: Path) -> Predictions:
    """Parse predictions; each image is its own lesion and has no label, because the format has neither."""
    ids = isic_image_ids(columns, format_name)
    scores, classes = isic_scores(columns, format_name, path)
    other_class = ISIC2017_OTHER_CLASS if format_name == "isic2017" else ""
    return Predictions(ids, ids, np.full(len(ids), ""), scores, classes, other_class=other_class)


def write_isic2018(path: Path | str, predictions: Predictions) -> None:
    """Write predictions in the format of ISIC 2018 Task 3, ``image,MEL,NV,BCC,AKIEC,BKL,DF,VASC``.

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
    write_csv_columns(Path(path), {"image": list(map(str, predictions.image_id))} | scores)


def write_isic2017(path: Path | str, predictions: Predictions) -> None:
    """Write predictions in the format of ISIC 2017 Part 3, ``image_id,melanoma,seborrheic_keratosis``.

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
    write_csv_columns(Path(path), {"image_id": list(map(str, predictions.image_id))} | scores)
