"""The remarks on single estimates, each said once with all that it concerns."""

import re

from lesionlens.evaluation.evaluation import CAVEAT_SEPARATOR, EvaluationResult
from lesionlens.evaluation.measures import OVERALL, MACRO, WEIGHTED
from lesionlens.evaluation.wording import MACRO_LABEL, METRIC_TITLES, WEIGHTED_LABEL, display_name

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
        absent = each.scope in evaluation.classes and not evaluation.support[evaluation.classes.index(each.scope)]
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
    >>> _with_ranges(["few lesions (7)", "few lesions (2)"])
    'few lesions (2–7)'
    """
    found = zip(*(map(int, _NUMBER_PATTERN.findall(each)) for each in caveats), strict=True)
    ranges = [f"{min(each)}" if min(each) == max(each) else f"{min(each)}–{max(each)}" for each in found]
    return _NUMBER_PATTERN.sub(lambda _: ranges.pop(0), caveats[0])
