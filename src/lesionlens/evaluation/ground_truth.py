"""Read the true class of each image from a separate file and join it to scores by image name."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import PredictionsError
from lesionlens.core.missing import is_missing, is_missing_group
from lesionlens.core.tabular import CSVColumns, to_floats
from lesionlens.core.types import StrArray
from lesionlens.datasets.image_ids import match_image_ids
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.near_misses import describe_near_miss
from lesionlens.datasets.table_columns import IMAGE_NAME_COLUMNS
from lesionlens.evaluation.isic_formats import (
    FORMAT_DESCRIPTION,
    UNSCORED_IMAGE,
    ISICFormat,
    detect_isic_format,
    isic_image_ids,
    isic_scores,
    read_columns,
)
from lesionlens.evaluation.metadata_columns import (
    LABEL_COLUMNS,
    LESION_COLUMNS,
    check_same_cells,
    has_column,
    image_cells,
    metadata_cells,
    split_cells,
)
from lesionlens.evaluation.predictions import format_examples
from lesionlens.evaluation.score_table import ScoreTable, split_mask


class GroundTruth(NamedTuple):
    """True class of each image.

    Attributes
    ----------
    image_id, label, lesion_id
        Name, label and lesion of each image, (n,); a label or lesion that is not known is "" or a word for it.
    unscored
        Images that the challenge does not score, in other rows of the file.
    split
        Split of each image, (n,), or None if the file has none.
    """

    image_id: StrArray
    label: StrArray
    lesion_id: StrArray
    unscored: tuple[str, ...] = ()
    split: StrArray | None = None

    def select(self, selection: NDArray[np.bool_]) -> "GroundTruth":
        """Return the images where ``selection``, (n,), is true."""
        split = None if self.split is None else self.split[selection]
        columns = (self.image_id[selection], self.label[selection], self.lesion_id[selection])
        return GroundTruth(*columns, self.unscored, split)


def read_ground_truth(path: Path) -> GroundTruth:
    """Read an official ground truth (ISIC 2016 to 2019) or a table with image, label[, lesion_id, split].

    Column names are case-insensitive and may be those of a table of images: ``image_id`` or ``path`` for the image,
    ``diagnosis`` or (as in HAM10000) ``dx`` for the label. Official files may have a column ``lesion_id`` and others.
    As in the official scorer, images with a ``score_weight`` of zero and the image ISIC_0035068 are not scored.

    Raises
    ------
    PredictionsError
        The format is unknown, an image occurs twice, a row of an official ground truth is not of exactly one class, or
        two columns of labels contradict each other.
    """
    columns = read_columns(path)
    isic_format = detect_isic_format(columns)
    truth = (
        _parse_isic_ground_truth(columns, isic_format, path) if isic_format else _parse_table(columns, path)
    )
    return _check_unique(_without_unscored_image(truth), path)


def _parse_table(columns: CSVColumns, path: Path) -> GroundTruth:
    if not has_column(columns, IMAGE_NAME_COLUMNS) or not has_column(columns, LABEL_COLUMNS):
        raise PredictionsError(
            f"{path} has the columns {', '.join(columns)}, which are not a ground truth. Allowed are "
            f"image,label[,lesion_id], {FORMAT_DESCRIPTION}, and the ground truth of ISBI 2016"
        )
    ids = np.array(image_cells(columns, IMAGE_NAME_COLUMNS))
    return _with_metadata(ids, np.array(metadata_cells(columns, LABEL_COLUMNS, path)), columns, path)


def _with_metadata(ids: StrArray, label: StrArray, columns: CSVColumns, path: Path) -> GroundTruth:
    """Add lesions and splits, and separate the images that are not scored."""
    lesion = np.array(metadata_cells(columns, LESION_COLUMNS, path))
    truth = GroundTruth(ids, label, lesion, split=split_cells(columns, path))
    is_scored = _is_scored(columns, path)
    return truth.select(is_scored)._replace(unscored=tuple(map(str, ids[~is_scored])))


def _without_unscored_image(truth: GroundTruth) -> GroundTruth:
    meanings = match_image_ids(truth.image_id.tolist(), [UNSCORED_IMAGE])
    unscored = np.array(meanings, dtype=np.str_) == UNSCORED_IMAGE
    names = tuple(map(str, truth.image_id[unscored])) or (UNSCORED_IMAGE,)
    return truth.select(~unscored)._replace(unscored=(*truth.unscored, *names))


def attach_ground_truth(
    table: ScoreTable, ground_truth: GroundTruth, *, split: str = "", common_images: bool = False
) -> ScoreTable:
    """Set the label of every image and, if the ground truth has it, its lesion.

    Images are matched by name, without directories and image extensions if necessary (see `match_image_ids`). Images
    that the challenge does not score are removed, with a caveat.

    Parameters
    ----------
    table
        Scores.
    ground_truth
        Labels and lesions.
    split
        Split of the ground truth to use; default: all images.
    common_images
        Whether to use only the images that both have, with a caveat about the others.

    Raises
    ------
    PredictionsError
        The two list different images, and ``common_images`` is False; they have none in common; two rows of the ground
        truth name one image; or it has no such split.
    """
    all_names = [*ground_truth.image_id.tolist(), *ground_truth.unscored]
    matched = np.array(match_image_ids(all_names, table.image_id.tolist()), dtype=np.str_)
    _check_matched_once(all_names, matched)
    true, unscored = np.split(matched, [len(ground_truth.image_id)])
    is_unscored = np.isin(table.image_id, unscored)
    caveats = [*table.caveats, *_unscored_caveat(table.image_id[is_unscored])]
    is_used = ~is_unscored
    if split:
        in_split = _split_of_truth(ground_truth, split)
        is_used &= ~np.isin(table.image_id, true[~in_split])
        caveats.append(f"Only images of the split {split}: {in_split.sum():,} of {len(true):,}.")
        true, ground_truth = true[in_split], ground_truth.select(in_split)
    is_common = np.isin(table.image_id, true)
    if not is_used.any():
        where = f"in the split {split} of the labels" if split else "scored"
        raise PredictionsError(f"none of the {len(table):,} images of the predictions is {where}")
    if not (is_used & is_common).any():
        raise PredictionsError(_no_common_image_message(ground_truth.image_id, table.image_id[is_used]))
    if common_images:
        caveats += _common_images_caveat(is_used & is_common, is_used & ~is_common, len(true))
        is_used &= is_common
    else:
        without_scores = ground_truth.image_id[(true == "") & ~_is_missing(ground_truth.label)]
        _check_same_images(table.image_id[is_used & ~is_common], without_scores)
    row = {str(name): index for index, name in enumerate(true)}
    order = np.array([row[str(name)] for name in table.image_id[is_used]])
    used = table.select(is_used)
    lesion = ground_truth.lesion_id[order]
    is_unknown = np.array([is_missing_group(str(name)) for name in lesion], dtype=np.bool_)
    return replace(
        used,
        label=ground_truth.label[order],
        lesion_id=np.where(is_unknown, used.lesion_id, lesion),
        caveats=tuple(caveats),
    )


def _check_matched_once(names: list[str], matched: StrArray) -> None:
    """Raise an error if two names of the labels mean one image of the predictions."""
    first: dict[str, str] = {}
    for name, image_id in zip(names, map(str, matched), strict=True):
        if image_id and first.setdefault(image_id, name) != name:
            raise PredictionsError(
                f"the labels name the image {image_id} of the predictions twice, as {first[image_id]} and {name}; "
                "keep one row per image"
            )


def _no_common_image_message(true_ids: StrArray, predicted_ids: StrArray) -> str:
    near_miss = describe_near_miss(map(str, true_ids), (Path(str(name)) for name in predicted_ids))
    examples = f"The predictions name {predicted_ids[0]}, the labels {true_ids[0]}. "
    return (
        "predictions and ground truth have no image in common. "
        f"{near_miss or examples}Check the image names of both"
    )


def _split_of_truth(ground_truth: GroundTruth, name: str) -> NDArray[np.bool_]:
    if ground_truth.split is None:
        raise PredictionsError(
            f"the labels have no column split, so --split {name} cannot be applied. Remove it"
        )
    return split_mask(ground_truth.split, name, source="the labels")


def _is_missing(cells: StrArray) -> NDArray[np.bool_]:
    words = {name: is_missing(name) for name in set(cells.tolist())}
    return np.array([words[name] for name in cells.tolist()], dtype=np.bool_)


def _unscored_caveat(names: StrArray) -> list[str]:
    if not len(names):
        return []
    pronoun = "it" if len(names) == 1 else "them"
    return [
        f"Excluded, because the official scorer gives {pronoun} no weight: {format_examples(names)} "
        f"({pluralize(len(names), 'image')})."
    ]


def _common_images_caveat(
    is_common: NDArray[np.bool_], is_unlabeled: NDArray[np.bool_], n_true: int
) -> list[str]:
    n_common, n_unlabeled = int(is_common.sum()), int(is_unlabeled.sum())
    if n_common == n_true and not n_unlabeled:
        return []
    return [
        f"Only the {n_common:,} images that predictions and labels have in common: {n_unlabeled:,} without a label and "
        f"{n_true - n_common:,} without a prediction are excluded."
    ]


def _parse_isic_ground_truth(columns: CSVColumns, isic_format: ISICFormat, path: Path) -> GroundTruth:
    ids = isic_image_ids(columns, isic_format)
    is_scored = _is_scored(columns, path)
    scores, classes = isic_scores(columns, isic_format, path)
    wrong = (~np.isin(scores, (0.0, 1.0)).all(axis=1)) | (scores.sum(axis=1) != 1)
    wrong &= is_scored
    if wrong.any():
        raise PredictionsError(
            f"{path}: not exactly one class for {pluralize(int(wrong.sum()), 'image')}: {format_examples(ids[wrong])}. "
            "A ground truth has 1.0 for the true class and 0.0 for the others"
        )
    label = np.array(classes)[scores.argmax(axis=1)]
    names = (",".join(isic_format.columns), "label")
    check_same_cells(label.tolist(), metadata_cells(columns, LABEL_COLUMNS, path), names, path)
    return _with_metadata(ids, label, columns, path)


def _is_scored(columns: CSVColumns, path: Path) -> NDArray[np.bool_]:
    """Return whether each image counts, (n,).

    Raises
    ------
    PredictionsError
        A weight is neither 0 nor 1, or all are 0.
    """
    if "score_weight" not in columns:
        return np.ones(len(next(iter(columns.values()))), dtype=np.bool_)
    weights = to_floats(columns, ("score_weight",), path)[:, 0]
    if not np.isin(weights, (0, 1)).all():
        row = int((~np.isin(weights, (0, 1))).argmax())
        raise PredictionsError(
            f"{path}, row {row + 1}: the score_weight is {weights[row]:g}; allowed are 0 and 1"
        )
    if not weights.any():
        raise PredictionsError(f"{path}: every score_weight is 0, so no image is scored")
    return np.asarray(weights == 1)


def _check_unique(ground_truth: GroundTruth, path: Path) -> GroundTruth:
    names, counts = np.unique(ground_truth.image_id, return_counts=True)
    if (counts > 1).any():
        raise PredictionsError(
            f"{path}: duplicate images: {format_examples(names[counts > 1])}; keep one row per image"
        )
    return ground_truth


def _check_same_images(without_label: StrArray, without_scores: StrArray) -> None:
    """Raise an error if a prediction has no label, or a label no prediction."""
    if not len(without_label) and not len(without_scores):
        return
    near_miss = describe_near_miss(map(str, without_scores), (Path(str(name)) for name in without_label))
    differences = [
        f"{len(ids)} {description} ({format_examples(ids)})"
        for ids, description in (
            (without_label, "predicted without a label"),
            (without_scores, "labeled without a prediction"),
        )
        if len(ids)
    ]
    raise PredictionsError(
        f"predictions and ground truth list different images: {'; '.join(differences)}. {near_miss}Both must list the "
        "same images, because excluding some changes the result. Select a split of the labels (--split validation), or "
        "the images that both have (--common-images)"
    )
