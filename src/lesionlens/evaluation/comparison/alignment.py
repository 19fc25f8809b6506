"""Predictions of the same images by several models, brought into one order."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import ComparisonError
from lesionlens.core.types import StrArray
from lesionlens.evaluation.ground_truth import GroundTruth, normalize_image_ids
from lesionlens.evaluation.predictions import Predictions, format_examples


class AlignedPredictions(NamedTuple):
    """Predictions of the same labelled images in the same order, and what was left out."""

    predictions: tuple[Predictions, ...]
    caveats: tuple[str, ...]


def align(
    models: Sequence[Predictions], names: Sequence[str], *, intersect: bool = False
) -> AlignedPredictions:
    """Bring the predictions of several models into the images and classes of the first.

    A label or a lesion that one file does not know is taken from another that does; images without any label are left
    out, and a note says how many.

    Parameters
    ----------
    names
        What the models are called, for messages.
    intersect
        Compare on the images that all have, and say how many are left out; else other images are refused.

    Raises
    ------
    ComparisonError
        Fewer than two models, different images, classes, labels or lesions, or no image with a label.
    """
    if len(models) < 2:
        raise ComparisonError(f"{len(models)} models: give two or more to compare")
    ids = [_rename_images(models[0], each) for each in models]
    shared = set(ids[0].tolist()).intersection(*(each.tolist() for each in ids[1:]))
    notes = _unmatched(ids, names, shared, intersect=intersect)
    first = [str(name) for name in ids[0] if str(name) in shared]
    ordered = [_reorder(each, own, first) for each, own in zip(models, ids, strict=True)]
    label = _merge_metadata("labels", [each.label for each in ordered], names, np.array(first))
    lesion = _merge_metadata("lesions", [_known_lesions(each) for each in ordered], names, np.array(first))
    classes = ordered[0].classes, ordered[0].other_class
    told = [
        _with_shared_metadata(each, GroundTruth(np.array(first), label, lesion), *classes, name)
        for each, name in zip(ordered, names, strict=True)
    ]
    known = label != ""
    if not known.any():
        raise ComparisonError(
            "no image has a label, so nothing can be compared: give a table of labels, --labels FILE"
        )
    if not known.all():
        notes.append(f"{(~known).sum()} of {len(known)} images have no label and are left out.")
    return AlignedPredictions(tuple(each.select(known) for each in told), tuple(notes))


def check_aligned(a: Predictions, b: Predictions) -> None:
    """Refuse two predictions that are not of the same images, labels, lesions and classes in the same order."""
    same = a.classes == b.classes and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("image_id", "label", "lesion_id")
    )
    if not same or (a.label == "").any():
        raise ComparisonError(
            "the two are not predictions of the same labelled images and classes in the same order: bring them into it "
            "with align([a, b], names)"
        )


def _rename_images(reference: Predictions, predictions: Predictions) -> StrArray:
    """Name the images as the first file does where that is a matter of folders and endings alone."""
    ours, theirs = normalize_image_ids(reference.image_id, predictions.image_id)
    written = {str(bare): str(name) for bare, name in zip(ours, reference.image_id, strict=True)}
    return np.array([written.get(str(bare), str(bare)) for bare in theirs])


def _unmatched(
    ids: Sequence[StrArray], names: Sequence[str], shared: set[str], *, intersect: bool
) -> list[str]:
    everything = set().union(*(each.tolist() for each in ids))
    if everything == shared:
        return []
    if not shared:
        raise ComparisonError(
            "the files have no image in common: predictions of the same images can be compared"
        )
    if intersect:
        return [f"Compared on the {len(shared)} images that all have, of {len(everything)}."]
    missing = [
        f"{name} lacks {len(without)} ({format_examples(without)})"
        for name, own in zip(names, ids, strict=True)
        if (without := sorted(everything - set(own.tolist())))
    ]
    raise ComparisonError(
        f"the files are of different images, {len(everything)} in all: {'; '.join(missing)}. Predict the same images, "
        "or compare on those that all have: --common-images (intersect=True in Python)"
    )


def _reorder(model: Predictions, ids: StrArray, target_ids: Sequence[str]) -> Predictions:
    place = {str(name): row for row, name in enumerate(ids)}
    return model.select(np.array([place[name] for name in target_ids]))


def _known_lesions(model: Predictions) -> StrArray:
    """Give "" where an image is its own lesion: then nothing is known of it."""
    return np.where(model.lesion_id == model.image_id, "", model.lesion_id)


def _merge_metadata(
    description: str, columns: Sequence[StrArray], names: Sequence[str], ids: StrArray
) -> StrArray:
    """Take what any file knows of each image; refuse two that know different things."""
    found = columns[0]
    for column, name in zip(columns[1:], names[1:], strict=True):
        differ = (found != column) & (found != "") & (column != "")
        if differ.any():
            raise ComparisonError(
                f"{name} gives other {description} than the files before it for {differ.sum()} images "
                f"({format_examples(ids[differ])}): give one truth for all, --labels FILE"
            )
        found = np.where(found == "", column, found)
    return found


def _with_shared_metadata(
    model: Predictions, ground_truth: GroundTruth, classes: tuple[str, ...], other_class: str, name: str
) -> Predictions:
    """Give a model the names, labels and lesions that all share, and the order of the first's classes."""
    if set(model.classes) != set(classes) or model.other_class != other_class:
        raise ComparisonError(
            f"{name} has the classes {', '.join(model.classes)} and the first file {', '.join(classes)}: models of the "
            "same classes can be compared, or ask one question that both answer: --task CLASS"
        )
    columns = [model.classes.index(each) for each in classes]
    scores = model.scores[:, columns]
    return Predictions(
        ground_truth.image_id,
        ground_truth.lesion_id,
        ground_truth.label,
        scores,
        classes,
        other_class=other_class,
    )
