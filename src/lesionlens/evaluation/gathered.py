"""The remarks on single estimates, each said once with all that it concerns."""

import re

from lesionlens.evaluation.evaluation import REMARKS, Evaluation
from lesionlens.evaluation.measures import ALL, MACRO, WEIGHTED
from lesionlens.evaluation.wording import MEAN, TITLES, WEIGHTED_MEAN, readable

_NUMBER = re.compile(r"\d+")
_NAMES = {MACRO: MEAN, WEIGHTED: WEIGHTED_MEAN, ALL: "all images"}


def gathered_notes(evaluation: Evaluation) -> list[str]:
    """Say each remark on estimates once, with the classes and metrics that it is about.

    Remarks that differ in their numbers alone are one, and give the smallest and the largest number.
    """
    worded: dict[str, list[str]] = {}
    about: dict[str, dict[str, list[str]]] = {}
    for each in evaluation.estimates:
        # the classes without images have one note together
        absent = each.of in evaluation.classes and not evaluation.support[evaluation.classes.index(each.of)]
        for remark in each.note.split(REMARKS) if each.note and not absent else ():
            kind = _NUMBER.sub("#", remark)
            worded.setdefault(kind, []).append(remark)
            about.setdefault(kind, {}).setdefault(each.of, []).append(TITLES[each.metric])
    return [_sentence(remarks, about[kind]) for kind, remarks in worded.items()]


def _sentence(remarks: list[str], about: dict[str, list[str]]) -> str:
    """Join the classes that a remark concerns with the same metrics."""
    classes: dict[str, list[str]] = {}
    for of, metrics in about.items():
        classes.setdefault(", ".join(metrics), []).append(_NAMES.get(of, readable(of)))
    concerned = "; ".join(f"{', '.join(names)} ({metrics})" for metrics, names in classes.items())
    remark = _with_ranges(remarks)
    return f"{remark[0].upper()}{remark[1:]}. Concerns {concerned}."


def _with_ranges(remarks: list[str]) -> str:
    """Write remarks that differ in their numbers as one.

    Examples
    --------
    >>> _with_ranges(["few lesions (7)", "few lesions (2)"])
    'few lesions (2–7)'
    """
    found = zip(*(map(int, _NUMBER.findall(each)) for each in remarks), strict=True)
    ranges = [f"{min(each)}" if min(each) == max(each) else f"{min(each)}–{max(each)}" for each in found]
    return _NUMBER.sub(lambda _: ranges.pop(0), remarks[0])
