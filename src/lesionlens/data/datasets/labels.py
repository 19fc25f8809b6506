"""The labels of one's own table: diagnoses in any usual spelling, or classes of one's own as they are written."""

from collections.abc import Sequence

import pandas as pd

from lesionlens.data.problems import IssueCollector, pluralize
from lesionlens.data.sheet import is_missing
from lesionlens.data.taxonomy import DIAGNOSES, canonical_name
from lesionlens.errors import DataError, unknown_name_message

CUSTOM_CLASSES = (
    "or name all classes of your own: data.classes=[a,b] in a recipe, "
    '--class a --class b with data check, classes=["a", "b"] in Python'
)


def read_labels(column: pd.Series, issues: IssueCollector, classes: Sequence[str] | None) -> pd.Series:
    """Give each row's class, ``""`` where it has none that is allowed.

    Raises
    ------
    DataError
        ``classes`` repeat one.
    """
    allowed = tuple(DIAGNOSES) if classes is None else tuple(classes)
    if len(set(allowed)) != len(allowed):
        raise DataError(f"classes {list(allowed)} name one twice; name each once")
    names = {label: _class_of_label(label, classes) for label in column.unique()}
    lines = [f"line {number + 2}" for number in range(len(column))]  # 1 the header; lines count from 1
    without = [
        line for line, label in zip(lines, column, strict=True) if not names[label] and is_missing(label)
    ]
    issues.add_error("rows without a label", without, hint="Label them, or take them out of the table.")
    strangers = [label for label, name in names.items() if not name and not is_missing(label)]
    hints = [unknown_name_message("label", label, allowed).split(" Allowed:")[0].rstrip(":") for label in strangers]
    rows = [pluralize(int((column == label).sum()), "row") for label in strangers]
    issues.add_error(
        "labels that are not known",
        [f"{count} with {hint}" for hint, count in zip(hints, rows, strict=True)],
        hint=f"Allowed: {', '.join(allowed)}. Correct them, "
        f"{CUSTOM_CLASSES if classes is None else 'or name them among the classes'}.",
    )
    return column.map(names)


def _class_of_label(label: str, classes: Sequence[str] | None) -> str:
    if classes is not None:
        return label if label in classes else ""
    try:
        return canonical_name(label)
    except DataError:
        return ""
