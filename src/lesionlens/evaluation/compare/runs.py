"""Groups of runs compared: recipes that were trained several times, run by run."""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from lesionlens.errors import ComparisonError
from lesionlens.evaluation.compare.comparison import Comparison
from lesionlens.evaluation.compare.contrast import Contrast, Contrasts, corrected, usual, which_pairs
from lesionlens.evaluation.compare.ranks import wilcoxon
from lesionlens.evaluation.compare.sign_flip import sign_flip
from lesionlens.evaluation.compare.t_tests import paired_t, two_sample_t
from lesionlens.evaluation.compare.values import Key, check_keys
from lesionlens.evaluation.evaluation import Evaluation
from lesionlens.evaluation.prediction_table import examples

Runs = Mapping[str, Evaluation]
_UNDEFINED = Comparison(math.nan, math.nan, math.nan, math.nan, math.nan, 0, "runs", "not defined")
_FEWEST = 2
_NOTES = (
    "Pairs are runs or folds of the same name. p is of the paired t-test; the others are for comparison, and choosing "
    "among them by their p would be cheating.",
    "Runs differ in their seeds (or folds): p tells whether the recipes differ on these test images, not whether they "
    "would on others. Folds share training images, so their p is somewhat too small.",
)


def compare_runs(
    groups: Sequence[Runs],
    names: Sequence[str],
    *,
    keys: Sequence[Key] = (),
    every: bool = False,
    confidence: float = 0.95,
) -> Contrasts:
    """Compare the first of several groups of runs with each other, or every one with every other.

    Difference, interval and p are of the paired t-test over the runs of the same name; Wilcoxon's, the sign flips' and
    the independent t-test's p are beside it. Where two groups share fewer than two names, the independent t-test
    takes its place and a note says so.

    Parameters
    ----------
    groups
        Name of the run -> its evaluation.
    keys
        Metrics and what they are of; none: the usual ones (see `usual`).

    Raises
    ------
    ComparisonError
        Fewer than two groups or two runs in one, other classes, or a metric that does not exist.
    """
    classes = _check(groups, names)
    asked = list(keys) or usual(classes, there=classes)
    check_keys(asked, classes)
    found = [
        _contrast(groups[one], groups[other], (names[one], names[other]), key, confidence)
        for one, other in which_pairs(names, every=every)
        for key in asked
    ]
    sizes = ", ".join(f"{name} {len(runs)}" for name, runs in zip(names, groups, strict=True))
    notes = [
        *_NOTES,
        *_strangers(groups, names, every),
        *_undefined(groups, names, asked),
        *_images(groups, names),
    ]
    return Contrasts(corrected(found), f"runs: {sizes}", tuple(notes), {"confidence": confidence})


def _contrast(a: Runs, b: Runs, names: tuple[str, str], key: Key, confidence: float) -> Contrast:
    first, second = _defined(a, key), _defined(b, key)
    both = [name for name in first if name in second]
    apart = _UNDEFINED
    if min(len(first), len(second)) >= _FEWEST:
        apart = two_sample_t(list(first.values()), list(second.values()), confidence=confidence)
    if len(both) < _FEWEST:
        return Contrast(*names, *key, (_mean(first.values()), _mean(second.values())), apart, apart)
    one, other = ([each[name] for name in both] for each in (first, second))
    pairs = paired_t(one, other, confidence=confidence)
    others = (wilcoxon(one, other), sign_flip(np.subtract(one, other)), apart)
    return Contrast(*names, *key, (_mean(one), _mean(other)), pairs, pairs, others)


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return math.fsum(known) / len(known) if known else math.nan


def _defined(runs: Runs, key: Key) -> dict[str, float]:
    found = {name: evaluation.value(*key) for name, evaluation in runs.items()}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _check(groups: Sequence[Runs], names: Sequence[str]) -> tuple[str, ...]:
    """Give the classes that all runs of all groups have."""
    if len(groups) < 2:
        raise ComparisonError(f"{len(groups)} groups of runs: give two or more to compare")
    for runs, name in zip(groups, names, strict=True):
        if len(runs) < _FEWEST:
            raise ComparisonError(f"{name} has {len(runs)} finished runs: two or more are needed to compare")
    classes = next(iter(groups[0].values())).classes
    for runs, name in zip(groups, names, strict=True):
        strange = [run for run, each in runs.items() if set(each.classes) != set(classes)]
        if strange:
            raise ComparisonError(
                f"{name} has runs of other classes than {', '.join(classes)}: {examples(strange)}"
            )
    return classes


def _strangers(groups: Sequence[Runs], names: Sequence[str], every: bool) -> list[str]:
    found = []
    for one, other in which_pairs(names, every=every):
        shared = len(set(groups[one]) & set(groups[other]))
        most = max(len(groups[one]), len(groups[other]))
        if shared < _FEWEST:
            found.append(
                f"{names[one]} and {names[other]} share {shared} names of runs, so there are no pairs: their p is of "
                "the independent t-test."
            )
        elif shared < most:
            found.append(
                f"{names[one]} and {names[other]} share {shared} of up to {most} runs: pairs are of these."
            )
    return found


def _undefined(groups: Sequence[Runs], names: Sequence[str], keys: Sequence[Key]) -> list[str]:
    """Say which runs a metric is not compared in."""
    found = []
    for key in keys:
        without = [
            f"{len(runs) - len(_defined(runs, key))} of {len(runs)} runs of {name}"
            for name, runs in zip(names, groups, strict=True)
            if len(_defined(runs, key)) < len(runs)
        ]
        if without:
            found.append(
                f"{':'.join(key)} is not defined in {' and '.join(without)}: these are left out of it."
            )
    return found


def _images(groups: Sequence[Runs], names: Sequence[str]) -> list[str]:
    """Say where runs of one name cannot have been measured on the same images: their numbers differ."""
    found = []
    for runs, name in zip(groups[1:], names[1:], strict=True):
        other = [run for run, each in runs.items() if run in groups[0] and not _alike(each, groups[0][run])]
        if other:
            found.append(
                f"{name} was measured on other test images than {names[0]} ({examples(other)}: other numbers of a "
                "class): what differs may be the images."
            )
    return found


def _alike(one: Evaluation, other: Evaluation) -> bool:
    return dict(zip(one.classes, one.support, strict=True)) == dict(
        zip(other.classes, other.support, strict=True)
    )
