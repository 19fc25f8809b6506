"""Read and write prediction files: the LesionLens CSV and (read only) the official ISIC challenge formats."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.core.tabular import CSVColumns, format_floats, to_floats, write_csv_columns
from lesionlens.core.taxonomy import canonical_or_raw
from lesionlens.datasets.image_ids import find_same_image
from lesionlens.datasets.table_columns import IMAGE_NAME_COLUMNS
from lesionlens.evaluation.calibrated_columns import (
    format_calibrated_columns,
    optional_fields,
    parse_calibrated_columns,
)
from lesionlens.evaluation.ground_truth import attach_ground_truth, read_ground_truth
from lesionlens.evaluation.isic_formats import (
    FORMAT_DESCRIPTION,
    detect_isic_format,
    parse_isic_predictions,
    read_columns,
)
from lesionlens.evaluation.join import join_predictions
from lesionlens.evaluation.metadata_columns import (
    LESION_COLUMNS,
    has_column,
    image_cells,
    metadata_cells,
    split_cells,
)
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.score_table import (
    SCORE_PREFIX,
    ScoreTable,
    concatenate,
    select_split,
    table_of,
)

__all__ = ["Predictions", "read_predictions", "write_predictions"]


def read_predictions(
    path: Path | str,
    *more: Path | str,
    ground_truth: Path | str | None = None,
    other_class: str | None = None,
    split: str = "",
    common_images: bool = False,
) -> Predictions:
    """Read predictions: LesionLens CSV, or the official format of ISIC 2016 (Part 3) to ISIC 2019.

    Labels mean the class of their name in any spelling, code or alias (see `resolve_labels`).

    Parameters
    ----------
    path
        CSV file with the columns ``image_id,lesion_id,label,p_<class>…`` (lesion_id and label are optional),
        ``image,MEL,NV,BCC,AKIEC,BKL,DF,VASC`` or ``image_id,melanoma,seborrheic_keratosis``. A LesionLens CSV may also
        have the columns ``calibrated_<class>…,prediction_set,abstain,ood_percentile``.
    more
        Further parts, with the same classes and other images; or files of further models, each of one diagnosis against
        the rest like the first, to be joined (see `join_predictions`).
    ground_truth
        Official ground truth in one of the challenge formats, or a table with ``image``, ``label`` and (optional)
        ``lesion_id`` (see `read_ground_truth`). It replaces the labels of the predictions.
    other_class
        Class of images that belong to none of the target classes, in any spelling. If it has no column of scores, the
        scores are independent and its score is derived (see `multilabel_predictions`). "other" means all labels that
        are not a class. Default: the column ``other_class`` of a LesionLens CSV, if any.
    split
        Split to read, by the column ``split`` of the ground truth or of the predictions; default: all images.
    common_images
        Whether to read only the images that predictions and ground truth both have.

    Raises
    ------
    PredictionsError
        See `Predictions`; also if the format is unknown, ground truth and predictions list different images, or a label
        or ``other_class`` is unknown.
    """
    paths = [Path(path), *map(Path, more)]
    tables = [_parse(item) for item in paths]
    if ground_truth is None:
        if split:
            tables = [select_split(*item, split) for item in zip(tables, paths, strict=True)]
        return _merge(tables, paths, other_class).to_predictions(other_class)
    truth = read_ground_truth(Path(ground_truth))
    merged = _merge([table.without_labels() for table in tables], paths, other_class)
    labeled = attach_ground_truth(merged, truth, split=split, common_images=common_images)
    return labeled.to_predictions(other_class)


def as_predictions(
    source: Predictions | Path | str, *, ground_truth: Path | str | None = None
) -> Predictions:
    """Return predictions; read them, and the labels of a ground truth, if they are the path of a file.

    Raises
    ------
    PredictionsError
        As for ``read_predictions``; or the path is that of a folder, or a ground truth is passed for an object.
    TypeError
        The source is something else.
    """
    if isinstance(source, Predictions):
        if ground_truth is not None:
            raise PredictionsError(
                "ground_truth applies to files of predictions; these have their labels already"
            )
        return source
    if not isinstance(source, str | Path):
        raise TypeError(
            f"predictions are an object of type {type(source).__name__}. Pass predictions or a file of them"
        )
    if Path(source).is_dir():
        example = Path(source) / "predictions" / "test.csv"
        raise PredictionsError(
            f"{source} is a folder. Pass a file of predictions; those of a run are {example}"
        )
    return read_predictions(source, ground_truth=ground_truth)


def _merge(tables: Sequence[ScoreTable], paths: Sequence[Path], other_class: str | None) -> ScoreTable:
    """Return one table of parts with the same classes, or of one-vs-rest models of the same images."""
    tables = [table.with_classes_like(tables[0].classes) for table in tables]
    if len({frozenset(table.classes) for table in tables}) == 1:
        merged = tables[0] if len(tables) == 1 else concatenate(tables, list(map(str, paths)))
        _check_one_row_per_image(merged, paths)
        return merged
    joined = join_predictions([table.to_predictions() for table in tables])
    if other_class not in (None, joined.other_class):
        raise PredictionsError(
            f"--other-class {other_class} does not apply to several one-vs-rest files: their other class is "
            f"{joined.other_class}. Remove it"
        )
    return table_of(joined)


def _check_one_row_per_image(table: ScoreTable, paths: Sequence[Path]) -> None:
    if same := find_same_image(table.image_id.tolist()):
        raise PredictionsError(
            f"{' and '.join(map(str, paths))}: {same[0]} and {same[1]} mean the same image; keep one row per image"
        )


def write_predictions(path: Path | str, predictions: Predictions) -> None:
    """Write a CSV file with the columns ``image_id,lesion_id,label,p_<class>…``; scores are stored exactly.

    If the predictions have an ``other_class``, a column of that name repeats it in every row. Calibrated scores,
    prediction sets, abstentions and percentiles follow in the columns
    ``calibrated_<class>…,prediction_set,abstain,ood_percentile`` if the predictions have them.
    """
    write_csv_columns(Path(path), prediction_columns(predictions))


def prediction_columns(predictions: Predictions) -> CSVColumns:
    """Return the columns that ``write_predictions`` writes."""
    names = {name: list(map(str, getattr(predictions, name))) for name in ("image_id", "lesion_id", "label")}
    if predictions.other_class:
        names["other_class"] = [predictions.other_class] * len(predictions)
    scores = {
        SCORE_PREFIX + name: format_floats(predictions.scores[:, k])
        for k, name in enumerate(predictions.classes)
    }
    return names | scores | format_calibrated_columns(optional_fields(predictions), predictions.classes)


def _parse(path: Path) -> ScoreTable:
    columns = read_columns(path)
    scores = {name: _class_of_column(name) for name in columns if _class_of_column(name)}
    if scores and has_column(columns, IMAGE_NAME_COLUMNS):
        return _parse_lesionlens_csv(columns, scores, path)
    if isic_format := detect_isic_format(columns):
        return parse_isic_predictions(columns, isic_format, path)
    raise PredictionsError(
        f"{path} has the columns {', '.join(columns)}, which are not predictions. Allowed are "
        f"image_id,lesion_id,label,p_<class>… (LesionLens), {FORMAT_DESCRIPTION}, and the format of ISBI 2016"
    )


def _class_of_column(name: str) -> str:
    """Return the class whose scores a column has, "" if it is not a column of scores."""
    has_prefix = name[: len(SCORE_PREFIX)].casefold() == SCORE_PREFIX
    return name[len(SCORE_PREFIX) :].strip() if has_prefix else ""


def _parse_lesionlens_csv(columns: CSVColumns, class_by_column: Mapping[str, str], path: Path) -> ScoreTable:
    ids = np.array(image_cells(columns, IMAGE_NAME_COLUMNS))
    lesion, label = (np.array(metadata_cells(columns, names, path)) for names in (LESION_COLUMNS, ("label",)))
    _check_one_column_per_class(class_by_column, path)
    score_columns, classes = tuple(class_by_column), tuple(class_by_column.values())
    try:
        scores = to_floats(columns, score_columns, path)
    except PredictionsError as error:
        raise PredictionsError(
            f"{error}. Every column that begins with {SCORE_PREFIX} is read as the scores of a class"
        ) from error
    other_class, split = _read_other_class(columns, path), split_cells(columns, path)
    optional = parse_calibrated_columns(columns, classes, path)
    return ScoreTable(ids, lesion, label, scores, classes, other_class, split, optional=optional)


def _check_one_column_per_class(class_by_column: Mapping[str, str], path: Path) -> None:
    """Raise an error if two columns have the scores of one class, such as p_MEL and p_melanoma."""
    first: dict[str, str] = {}
    for column, name in class_by_column.items():
        if (other := first.setdefault(canonical_or_raw(name), column)) != column:
            raise PredictionsError(
                f"{path}: {other} and {column} are scores of one class; remove one of the columns"
            )


def _read_other_class(columns: CSVColumns, path: Path) -> str:
    """Return the class in the column ``other_class``; "" if there is no such column."""
    names = set(metadata_cells(columns, ("other_class",), path))
    if len(names) > 1:
        raise PredictionsError(
            f"{path}: the column other_class has the values {', '.join(sorted(names))}; only one value is allowed"
        )
    return names.pop()
