"""The significance test that a paper reports itself, on its published and on the measured values, next to ours."""

import math
from typing import NamedTuple

from scipy import stats

from lesionlens.core.errors import ComparisonError
from lesionlens.evaluation.comparison.result import SignificanceResult
from lesionlens.evaluation.comparison.tests import paired_t, two_sample_t, two_sample_t_from_summaries
from lesionlens.reproduction.outcome import TableOutcome
from lesionlens.reproduction.spec import PaperTestSpec
from lesionlens.reproduction.table_cells import TableCell


class PaperTestLine(NamedTuple):
    """A test on published or measured values.

    Attributes
    ----------
    values, test
        ``published`` or ``measured``, and name of the test.
    means
        Means of both rows, in the table's unit.
    t, df
        Statistic and degrees of freedom.
    critical
        Smallest absolute value of t at which the paper rejects the null hypothesis.
    p
        One-sided p-value.
    conclusion
        ``significant``, ``not significant`` or ``not judged``.
    note
        Why there is no test; "" if there is one.
    """

    values: str
    test: str
    means: tuple[float, float]
    t: float
    df: int
    critical: float
    p: float
    conclusion: str
    note: str = ""


def paper_test_lines(outcome: TableOutcome) -> list[PaperTestLine]:
    """Return the paper's test on its published values, the same on the measured ones, and the paired test on these.

    The paper's test assumes independent runs. Runs of both rows with the same seed have the order of images in common,
    which the paired test uses.
    """
    test = outcome.results.spec.paper_test
    if test is None:
        return []
    cells = outcome.cell(test.first, test.column), outcome.cell(test.second, test.column)
    return [*_published_lines(test, cells), *_measured_lines(outcome, test)]


def _published_lines(test: PaperTestSpec, cells: tuple[TableCell, TableCell]) -> list[PaperTestLine]:
    first, second = (cell.published for cell in cells)
    if first is None or second is None or first.spread is None or second.spread is None:
        return []
    squares = [(test.num_runs - 1) * value.spread**2 for value in (first, second) if value.spread is not None]
    result = two_sample_t_from_summaries(
        first.value, squares[0], test.num_runs, second.value, squares[1], test.num_runs, alternative="less"
    )
    return [_line(test, "published", result, (first.value, second.value), 2 * test.num_runs - 2, judged=True)]


def _measured_lines(outcome: TableOutcome, test: PaperTestSpec) -> list[PaperTestLine]:
    spec = outcome.results.spec
    runs = [
        {
            (run.run, run.fold): spec.scale(test.column) * run.value
            for run in outcome.values[row, test.column]
            if math.isfinite(run.value)
        }
        for row in (test.first, test.second)
    ]
    common = [key for key in runs[0] if key in runs[1]]
    complete = all(outcome.cell(row, test.column).is_complete for row in (test.first, test.second))
    judged = outcome.is_comparable_to_paper and complete
    first, second = ([*values.values()] for values in runs)
    means = tuple(math.fsum(values) / len(values) if values else math.nan for values in (first, second))
    try:
        independent = two_sample_t(first, second, alternative="less")
        paired = paired_t([runs[0][key] for key in common], [runs[1][key] for key in common], "less")
    except ComparisonError as error:
        nothing = (math.nan, 0, math.nan, math.nan, "not judged", f"not tested: {error}")
        return [PaperTestLine("measured", "independent t", (means[0], means[1]), *nothing)]
    return [
        _line(
            test, "measured", independent, (means[0], means[1]), len(first) + len(second) - 2, judged=judged
        ),
        _line(test, "measured", paired, (means[0], means[1]), len(common) - 1, judged=judged),
    ]


def _line(
    test: PaperTestSpec,
    values: str,
    result: SignificanceResult,
    means: tuple[float, float],
    df: int,
    *,
    judged: bool,
) -> PaperTestLine:
    conclusion = "not judged"
    if judged and math.isfinite(result.p):
        conclusion = "significant" if result.p < test.significance_level else "not significant"
    critical = float(stats.t.isf(test.significance_level, df))
    note = f"not tested: {result.reason}" if result.reason else ""
    return PaperTestLine(
        values, result.test, means, result.statistic, df, critical, result.p, conclusion, note
    )
