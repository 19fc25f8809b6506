"""Predictions of the same images by several models, brought into one order."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.image_names import matching
from lesionlens.evaluation.prediction_table import Predictions, Texts, examples
from lesionlens.evaluation.truth import Truth


class Aligned(NamedTuple):
    """Predictions of the same labelled images in the same order, and what was left out."""

    predictions: tuple[Predictions, ...]
    notes: tuple[str, ...]


def aligned(models: Sequence[Predictions], names: Sequence[str], *, common: bool = False) -> Aligned:
    """Bring the predictions of several models into the images and classes of the first.

    A label or a lesion that one file does not know is taken from another that does; images without any label are left
    out, and a note says how many.

    Parameters
    ----------
    names
        What the models are called, for messages.
    common
        Compare on the images that all have, and say how many are left out; else other images are refused.

    Raises
    ------
    ComparisonError
        Fewer than two models, different images, classes, labels or lesions, or no image with a label.
    """
    if len(models) < 2:
        raise ComparisonError(f"{len(models)} models: give two or more to compare")
    ids = [_named_as(models[0], each) for each in models]
    shared = set(ids[0].tolist()).intersection(*(each.tolist() for each in ids[1:]))
    notes = _strangers(ids, names, shared, common=common)
    first = [str(name) for name in ids[0] if str(name) in shared]
    ordered = [_ordered(each, own, first) for each, own in zip(models, ids, strict=True)]
    label = _agreed("labels", [each.label for each in ordered], names, np.array(first))
    lesion = _agreed("lesions", [_known_lesions(each) for each in ordered], names, np.array(first))
    classes = ordered[0].classes, ordered[0].rest
    told = [
        _told(each, Truth(np.array(first), label, lesion), *classes, name)
        for each, name in zip(ordered, names, strict=True)
    ]
    known = label != ""
    if not known.any():
        raise ComparisonError(
            "no image has a label, so nothing can be compared: give a table of labels, --truth FILE"
        )
    if not known.all():
        notes.append(f"{(~known).sum()} of {len(known)} images have no label and are left out.")
    return Aligned(tuple(each.select(known) for each in told), tuple(notes))


def check_pair(a: Predictions, b: Predictions) -> None:
    """Refuse two predictions that are not of the same images, labels, lesions and classes in the same order."""
    same = a.classes == b.classes and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("image_id", "label", "lesion_id")
    )
    if not same or (a.label == "").any():
        raise ComparisonError(
            "the two are not predictions of the same labelled images and classes in the same order: bring them into it "
            "with aligned([a, b], names)"
        )


def _named_as(first: Predictions, other: Predictions) -> Texts:
    """Name the images as the first file does where that is a matter of folders and endings alone."""
    ours, theirs = matching(first.image_id, other.image_id)
    written = {str(bare): str(name) for bare, name in zip(ours, first.image_id, strict=True)}
    return np.array([written.get(str(bare), str(bare)) for bare in theirs])


def _strangers(ids: Sequence[Texts], names: Sequence[str], shared: set[str], *, common: bool) -> list[str]:
    everything = set().union(*(each.tolist() for each in ids))
    if everything == shared:
        return []
    if not shared:
        raise ComparisonError(
            "the files have no image in common: predictions of the same images can be compared"
        )
    if common:
        return [f"Compared on the {len(shared)} images that all have, of {len(everything)}."]
    missing = [
        f"{name} lacks {len(without)} ({examples(without)})"
        for name, own in zip(names, ids, strict=True)
        if (without := sorted(everything - set(own.tolist())))
    ]
    raise ComparisonError(
        f"the files are of different images, {len(everything)} in all: {'; '.join(missing)}. Predict the same images, "
        "or compare on those that all have: --common (common=True in Python)"
    )


def _ordered(model: Predictions, ids: Texts, wanted: Sequence[str]) -> Predictions:
    place = {str(name): row for row, name in enumerate(ids)}
    return model.select(np.array([place[name] for name in wanted]))


def _known_lesions(model: Predictions) -> Texts:
    """Give "" where an image is its own lesion: then nothing is known of it."""
    return np.where(model.lesion_id == model.image_id, "", model.lesion_id)


def _agreed(what: str, columns: Sequence[Texts], names: Sequence[str], ids: Texts) -> Texts:
    """Take what any file knows of each image; refuse two that know different things."""
    found = columns[0]
    for column, name in zip(columns[1:], names[1:], strict=True):
        differ = (found != column) & (found != "") & (column != "")
        if differ.any():
            raise ComparisonError(
                f"{name} gives other {what} than the files before it for {differ.sum()} images "
                f"({examples(ids[differ])}): give one truth for all, --truth FILE"
            )
        found = np.where(found == "", column, found)
    return found


def _told(model: Predictions, truth: Truth, classes: tuple[str, ...], rest: str, name: str) -> Predictions:
    """Give a model the names, labels and lesions that all share, and the order of the first's classes."""
    if set(model.classes) != set(classes) or model.rest != rest:
        raise ComparisonError(
            f"{name} has the classes {', '.join(model.classes)} and the first file {', '.join(classes)}: models of the "
            "same classes can be compared, or ask one question that both answer: --task CLASS"
        )
    columns = [model.classes.index(each) for each in classes]
    scores = model.scores[:, columns]
    return Predictions(truth.image_id, truth.lesion_id, truth.label, scores, classes, rest=rest)
