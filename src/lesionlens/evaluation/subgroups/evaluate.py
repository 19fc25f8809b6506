"""Evaluate each group of images against all other images: values, paired differences, intervals and p-values."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lesionlens.core.bootstrap import cluster_bootstrap_weights, combine_intervals, percentile_interval
from lesionlens.core.errors import PredictionsError
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.evaluation.binarize import to_binary_task
from lesionlens.evaluation.comparison.result import holm
from lesionlens.evaluation.compute import ValuesByMetric, average_over_classes, compute_metrics
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.lesion_counts import LesionCounts, count_lesions
from lesionlens.evaluation.metric import MACRO, OVERALL, MetricKey
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.registry import METRICS, check_metric_keys
from lesionlens.evaluation.subgroups.grouping import Grouping
from lesionlens.evaluation.subgroups.permutation import (
    SUBGROUP_CHUNK_SIZE,
    permutation_p_values,
    stratify_lesions,
)
from lesionlens.evaluation.subgroups.result import (
    MIN_GROUP_LESIONS,
    Subgroup,
    SubgroupMetric,
    SubgroupReport,
)
from lesionlens.evaluation.thresholds import DecisionRule, check_decision_rule, positive_class

_MIN_AVERAGED_CLASSES = 2  # an average over one class would be compared with averages over several
_MAX_UNDEFINED_FRACTION = 0.05  # of the resamples; more are reported in a caveat
_PERMUTATIONS_PER_TEST = 100  # so that the smallest p-value, corrected, is 0.02
_MIN_PERMUTATIONS = 999


def subgroup_metrics(predictions: Predictions) -> list[MetricKey]:
    """Return the metrics that subgroups are compared by: few, as each p-value is corrected for all others.

    With two classes, AUC, sensitivity and specificity of the positive class; otherwise the AUC of each target class and
    its mean. In both cases also accuracy and balanced accuracy, the calibration error and, if the predictions have
    prediction sets, their coverage.
    """
    overall: list[MetricKey] = [
        (name, OVERALL) for name, metric in reversed(METRICS.items()) if metric.overall_function
    ]
    calibrated = predictions.calibrated_scores is not None
    overall.append(("calibrated_ece" if calibrated else "ece", OVERALL))
    if predictions.prediction_sets is not None:
        overall.append(("set_coverage", OVERALL))
    if len(predictions.classes) == 2:
        positive = positive_class(predictions.classes)
        return [*((name, positive) for name in ("auc", "sensitivity", "specificity")), *overall]
    present = set(map(str, predictions.label)) - {predictions.other_class}
    targets = [name for name in predictions.classes if name in present]
    return [*(("auc", name) for name in targets), ("auc", MACRO), *overall]


def evaluate_subgroups(
    predictions: Predictions,
    groupings: Sequence[Grouping],
    *,
    keys: Sequence[MetricKey] = (),
    n_resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
    task: str = "all",
) -> SubgroupReport:
    """Compare each group of each grouping with all other images.

    Intervals are percentile bootstrap intervals over lesions. A resample samples lesions once, for all groups and their
    rests, so that the difference of a group is computed from the same lesions as its value. p-values permute the group
    of lesions within each class (see `permutation_p_values`), and are corrected together by Holm's method. Averages
    over classes are over the classes that both the group and the rest have. The two groups of a column without others
    have opposite differences: these are one test.

    Parameters
    ----------
    predictions
        Predictions with labels; images without a label are excluded.
    groupings
        Groups of all images of ``predictions``.
    keys
        Metrics and scopes to compare; default: see `subgroup_metrics`.
    n_resamples
        Number of bootstrap resamples; 0 computes values only.
    seed
        Random seed of resamples and permutations.
    confidence
        Confidence level of the intervals.
    decision, task
        As of `lesionlens.evaluation.evaluate.evaluate`.

    Raises
    ------
    PredictionsError
        No image has a label, no group has another one to compare with, or an option does not match the classes.
    ComparisonError
        A metric does not exist.
    """
    labeled, selected = _select_evaluated(predictions, task)
    check_decision_rule(decision, labeled)
    keys = list(keys) or subgroup_metrics(labeled)
    check_metric_keys(keys, labeled.classes)
    parts = [
        _GroupPart(labeled, grouping.column, name, grouping.group[selected] == name, tuple(keys), decision)
        for grouping in groupings
        for name in grouping.names
    ]
    parts = [part for part in parts if part.is_member.any()]
    _check_rests(parts)
    resampled = _bootstrap(parts, labeled, n_resamples, seed) if n_resamples else None
    groups = [
        part.summarize(None if resampled is None else resampled[index], confidence)
        for index, part in enumerate(parts)
    ]
    groups, n_tests = _with_p_values(parts, groups, seed) if n_resamples else (groups, 0)
    return SubgroupReport(
        classes=labeled.classes,
        subgroups=tuple(groups),
        n_images=len(labeled),
        n_lesions=len(np.unique(labeled.lesion_id)),
        n_tests=n_tests,
        caveats=(*(text for grouping in groupings for text in grouping.caveats), *_size_caveats(groups)),
        confidence=confidence,
        n_resamples=n_resamples,
        seed=seed,
    )


def _select_evaluated(predictions: Predictions, task: str) -> tuple[Predictions, BoolArray]:
    """Return the labeled images of a task, and which images they are, (n,)."""
    reduced = to_binary_task(predictions, task).predictions
    labeled = reduced.label != ""
    if not labeled.any():
        raise PredictionsError("none of the images has a label, so there are no groups to evaluate")
    reduced = reduced.select(labeled)
    return reduced, np.isin(predictions.image_id, reduced.image_id)


def _check_rests(parts: Sequence["_GroupPart"]) -> None:
    for part in parts:
        if part.is_member.all():
            raise PredictionsError(
                f"--by {part.column}: all evaluated images are in the group {part.name}, so there are no other images "
                "to compare with. Remove it"
            )


@dataclass(frozen=True)
class _GroupPart:
    """A group of labeled predictions, with what its metrics are computed from."""

    predictions: Predictions
    column: str
    name: str
    is_member: BoolArray
    keys: tuple[MetricKey, ...]
    decision: DecisionRule

    @cached_property
    def members(self) -> Predictions:
        return self.predictions.select(self.is_member)

    @cached_property
    def others(self) -> Predictions:
        return self.predictions.select(~self.is_member)

    @cached_property
    def lesions(self) -> tuple[LesionCounts, LesionCounts]:
        """Lesions of the group and of the rest."""
        return count_lesions(self.members), count_lesions(self.others)

    @cached_property
    def common_classes(self) -> tuple[str, ...]:
        """Classes that have images in the group and in the rest."""
        common = set(map(str, self.members.label)) & set(map(str, self.others.label))
        return tuple(name for name in self.predictions.classes if name in common)

    @property
    def averaged_classes(self) -> tuple[str, ...]:
        """Classes of averages: the common ones without ``other_class``."""
        return tuple(name for name in self.common_classes if name != self.predictions.other_class)

    @property
    def is_large_enough(self) -> bool:
        """Whether group and rest have enough lesions for intervals and tests."""
        return min(counts.total for counts in self.lesions) >= MIN_GROUP_LESIONS

    def values(self, predictions: Predictions, weights: FloatArray | None = None) -> FloatArray:
        """Compute the metrics, (m, …), of predictions for each row of ``weights``, (…, n)."""
        computed = self._compute(predictions, weights)
        rows = []
        for name, scope in self.keys:
            metric = METRICS[name]
            average = next((item for item in metric.averages if item.scope == scope), None)
            if metric.is_average(scope) and len(self.averaged_classes) < _MIN_AVERAGED_CLASSES:
                rows.append(np.full_like(next(iter(computed.values())), np.nan))
            elif average is not None:
                rows.append(average_over_classes(computed, metric.averaged, average, self.averaged_classes))
            elif metric.is_average(scope):
                rows.append(self._common_values(predictions, weights, computed)[name, scope])
            else:
                rows.append(computed[name, scope])
        return np.stack(rows)

    def _common_values(
        self, predictions: Predictions, weights: FloatArray | None, computed: ValuesByMetric
    ) -> ValuesByMetric:
        """Return the metrics of the images of common classes, given those of all images."""
        is_common = np.isin(predictions.label, self.common_classes)
        if is_common.all():
            return computed
        common_weights = None if weights is None else weights[..., is_common]
        selected = predictions.select(is_common)
        return self._compute(selected, common_weights)

    def _compute(self, predictions: Predictions, weights: FloatArray | None) -> ValuesByMetric:
        names = {name for key in self.keys for name in (key[0], METRICS[key[0]].averaged)}
        return compute_metrics(predictions, decision=self.decision, weights=weights, names=names).values

    def differences(self, is_member: BoolArray) -> FloatArray:
        """Compute group minus rest, (m, r), for each row of memberships, (r, n)."""
        weights = is_member.astype(np.float64)
        return self.values(self.predictions, weights) - self.values(self.predictions, 1 - weights)

    def summarize(self, resampled: FloatArray | None, confidence: float) -> Subgroup:
        """Return the group without p-values, from resampled values of group and rest, (2, m, r)."""
        values, rests = self.values(self.members), self.values(self.others)
        metrics = [
            self._summarize_metric(
                index,
                float(value),
                float(rest),
                None if resampled is None else resampled[:, index],
                confidence,
            )
            for index, (value, rest) in enumerate(zip(values, rests, strict=True))
        ]
        support = tuple(int((self.members.label == name).sum()) for name in self.predictions.classes)
        n_lesions = self.lesions[0].total
        return Subgroup(self.column, self.name, len(self.members), n_lesions, support, tuple(metrics))

    def _summarize_metric(
        self, index: int, value: float, rest: float, resampled: FloatArray | None, confidence: float
    ) -> SubgroupMetric:
        key = self.keys[index]
        caveats = [*self._undefined_reasons(key, value, rest)]
        excluded = self._excluded_classes(key)
        if excluded and not np.isnan(value):
            caveats.append(f"without {', '.join(map(display_name, excluded))}, which one side does not have")
        low = high = difference_low = difference_high = np.nan
        if resampled is not None and not np.isnan(value) and self.is_large_enough:
            caveats += self._small_count_caveats(key)
            metric = METRICS[key[0]]
            low, high, undefined = metric.interval(np.asarray(value), resampled[0], confidence=confidence)
            if undefined > _MAX_UNDEFINED_FRACTION:
                caveats.append(f"undefined in {100 * undefined:.0f} % of the resamples")
            rest_interval = metric.interval(np.asarray(rest), resampled[1], confidence=confidence)
            if np.isnan([low, rest_interval.low]).any():
                caveats.append("the same in (nearly) every resample: there is no interval of the difference")
            elif metric.is_biased_in_resamples:
                difference_low, difference_high = combine_intervals(
                    (value, low, high), (rest, rest_interval.low, rest_interval.high)
                )
            else:
                interval = percentile_interval(resampled[0] - resampled[1], confidence=confidence)
                difference_low, difference_high = interval.low, interval.high
        numbers = value, low, high, rest, value - rest, difference_low, difference_high
        return SubgroupMetric(*key, *numbers, excluded_classes=excluded, caveats=tuple(caveats))

    def _excluded_classes(self, key: MetricKey) -> tuple[str, ...]:
        """Return the classes that an average excludes because the group or the rest does not have them."""
        if not METRICS[key[0]].is_average(key[1]):
            return ()
        excluded = set(map(str, self.predictions.label)) - {
            self.predictions.other_class,
            *self.averaged_classes,
        }
        return tuple(name for name in self.predictions.classes if name in excluded)

    def _undefined_reasons(self, key: MetricKey, value: float, rest: float) -> Iterator[str]:
        name, scope = key
        for part, number, where in ((self.members, value, ""), (self.others, rest, "in the other images, ")):
            if not np.isnan(number):
                continue
            if isinstance(scope, str):
                n_positive = int((part.label == scope).sum())
                counts = {"n_positive": n_positive, "n_negative": len(part) - n_positive}
                yield where + METRICS[name].undefined_reason(**counts)
            else:
                yield f"{where}undefined for a class, or both sides have images of one class only"

    def _small_count_caveats(self, key: MetricKey) -> Iterator[str]:
        """Yield that a value rests on few lesions."""
        name, scope = key
        metric = METRICS[name]
        counts = self.lesions[0]
        if isinstance(scope, str):
            n_decisive = counts.decisive(metric, scope)
        elif metric.is_average(scope):
            averaged = METRICS[metric.averaged]
            n_decisive = min(counts.decisive(averaged, name) for name in self.averaged_classes)
        else:
            n_decisive = counts.total
        if n_decisive < MIN_GROUP_LESIONS:
            yield f"rests on {n_decisive} lesions: the interval is a rough guide only"


def _bootstrap(
    parts: Sequence[_GroupPart], labeled: Predictions, n_resamples: int, seed: int
) -> list[FloatArray]:
    """Return the resampled values of group and rest, (2, m, r), of each part, all on the same resamples."""
    chunks: list[list[FloatArray]] = [[] for _ in parts]
    for weights in cluster_bootstrap_weights(
        labeled.lesion_id, n_resamples=n_resamples, seed=seed, chunk_size=SUBGROUP_CHUNK_SIZE
    ):
        for part, values in zip(parts, chunks, strict=True):
            group = part.values(part.members, weights[:, part.is_member])
            values.append(np.stack([group, part.values(part.others, weights[:, ~part.is_member])]))
    return [np.concatenate(values, axis=2) for values in chunks]


def _with_p_values(
    parts: Sequence[_GroupPart], groups: Sequence[Subgroup], seed: int
) -> tuple[list[Subgroup], int]:
    """Test each difference, and correct all p-values together; return also the number of tests."""
    strata = stratify_lesions(parts[0].predictions.lesion_id, parts[0].predictions.label)
    tested = [
        index for index, part in enumerate(parts) if part.is_large_enough and not _is_mirror(parts, index)
    ]
    n_differences = [
        sum(not np.isnan(metric.difference) for metric in groups[index].metrics) for index in tested
    ]
    max_permutations = max(_MIN_PERMUTATIONS, _PERMUTATIONS_PER_TEST * sum(n_differences) - 1)
    p = np.full((len(parts), len(parts[0].keys)), np.nan)
    for index in tested:
        part = parts[index]
        p[index] = permutation_p_values(
            part.differences, part.is_member, strata, max_permutations=max_permutations, seed=seed
        )
    corrected = holm(p.ravel()).reshape(p.shape)
    for index in range(1, len(parts)):
        if _is_mirror(parts, index):
            p[index], corrected[index] = p[index - 1], corrected[index - 1]
    tests = [
        replace(
            group,
            metrics=tuple(
                replace(metric, p=float(p[row, column]), p_holm=float(corrected[row, column]))
                for column, metric in enumerate(group.metrics)
            ),
        )
        for row, group in enumerate(groups)
    ]
    return tests, sum(n_differences)


def _is_mirror(parts: Sequence[_GroupPart], index: int) -> bool:
    """Return whether a group is the rest of the group before it."""
    part, previous = parts[index], parts[index - 1]
    return index > 0 and part.column == previous.column and bool((part.is_member != previous.is_member).all())


def _size_caveats(groups: Sequence[Subgroup]) -> list[str]:
    """Return one caveat about all groups that are too small for intervals and tests."""
    small = [
        f"{group.column} {group.name} ({group.n_lesions})"
        for group in groups
        if group.n_lesions < MIN_GROUP_LESIONS
    ]
    if not small:
        return []
    return [
        f"Groups with fewer than {MIN_GROUP_LESIONS} lesions have neither intervals nor tests: {', '.join(small)}."
    ]
