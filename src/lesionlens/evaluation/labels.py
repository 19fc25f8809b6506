"""Match labels to the classes of predictions: one rule for labels, ground truths and the other class."""

from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import PredictionsError, unknown_name_message
from lesionlens.core.missing import is_missing
from lesionlens.core.taxonomy import canonical_or_raw, is_diagnosis, match_class
from lesionlens.core.types import StrArray
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.predictions import OTHER_CLASS_NAMES, format_examples

_MAX_LISTED = 5  # unknown labels in a message
_SIMILARITY = 0.8  # from which a label is taken for a misspelled class


class ResolvedLabels(NamedTuple):
    """Class of each image, (n,), "" if unknown, and caveats."""

    label: StrArray
    caveats: tuple[str, ...]


def resolve_labels(
    labels: NDArray[np.str_], classes: Sequence[str], *, image_id: StrArray, accept_any: bool = False
) -> ResolvedLabels:
    """Return the class that each label means.

    A label means the class of its name in any spelling, code or alias; otherwise nothing if it is a word for "not
    known"; otherwise the class other (or rest), if there is one and the label is a diagnosis of the taxonomy.

    Parameters
    ----------
    labels
        Label of each image, (n,).
    classes
        Names of the classes.
    image_id
        Name of each image, (n,), for messages.
    accept_any
        Whether labels outside the taxonomy may mean the class other as well, unless they resemble a class.

    Raises
    ------
    PredictionsError
        A label means none of these.

    Examples
    --------
    >>> ids = np.array(["a", "b", "c"])
    >>> resolve_labels(np.array(["MEL", "nan", "DF"]), ["melanoma", "other"], image_id=ids).label.tolist()
    ['melanoma', '', 'other']
    """
    names, inverse = np.unique(np.asarray(labels, dtype=np.str_), return_inverse=True)
    meanings = [resolve_label(str(name), classes, accept_any=accept_any) for name in names]
    unknown = [str(name) for name, meaning in zip(names, meanings, strict=True) if meaning is None]
    if unknown:
        raise PredictionsError(_unknown_labels_message(unknown, classes, np.asarray(labels), image_id))
    resolved = np.array([meaning or "" for meaning in meanings], dtype=np.str_)[inverse]
    return ResolvedLabels(resolved, _other_labels_caveat(labels, resolved) if accept_any else ())


def resolve_label(label: str, classes: Sequence[str], *, accept_any: bool = False) -> str | None:
    """Return the class of one label, "" if it is missing, None if it means no class (see `resolve_labels`)."""
    if name := match_class(label, classes):
        return name
    other_class = next((name for name in OTHER_CLASS_NAMES if name in classes), None)
    if is_diagnosis(label):
        return other_class
    if is_missing(label):
        return ""
    is_near = bool(get_close_matches(label, classes, n=1, cutoff=_SIMILARITY))
    return other_class if accept_any and not is_near else None


def resolve_other_class(name: str, classes: Sequence[str], labels: NDArray[np.str_]) -> str:
    """Return the class of images that belong to none of the target classes: a class, a label, or other.

    Parameters
    ----------
    name
        The class in any spelling; or a label that is not a class; or other (rest), for all such labels.
    classes
        Names of the classes with scores.
    labels
        Label of each image, (n,).

    Raises
    ------
    PredictionsError
        Neither a class nor a label has this name.
    """
    if matched := match_class(name, classes):
        return matched
    known = [
        str(label) for label in np.unique(labels) if not is_missing(str(label)) or is_diagnosis(str(label))
    ]
    beyond = [label for label in known if not match_class(label, classes)]
    spellings = [label for label in beyond if match_class(name, [label])]
    if spellings:
        return canonical_or_raw(name if name in spellings else spellings[0])
    if not known or (name in OTHER_CLASS_NAMES and beyond):
        return canonical_or_raw(name)
    allowed = (*classes, *beyond[:_MAX_LISTED])
    raise PredictionsError(
        f"{unknown_name_message('other class', name, allowed)}. Neither a class nor a label has this name"
    )


def _unknown_labels_message(
    unknown: Sequence[str], classes: Sequence[str], labels: NDArray[np.str_], image_id: StrArray
) -> str:
    first = unknown[0]
    images = image_id[labels == first]
    others = [
        f"{name!r} ({pluralize(int((labels == name).sum()), 'image')})" for name in unknown[1:_MAX_LISTED]
    ]
    more = (
        f" Other unknown labels: {format_examples([*others, *unknown[_MAX_LISTED:]], max_shown=len(others))}."
    )
    message = f"{unknown_name_message('label', first, classes)} (images: {format_examples(images)})."
    if not any(match_class(str(name), classes) for name in np.unique(labels)):
        return f"{message}{more if others else ''} None of the labels is one of the classes: check both"
    advice = (
        "Correct them; or count images that belong to none of the classes as such: --other-class other "
        "(other_class='other' in Python)"
    )
    return f"{message}{more if others else ''} {advice}"


def _other_labels_caveat(labels: NDArray[np.str_], resolved: StrArray) -> tuple[str, ...]:
    """Return a caveat that lists the labels that were counted as the class other."""
    counted = Counter(
        str(label)
        for label, name in zip(labels, resolved, strict=True)
        if name in OTHER_CLASS_NAMES and str(label) != name
    )
    if not counted:
        return ()
    listed = format_examples([f"{label} ({count})" for label, count in counted.most_common()], max_shown=10)
    return (f"Labels counted as the other class: {listed}.",)
