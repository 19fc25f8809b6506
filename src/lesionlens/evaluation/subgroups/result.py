"""Results by subgroup, and their JSON and CSV files."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lesionlens.core.errors import PredictionsError
from lesionlens.core.json_file import write_json
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.core.tabular import write_csv_columns
from lesionlens.evaluation.metric import Aggregate, MetricKey, Scope

SUBGROUPS_FORMAT = "lesionlens-subgroups/1"
FAMILY_ALPHA = 0.05  # of all tests of a report together
MIN_GROUP_LESIONS = 10
"""Groups with fewer lesions have values, but neither intervals nor tests."""
_NUMBERS = ("value", "low", "high", "rest", "difference", "difference_low", "difference_high", "p", "p_holm")


@dataclass(frozen=True)
class SubgroupMetric:
    """One metric in one group, and its difference from all other images.

    Attributes
    ----------
    metric, scope
        Metric and scope, as in an evaluation.
    value, low, high
        Value in the group and bounds of its interval; NaN where undefined.
    rest
        Value in all other images.
    difference, difference_low, difference_high
        Value minus rest, and the bounds of its interval from the same resamples of lesions.
    p, p_holm
        Permutation p-value of no difference, and Holm's correction of it for all tests of the report; NaN if there is
        no test.
    excluded_classes
        Classes that an average excludes because the group or the rest has no image of them: such a value is compared
        with the rest, not with other groups.
    caveats
        Reasons for undefined numbers, and limits of the intervals.
    """

    metric: str
    scope: Scope
    value: float
    low: float
    high: float
    rest: float
    difference: float
    difference_low: float
    difference_high: float
    p: float = math.nan
    p_holm: float = math.nan
    excluded_classes: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()

    @property
    def key(self) -> MetricKey:
        """Metric and scope."""
        return self.metric, self.scope

    @property
    def is_significant(self) -> bool:
        """Whether the corrected p-value is below `FAMILY_ALPHA`."""
        return self.p_holm < FAMILY_ALPHA

    def to_record(self) -> dict[str, Any]:
        """Return the fields for JSON, with the class and the aggregate apart: one of them is null."""
        is_class = isinstance(self.scope, str)
        names = {
            "class": self.scope if is_class else None,
            "aggregate": None if is_class else str(self.scope),
        }
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        texts = {"excluded_classes": list(self.excluded_classes), "caveats": list(self.caveats)}
        return {"metric": self.metric, **names, **numbers, **texts}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "SubgroupMetric":
        """Return the metric of a record that `to_record` returned."""
        class_name = record["class"]
        scope = Aggregate(record["aggregate"]) if class_name is None else class_name
        numbers: dict[str, Any] = {
            name: math.nan if record[name] is None else record[name] for name in _NUMBERS
        }
        texts: dict[str, Any] = {name: tuple(record[name]) for name in ("excluded_classes", "caveats")}
        return cls(record["metric"], scope, **numbers, **texts)


@dataclass(frozen=True)
class Subgroup:
    """The images of one group of a column.

    Attributes
    ----------
    column, name
        Column and group.
    n_images, n_lesions
        Number of its images and lesions.
    support
        Number of images of each class, (k,), in the order of the report's classes.
    metrics
        Metrics of the group, the same ones for all groups.
    """

    column: str
    name: str
    n_images: int
    n_lesions: int
    support: tuple[int, ...]
    metrics: tuple[SubgroupMetric, ...]

    def metric(self, key: MetricKey) -> SubgroupMetric:
        """Return one metric of the group."""
        return next(metric for metric in self.metrics if metric.key == key)


@dataclass(frozen=True)
class SubgroupReport:
    """All groups of all columns, whose p-values are corrected together.

    Attributes
    ----------
    classes
        Names of the k classes.
    subgroups
        Groups of each column, in their order.
    n_images, n_lesions
        Number of all images and lesions.
    n_tests
        Number of tests that Holm's correction counts.
    caveats
        Limits of the groups, one sentence each.
    confidence, n_resamples, seed
        Confidence level of the intervals, number of bootstrap resamples (0: neither intervals nor tests), random seed.
    """

    classes: tuple[str, ...]
    subgroups: tuple[Subgroup, ...]
    n_images: int
    n_lesions: int
    n_tests: int
    caveats: tuple[str, ...]
    confidence: float
    n_resamples: int
    seed: int

    @property
    def keys(self) -> tuple[MetricKey, ...]:
        """Metrics and scopes of every group."""
        return tuple(metric.key for metric in self.subgroups[0].metrics)

    def by_column(self) -> dict[str, tuple[Subgroup, ...]]:
        """Return the groups of each column."""
        columns = dict.fromkeys(group.column for group in self.subgroups)
        return {name: tuple(group for group in self.subgroups if group.column == name) for name in columns}

    def differing(self) -> list[tuple[Subgroup, SubgroupMetric]]:
        """Return the differences whose corrected p-value is below `FAMILY_ALPHA`, the smallest p first."""
        pairs = [
            (group, metric) for group in self.subgroups for metric in group.metrics if metric.is_significant
        ]
        return sorted(pairs, key=lambda pair: pair[1].p_holm)

    def write(self, folder: Path) -> None:
        """Write ``subgroups.json`` and ``subgroups.csv``."""
        groups = [
            {**asdict(group), "metrics": [metric.to_record() for metric in group.metrics]}
            for group in self.subgroups
        ]
        record = {
            "format": SUBGROUPS_FORMAT,
            "notice": RESEARCH_USE_NOTICE,
            **asdict(self),
            "subgroups": groups,
        }
        write_json(folder / "subgroups.json", record)
        write_csv_columns(folder / "subgroups.csv", self._columns())

    def _columns(self) -> dict[str, list[str]]:
        """Return the columns of the CSV file, with a row for each metric of each group."""
        rows = [(group, metric) for group in self.subgroups for metric in group.metrics]
        return {
            **{
                name: [str(getattr(group, name)) for group, _ in rows]
                for name in ("column", "name", "n_images", "n_lesions")
            },
            **{name: [str(getattr(metric, name)) for _, metric in rows] for name in ("metric", "scope")},
            **{name: [_number_text(getattr(metric, name)) for _, metric in rows] for name in _NUMBERS},
            "caveats": ["; ".join(metric.caveats) for _, metric in rows],
        }


def _number_text(value: float) -> str:
    return "" if math.isnan(value) else repr(float(value))


def read_subgroups(path: Path | str) -> SubgroupReport:
    """Read ``subgroups.json``.

    Raises
    ------
    PredictionsError
        The file cannot be read, or is not a result by subgroup in this format.
    """
    advice = "evaluate the predictions again: lesionlens evaluate PREDICTIONS --by COLUMNS -o FOLDER"
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
        if record.pop("format") != SUBGROUPS_FORMAT:
            raise PredictionsError(f"{path} is not in the format {SUBGROUPS_FORMAT}; {advice}")
        record.pop("notice")
        record["subgroups"] = tuple(map(_read_group, record["subgroups"]))
        return SubgroupReport(**_to_tuples(record))
    except OSError as error:
        raise PredictionsError(f"cannot read {path}: {error}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise PredictionsError(f"{path} is not a result by subgroup ({error!r}); {advice}") from error


def _read_group(record: dict[str, Any]) -> Subgroup:
    metrics: Iterable[dict[str, Any]] = record["metrics"]
    return Subgroup(**_to_tuples({**record, "metrics": tuple(map(SubgroupMetric.from_record, metrics))}))


def _to_tuples(record: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
