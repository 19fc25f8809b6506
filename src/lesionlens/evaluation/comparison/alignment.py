"""Align the predictions of several models: the same images, classes, labels and lesions in the same order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import ComparisonError
from lesionlens.core.types import StrArray
from lesionlens.datasets.image_ids import match_image_ids
from lesionlens.evaluation.caveats import unlabeled_caveat
from lesionlens.evaluation.ground_truth import GroundTruth
from lesionlens.evaluation.join import merge_known
from lesionlens.evaluation.predictions import Predictions, format_examples


class AlignedPredictions(NamedTuple):
    """Predictions of the same labeled images in the same order, and caveats about excluded images."""

    predictions: tuple[Predictions, ...]
    caveats: tuple[str, ...]


def align(
    models: Sequence[Predictions], names: Sequence[str], *, intersect: bool = False
) -> AlignedPredictions:
    """Reorder the predictions of several models to the images and classes of the first.

    A label or lesion that is unknown in one file is taken from another. Images without any label are excluded and
    counted in a caveat.

    Parameters
    ----------
    models
        Predictions of each model.
    names
        Names of the models, for messages.
    intersect
        Whether to compare on the images that all files have, with a caveat about the others. Otherwise files with
        different images raise an error.

    Raises
    ------
    ComparisonError
        There are fewer than two models, images, classes, labels or lesions differ, or no image has a label.
    """
    if len(models) < 2:
        raise ComparisonError(f"{len(models)} model: two or more are required for a comparison")
    models = [model.with_classes_like(models[0].classes) for model in models]
    ids = [_rename_images(models[0], model, name) for model, name in zip(models, names, strict=True)]
    common = set(ids[0].tolist()).intersection(*(model_ids.tolist() for model_ids in ids[1:]))
    caveats = [
        *dict.fromkeys(caveat for model in models for caveat in model.caveats),
        *_unmatched(ids, names, common, intersect=intersect),
    ]
    image_id = np.array([str(name) for name in ids[0] if str(name) in common])
    ordered = [_reorder(model, model_ids, image_id) for model, model_ids in zip(models, ids, strict=True)]
    label = _merge_metadata("labels", [model.label for model in ordered], names, image_id)
    lesion_id = _merge_metadata("lesions", [model.known_lesion_id for model in ordered], names, image_id)
    metadata = GroundTruth(image_id, label, lesion_id)
    completed = [
        _with_metadata(model, metadata, ordered[0], name) for model, name in zip(ordered, names, strict=True)
    ]
    labeled = label != ""
    if not labeled.any():
        raise ComparisonError(
            "no image has a label, so there is nothing to compare; pass a table of labels: --labels FILE"
        )
    if not labeled.all():
        caveats.append(unlabeled_caveat(labeled))
    return AlignedPredictions(tuple(model.select(labeled) for model in completed), tuple(caveats))


def check_aligned(a: Predictions, b: Predictions) -> None:
    """Raise a ComparisonError unless two predictions are of the same images, labels, lesions and classes in order."""
    same = a.classes == b.classes and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("image_id", "label", "lesion_id")
    )
    if not same or (a.label == "").any():
        raise ComparisonError(
            "the predictions are not of the same labeled images and classes in the same order; use "
            "align([a, b], names) first"
        )


def _rename_images(reference: Predictions, predictions: Predictions, name: str) -> StrArray:
    """Return image names as in the reference if they mean the same images (see `match_image_ids`)."""
    ids = predictions.image_id.tolist()
    matched = match_image_ids(ids, reference.image_id.tolist())
    renamed = [image_id or own for image_id, own in zip(matched, ids, strict=True)]
    if len(set(renamed)) < len(renamed):
        twice = next(image_id for image_id, count in Counter(renamed).items() if count > 1)
        raise ComparisonError(
            f"{name} has two rows for the image {twice} of the first file; keep one row per image"
        )
    return np.array(renamed)


def _unmatched(
    ids: Sequence[StrArray], names: Sequence[str], common: set[str], *, intersect: bool
) -> list[str]:
    """Return a caveat about images that not all files have, or raise an error about them."""
    union = set().union(*(model_ids.tolist() for model_ids in ids))
    if union == common:
        return []
    if not common:
        raise ComparisonError(
            "the files have no image in common: only predictions of the same images can be compared"
        )
    if intersect:
        return [f"Compared on the {len(common)} images that all files have, of {len(union)}."]
    missing = [
        f"{name} lacks {len(absent)} ({format_examples(absent)})"
        for name, model_ids in zip(names, ids, strict=True)
        if (absent := sorted(union - set(model_ids.tolist())))
    ]
    raise ComparisonError(
        f"the files have different images, {len(union)} in total: {'; '.join(missing)}. Predict the same images, or "
        "compare on those that all files have: --common-images (intersect=True in Python)"
    )


def _reorder(model: Predictions, ids: StrArray, target_ids: StrArray) -> Predictions:
    row = {str(name): index for index, name in enumerate(ids)}
    return model.select(np.array([row[str(name)] for name in target_ids]))


def _merge_metadata(
    description: str, columns: Sequence[StrArray], names: Sequence[str], ids: StrArray
) -> StrArray:
    """Return for each image the value that is known in any file; raise an error if two files contradict each other."""
    merged = columns[0]
    for column, name in zip(columns[1:], names[1:], strict=True):
        merged, differ = merge_known(merged, column)
        if differ.any():
            raise ComparisonError(
                f"{name} has other {description} than the files before it for {differ.sum()} images "
                f"({format_examples(ids[differ])}); pass one ground truth for all files: --labels FILE. Directories of "
                "several runs are read with the labels of their datasets: correct those"
            )
    return merged


def _with_metadata(
    model: Predictions, metadata: GroundTruth, reference: Predictions, name: str
) -> Predictions:
    """Set the image names, labels and lesions, and reorder the classes as in the reference."""
    if set(model.classes) != set(reference.classes) or model.other_class != reference.other_class:
        raise ComparisonError(
            f"{name} has the classes {', '.join(model.classes)} and the first file {', '.join(reference.classes)}: "
            "only models of the same classes can be compared; or reduce both to a common binary task: --task CLASS"
        )
    return replace(
        model.with_class_order(reference.classes),
        image_id=metadata.image_id,
        lesion_id=metadata.lesion_id,
        label=metadata.label,
        caveats=(),
    )
