"""Caveats of an evaluation: what limits its numbers, for its predictions and for its estimates."""

from collections.abc import Mapping, Sequence

import numpy as np

from lesionlens.core.missing import oversized_groups
from lesionlens.core.types import BoolArray
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.formatting import display_name, format_scope
from lesionlens.evaluation.metric import Scope
from lesionlens.evaluation.predictions import Predictions, format_examples, other_class_score
from lesionlens.evaluation.registry import METRICS
from lesionlens.evaluation.result import NUMBER_PLACEHOLDER, EvaluationResult
from lesionlens.evaluation.thresholds import Thresholds

_SUM_TOLERANCE = 1e-3  # scores written with three digits still sum to one


def dataset_caveats(predictions: Predictions, *, uses_argmax: bool = True) -> tuple[str, ...]:
    """Return the caveats of a set of predictions, one sentence each; empty if there are none.

    Parameters
    ----------
    predictions
        Predictions to evaluate, including images without a label.
    uses_argmax
        Whether the largest score decides the predicted class, so that ties matter.
    """
    caveats = (
        *predictions.caveats,
        unlabeled_caveat(predictions.label != ""),
        _absent_classes_caveat(predictions),
        _absent_predicted_caveat(predictions) if uses_argmax else "",
        unknown_lesions_caveat(predictions, consequence="the intervals are too narrow"),
        large_lesions_caveat(predictions),
        conflicting_lesions_caveat(predictions),
        _other_class_caveat(predictions),
        _score_sum_caveat(predictions),
        _tied_scores_caveat(predictions) if uses_argmax else "",
    )
    return tuple(filter(None, caveats))


def leakage_caveats(predictions: Predictions, thresholds: Thresholds | None) -> tuple[str, ...]:
    """Return a caveat if thresholds were tuned on evaluated lesions."""
    shared = set(map(str, predictions.lesion_id)) & thresholds.tuned_on if thresholds else set()
    if not shared:
        return ()
    return (
        f"The thresholds were tuned on {len(shared)} of the evaluated lesions: metrics that depend on them are "
        "optimistically biased.",
    )


def unlabeled_caveat(is_labeled: BoolArray) -> str:
    """Return a caveat if images have no label, from whether each image has one, (n,); "" otherwise."""
    missing = int((~is_labeled).sum())
    if not missing:
        return ""
    verbs = "has no label and is" if missing == 1 else "have no label and are"
    return f"{missing} of {pluralize(len(is_labeled), 'image')} {verbs} excluded."


def _absent_classes_caveat(predictions: Predictions) -> str:
    present = set(map(str, predictions.label))
    absent = [display_name(name) for name in predictions.classes if name not in present]
    return f"No images of: {', '.join(absent)}; averages over classes exclude them." if absent else ""


def _absent_predicted_caveat(predictions: Predictions) -> str:
    """Report images of which a class without images takes the decision: it may not be a class at all."""
    present = set(map(str, predictions.label)) | {predictions.other_class}
    labeled = predictions.select(predictions.label != "") if len(present - {""}) else predictions
    best = np.array(predictions.classes)[labeled.scores.argmax(axis=1)]
    counts = {name: int((best == name).sum()) for name in predictions.classes if name not in present}
    listed = [f"{display_name(name)} ({count})" for name, count in counts.items() if count]
    if not listed or present <= {"", predictions.other_class}:
        return ""
    return (
        f"Predicted although no image is of this class: {', '.join(listed)} of {len(labeled)} images. Check that it is "
        "a class."
    )


def unknown_lesions_caveat(predictions: Predictions, *, consequence: str) -> str:
    """Return a caveat if the lesions of images are unknown; "" otherwise."""
    unknown = predictions.has_unknown_lesion
    _, lesion, images = np.unique(predictions.lesion_id, return_inverse=True, return_counts=True)
    are_named_by_images = (images[lesion][unknown] > 1).any()  # a lesion has the name of one of its images
    if not unknown.any() or are_named_by_images:
        return ""
    extent = "" if unknown.all() else f" of {unknown.sum()} of {len(unknown)} images"
    return (
        f"Lesions{extent} are unknown: each image counts as its own lesion. If several images show the same lesion, "
        f"{consequence}."
    )


