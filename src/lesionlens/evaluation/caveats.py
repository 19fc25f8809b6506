"""What a reader must know about a set of predictions before trusting its numbers."""

import re

import numpy as np

from lesionlens.evaluation.compute import MACRO, OVERALL, WEIGHTED
from lesionlens.evaluation.formatting import MACRO_LABEL, METRIC_TITLES, WEIGHTED_LABEL, display_name
from lesionlens.evaluation.predictions import Predictions, format_examples, other_class_score
from lesionlens.evaluation.result import CAVEAT_SEPARATOR, EvaluationResult

_SUM_TOLERANCE = 1e-3  # scores written with three digits still sum to one


def dataset_caveats(predictions: Predictions, *, uses_argmax: bool = True) -> tuple[str, ...]:
    """Say what is unusual, one sentence each; none where nothing is.

    Parameters
    ----------
    uses_argmax
        Whether the largest score decides anything, so that equal ones are worth a word.
    """
    known = predictions.label != ""
    found = [
        _unlabeled_caveat(known),
        _absent_classes_caveat(predictions),
        _unknown_lesions_caveat(predictions),
        _other_class_caveat(predictions),
    ]
    return tuple(
        filter(
            None,
            [*found, _score_sum_caveat(predictions), _tied_scores_caveat(predictions) if uses_argmax else ""],
        )
    )


def _unlabeled_caveat(is_labeled: np.ndarray) -> str:
    missing = int((~is_labeled).sum())
    return f"{missing} of {len(is_labeled)} images have no label and are left out." if missing else ""


def _absent_classes_caveat(predictions: Predictions) -> str:
    there = set(map(str, predictions.label))
    absent = [name for name in predictions.classes if name not in there]
    return (
        f"No image of: {', '.join(map(display_name, absent))}; averages over classes leave these out."
        if absent
        else ""
    )


def _unknown_lesions_caveat(predictions: Predictions) -> str:
    if (predictions.lesion_id == predictions.image_id).all():
        return (
            "Lesions are not known: each image counts as its own lesion. If some images show "
            "the same lesion, the intervals are too narrow."
        )
    return ""


def _other_class_caveat(predictions: Predictions) -> str:
    if not predictions.other_class:
        return ""
    rest = predictions.classes.index(predictions.other_class)
    derived = np.allclose(
        predictions.scores[:, rest], other_class_score(np.delete(predictions.scores, rest, axis=1)), rtol=0
    )
    return (
        f"Averages of the classes leave out {display_name(predictions.other_class)}, which is none of those asked about"
        + ("; its score is one minus the largest of the others." if derived else ".")
    )


def _score_sum_caveat(predictions: Predictions) -> str:
    if predictions.other_class:
        return ""
    off = np.abs(predictions.scores.sum(axis=1) - 1) > _SUM_TOLERANCE
    if not off.any():
        return ""
    return f"The scores of {off.sum()} images do not sum to one: they are taken as independent scores."


def _tied_scores_caveat(predictions: Predictions) -> str:
    largest = predictions.scores.max(axis=1, keepdims=True)
    tied = (predictions.scores == largest).sum(axis=1) > 1
    if not tied.any():
        return ""
    return (
        f"{tied.sum()} images share their largest score between classes and count for the first of them: "
        f"{format_examples(predictions.image_id[tied])}."
    )


_NUMBER_PATTERN = re.compile(r"\d+")
_SCOPE_NAMES = {MACRO: MACRO_LABEL, WEIGHTED: WEIGHTED_LABEL, OVERALL: "all images"}


def grouped_caveats(evaluation: EvaluationResult) -> list[str]:
    """Say each remark on estimates once, with the classes and metrics that it is about.

    Remarks that differ in their numbers alone are one, and give the smallest and the largest number.
    """
    worded: dict[str, list[str]] = {}
    about: dict[str, dict[str, list[str]]] = {}
    for each in evaluation.estimates:
        # the classes without images have one note together
        absent = (
            each.scope in evaluation.classes and not evaluation.support[evaluation.classes.index(each.scope)]
        )
        for remark in each.caveat.split(CAVEAT_SEPARATOR) if each.caveat and not absent else ():
            kind = _NUMBER_PATTERN.sub("#", remark)
            worded.setdefault(kind, []).append(remark)
            about.setdefault(kind, {}).setdefault(each.scope, []).append(METRIC_TITLES[each.metric])
    return [_format_caveat(remarks, about[kind]) for kind, remarks in worded.items()]


def _format_caveat(caveats: list[str], metrics_by_scope: dict[str, list[str]]) -> str:
    """Join the classes that a remark concerns with the same metrics."""
    classes: dict[str, list[str]] = {}
    for of, metrics in metrics_by_scope.items():
        classes.setdefault(", ".join(metrics), []).append(_SCOPE_NAMES.get(of, display_name(of)))
    concerned = "; ".join(f"{', '.join(names)} ({metrics})" for metrics, names in classes.items())
    remark = _merge_numbers(caveats)
    return f"{remark[0].upper()}{remark[1:]}. Concerns {concerned}."


def _merge_numbers(caveats: list[str]) -> str:
    """Write remarks that differ in their numbers as one.

    Examples
    --------
    >>> _merge_numbers(["few lesions (7)", "few lesions (2)"])
    'few lesions (2–7)'
    """
    found = zip(*(map(int, _NUMBER_PATTERN.findall(each)) for each in caveats), strict=True)
    ranges = [f"{min(each)}" if min(each) == max(each) else f"{min(each)}–{max(each)}" for each in found]
    return _NUMBER_PATTERN.sub(lambda _: ranges.pop(0), caveats[0])
