"""Divide images into groups by a column of metadata, or into bins by a column of numbers."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lesionlens.core.errors import PredictionsError, shorten_repr
from lesionlens.core.missing import is_missing
from lesionlens.core.types import StrArray

MISSING_GROUP = "unknown"
"""Group of the images without a value; no other group has this name, as the word means "not known"."""
MAX_GROUPS = 25  # the tables of HAM10000 and ISIC have up to 15 body sites
DEFAULT_EDGES = {"age": (0.0, 30.0, 50.0, 70.0)}
"""Bins of columns of numbers without bins of their own, by the name of the column."""
_FORM = "Use a column, or a column of numbers with ascending edges of bins: age:0,30,50,70"


class GroupSpec(NamedTuple):
    """A column, and the edges of its bins in ascending order; without edges, each value is a group."""

    column: str
    edges: tuple[float, ...] = ()


class Grouping(NamedTuple):
    """Group of each image.

    Attributes
    ----------
    column
        Name of the column, or of what was measured.
    group
        Group of each image, (n,); `MISSING_GROUP` if the value is not known.
    names
        Names of the groups that have images: in ascending order, the unknown one last.
    caveats
        Limits of the groups, one sentence each.
    """

    column: str
    group: StrArray
    names: tuple[str, ...]
    caveats: tuple[str, ...] = ()


def parse_group_specs(texts: Iterable[str]) -> list[GroupSpec]:
    """Parse columns with optional bins; numbers after a column with bins are more edges.

    Raises
    ------
    PredictionsError
        A text is neither, the edges do not ascend, or a column occurs twice.

    Examples
    --------
    >>> parse_group_specs(["sex,age:0,30.5,site"])
    [GroupSpec(column='sex', edges=()), GroupSpec(column='age', edges=(0.0, 30.5)), GroupSpec(column='site', edges=())]
    """
    specs: list[GroupSpec] = []
    for text in texts:
        has_bins = False
        for item in map(str.strip, text.split(",")):
            if has_bins and _to_number(item) is not None:
                specs[-1] = specs[-1]._replace(edges=(*specs[-1].edges, _parse_edge(item, text)))
                continue
            column, colon, edge = item.rpartition(":") if ":" in item else (item, "", "")
            has_bins = bool(colon)
            specs.append(GroupSpec(column.strip(), (_parse_edge(edge, text),) if colon else ()))
    _check_specs(specs)
    return specs


def _to_number(text: str) -> float | None:
    try:
        number = float(text.replace("_", "?"))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _parse_edge(text: str, option: str) -> float:
    number = _to_number(text.strip())
    if number is None:
        raise PredictionsError(f"--by {option}: {text.strip()!r} is not the edge of a bin. {_FORM}")
    return number


def _check_specs(specs: Sequence[GroupSpec]) -> None:
    for spec in specs:
        if not spec.column:
            raise PredictionsError(f"--by has an empty name of a column. {_FORM}")
        if list(spec.edges) != sorted(set(spec.edges)):
            edges = ",".join(f"{edge:g}" for edge in spec.edges)
            raise PredictionsError(f"--by {spec.column}:{edges}: the edges do not ascend. {_FORM}")
    repeated = [name for name, count in Counter(spec.column for spec in specs).items() if count > 1]
    if repeated:
        raise PredictionsError(f"--by names the column {repeated[0]} twice; name it once")


def group_images(spec: GroupSpec, cells: Sequence[str], *, title: str = "") -> Grouping:
    """Divide images by the cells of a column, (n,).

    Words for "not known" (see `is_missing`) are one group. Values that differ only in case are one group, with the most
    frequent spelling. Bins contain their lower edge, not their upper one; the last one has no upper edge.

    Parameters
    ----------
    spec
        Column and bins. Without bins, ``age`` has those of `DEFAULT_EDGES`.
    cells
        Text of each image.
    title
        Name to show; default: that of the column.

    Raises
    ------
    PredictionsError
        The column has no value, only one, or more than `MAX_GROUPS`; or a cell of a column with bins is not a number.
    """
    name = title or spec.column
    known = [None if is_missing(cell) else cell.strip() for cell in cells]
    edges = spec.edges or DEFAULT_EDGES.get(spec.column, ())
    if edges:
        groups, order = _group_by_bins(name, known, edges)
    else:
        groups, order = _group_by_value(known)
    return make_grouping(name, groups, order)


def make_grouping(
    column: str, groups: Sequence[str], order: Sequence[str], *, caveats: Sequence[str] = ()
) -> Grouping:
    """Return the grouping of images by the name of their group, (n,), with the groups in an order; "" is not known.

    Raises
    ------
    PredictionsError
        There are no known groups, only one group, or more than `MAX_GROUPS`.
    """
    present = Counter(groups)
    n_missing = present.pop("", 0)
    _check_count(column, list(present), n_missing)
    names = (*(name for name in order if present[name]), *((MISSING_GROUP,) if n_missing else ()))
    percent = 100 * n_missing / len(groups)
    missing = (f"{column} is not known for {percent:.0f} % of the images.",) if percent >= 5 else ()
    group = np.array([name or MISSING_GROUP for name in groups], dtype=np.str_)
    return Grouping(column, group, names, (*caveats, *missing))


def _check_count(column: str, present: Sequence[str], n_missing: int) -> None:
    if not present:
        raise PredictionsError(f"--by {column}: the column has no value for any of the images. Remove it")
    if len(present) == 1 and not n_missing:
        raise PredictionsError(
            f"--by {column}: all images have the value {shorten_repr(present[0])}, so there are no other images to "
            "compare with. Remove it"
        )
    if len(present) > MAX_GROUPS:
        is_numeric = all(_to_number(value.replace(",", ".")) is not None for value in present)
        advice = (
            f"Divide the numbers into bins, such as {column}:0,30,50,70"
            if is_numeric
            else "Merge some of them"
        )
        raise PredictionsError(
            f"--by {column}: the column has {len(present)} different values, for example "
            f"{shorten_repr(present[0], 40)}; allowed are {MAX_GROUPS}. {advice}"
        )


def _group_by_value(cells: Sequence[str | None]) -> tuple[list[str], list[str]]:
    spellings: dict[str, Counter[str]] = {}
    for cell in cells:
        if cell is not None:
            spellings.setdefault(cell.casefold(), Counter())[cell] += 1
    names = {key: counts.most_common(1)[0][0] for key, counts in spellings.items()}
    groups = ["" if cell is None else names[cell.casefold()] for cell in cells]
    return groups, sorted(names.values(), key=_natural_key)


def _natural_key(name: str) -> tuple[bool, float, str]:
    number = _to_number(name)
    return number is None, number or 0.0, name.casefold()


def _group_by_bins(
    column: str, cells: Sequence[str | None], edges: tuple[float, ...]
) -> tuple[list[str], list[str]]:
    names = bin_names(edges)
    groups = []
    for cell in cells:
        number = None if cell is None else _to_number(cell.replace(",", "."))
        if cell is not None and number is None:
            raise PredictionsError(
                f"--by {column}: {shorten_repr(cell, 40)} is not a number, so the column has no bins. Remove the edges"
            )
        groups.append("" if number is None else names[int(np.searchsorted(edges, number, side="right"))])
    return groups, names


def bin_names(edges: Sequence[float]) -> list[str]:
    """Return the names of the bins between ascending edges, from below the first to above the last.

    Examples
    --------
    >>> bin_names([30, 50])
    ['below 30', '30 to <50', '50 and over']
    """
    texts = [f"{edge:g}" for edge in edges]
    between = [f"{low} to <{high}" for low, high in pairwise(texts)]
    return [f"below {texts[0]}", *between, f"{texts[-1]} and over"]