def large_lesions_caveat(predictions: Predictions) -> str:
    """Return a caveat about lesions with so many images that the id may mean something else, such as "not known"."""
    lesions = oversized_groups(map(str, predictions.lesion_id))
    if not lesions:
        return ""
    listed = [f"{name!r} has {count} of {len(predictions)} images" for name, count in lesions.items()]
    return f"Check the lesion ids: {format_examples(listed, max_shown=3)}."


def conflicting_lesions_caveat(predictions: Predictions) -> str:
    """Return a caveat about lesions whose images have different labels: their id may mean something else."""
    labels: dict[str, dict[str, None]] = {}
    for lesion, label in zip(predictions.lesion_id.tolist(), predictions.label.tolist(), strict=True):
        if label:
            labels.setdefault(lesion, {})[label] = None
    listed = [
        f"{lesion!r} ({', '.join(map(display_name, names))})"
        for lesion, names in labels.items()
        if len(names) > 1
    ]
    if not listed:
        return ""
    return f"Check the lesion ids: images of one lesion have different labels: {format_examples(listed, max_shown=3)}."


def _other_class_caveat(predictions: Predictions) -> str:
    if not predictions.other_class:
        return ""
    other = predictions.classes.index(predictions.other_class)
    derived_scores = other_class_score(np.delete(predictions.scores, other, axis=1))
    is_derived = np.allclose(predictions.scores[:, other], derived_scores, rtol=0)
    derivation = "; its score is one minus the largest of the others." if is_derived else "."
    return (
        f"Averages over classes exclude {display_name(predictions.other_class)}, the class of images that belong to "
        f"none of the target classes{derivation}"
    )


def _score_sum_caveat(predictions: Predictions) -> str:
    if predictions.other_class:
        return ""
    off = np.abs(predictions.scores.sum(axis=1) - 1) > _SUM_TOLERANCE
    if not off.any():
        return ""
    return (
        f"Scores that do not sum to one: {off.sum()} of {len(off)} images. Scores are treated as independent."
    )


def _tied_scores_caveat(predictions: Predictions) -> str:
    largest = predictions.scores.max(axis=1, keepdims=True)
    tied = (predictions.scores == largest).sum(axis=1) > 1
    if not tied.any():
        return ""
    return (
        f"Tied largest scores: {tied.sum()} of {len(tied)} images, predicted as the first of the tied classes "
        f"({format_examples(predictions.image_id[tied])})."
    )


def grouped_caveats(evaluation: EvaluationResult) -> list[str]:
    """Return each distinct caveat of the estimates once, with the classes and metrics that it applies to.

    Caveats that differ only in their numbers are merged and show the smallest and the largest number. Classes without
    images are omitted: `dataset_caveats` lists them.
    """
    absent = {name for name, count in zip(evaluation.classes, evaluation.support, strict=True) if not count}
    numbers: dict[str, list[int]] = {}
    metrics_by_scope: dict[str, dict[Scope, list[str]]] = {}
    for estimate in evaluation.estimates:
        for caveat in () if estimate.scope in absent else estimate.caveats:
            numbers.setdefault(caveat.text, []).extend([] if caveat.number is None else [caveat.number])
            by_scope = metrics_by_scope.setdefault(caveat.text, {})
            by_scope.setdefault(estimate.scope, []).append(METRICS[estimate.metric].title)
    return [_format_caveat(text, numbers[text], scopes) for text, scopes in metrics_by_scope.items()]


def _format_caveat(text: str, numbers: Sequence[int], metrics_by_scope: Mapping[Scope, list[str]]) -> str:
    """Join the classes to which a caveat applies for the same metrics."""
    scopes_by_metrics: dict[str, list[str]] = {}
    for scope, metrics in metrics_by_scope.items():
        scopes_by_metrics.setdefault(", ".join(metrics), []).append(format_scope(scope))
    applies_to = "; ".join(
        f"{', '.join(scopes)} ({metrics})" for metrics, scopes in scopes_by_metrics.items()
    )
    text = text.replace(NUMBER_PLACEHOLDER, _format_range(numbers)) if numbers else text
    return f"{text[0].upper()}{text[1:]}. Applies to {applies_to}."


def _format_range(numbers: Sequence[int]) -> str:
    """Return the smallest and the largest number.

    Examples
    --------
    >>> _format_range([7, 2]), _format_range([3, 3])
    ('2–7', '3')
    """
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low}–{high}"
