"""The record of a comparison, and what every test of it checks first."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from lesionlens.errors import ComparisonError, unknown_name_message
from lesionlens.evaluation.sweep import BoolArray, FloatArray

Alternative = Literal["two-sided", "less", "greater"]


class SignificanceResult(NamedTuple):
    """A difference, and what a test says of it; NaN is what the test does not give.

    Attributes
    ----------
    difference
        Of the first less the second.
    low, high
        Its 95 % interval, or of another confidence where one was given; two-sided under every alternative.
    statistic
        What the test is named for: t, z, W, χ² or a count.
    p
        Of no difference, against the alternative: of any difference, of the first being ``less``, or ``greater``.
    n
        How many units were compared.
    unit
        What counts as independent of each other: runs, images or lesions.
    test
        Its name.
    """

    difference: float
    low: float
    high: float
    statistic: float
    p: float
    n: int
    unit: str
    test: str


def check_sample(values: Sequence[float] | NDArray[np.floating], *, min_size: int) -> FloatArray:
    """Take one number a run, (n,).

    Raises
    ------
    ComparisonError
        Fewer than ``min_size`` numbers, or one that is not finite.
    """
    found = np.asarray(values, dtype=np.float64)
    if found.ndim != 1 or len(found) < min_size:
        raise ComparisonError(f"{found.size} runs are too few to compare: {min_size} or more are needed")
    wrong = int((~np.isfinite(found)).sum())
    if wrong:
        raise ComparisonError(
            f"{wrong} of {len(found)} numbers are not defined: leave those runs out on both sides, and say so"
        )
    return found


def paired_differences(
    a: Sequence[float] | NDArray[np.floating], b: Sequence[float] | NDArray[np.floating], *, min_size: int
) -> FloatArray:
    """Give the first less the second of each pair, (n,); a ComparisonError says why they are no pairs.

    Rounded to twelve digits, lest 0.8 - 0.7 and 0.9 - 0.8 are of different rank.
    """
    first, second = check_sample(a, min_size=min_size), check_sample(b, min_size=min_size)
    if len(first) != len(second):
        raise ComparisonError(
            f"{len(first)} and {len(second)} runs are no pairs: give the two numbers of each run in the same order"
        )
    return np.round(first - second, 12)


def check_alternative(alternative: str) -> None:
    """Refuse an alternative that does not exist."""
    if alternative not in get_args(Alternative):
        raise ComparisonError(unknown_name_message("alternative", alternative, get_args(Alternative)))


def check_confidence(confidence: float) -> None:
    """Refuse a confidence that is no share."""
    if not 0 < confidence < 1:
        raise ComparisonError(f"confidence={confidence}: a number between 0 and 1 is needed, such as 0.95")


def check_boolean(flags: NDArray[Any]) -> BoolArray:
    """Take one true or false an image, (n,); words and NaN are neither.

    Raises
    ------
    ComparisonError
        Anything but true and false, or 1 and 0; or not one value an image.
    """
    found = np.asarray(flags)
    if found.ndim != 1 or found.dtype.kind not in "biuf" or not np.isin(found, (0, 1)).all():
        raise ComparisonError(
            f"true or false, or 1 or 0, is needed for each image, in one row; it is an array of {found.shape}, "
            f"{found.dtype}, such as {found.ravel()[:3].tolist()}"
        )
    return found.astype(np.bool_)


def count_as_extreme(permuted: FloatArray, observed: float, alternative: Alternative) -> int:
    """Count the draws, (r,), that lie at or beyond what was observed, rounding errors forgiven."""
    check_alternative(alternative)
    slack = 1e-12 * max(1.0, abs(observed))
    if alternative == "less":
        return int((permuted <= observed + slack).sum())
    if alternative == "greater":
        return int((permuted >= observed - slack).sum())
    return int((np.abs(permuted) >= abs(observed) - slack).sum())
