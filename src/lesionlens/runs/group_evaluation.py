"""Evaluation of several runs of one recipe: each run, the pooled folds, and the mean over the runs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lesionlens.core.errors import PredictionsError
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.pooling import merge_caveats
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.result import EvaluationResult, read_evaluation
from lesionlens.runs.run_group import RunGroup
from lesionlens.runs.run_predictions import recorded_caveats
from lesionlens.runs.run_statistics import summarize_runs

EvaluateFn = Callable[[Predictions], EvaluationResult]


@dataclass(frozen=True)
class GroupEvaluation:
    """Evaluation of several runs.

    Attributes
    ----------
    group
        The runs.
    runs
        Evaluation of each finished run, by its name.
    pools
        Evaluation of the pooled folds of each repeat, by its name ("" for a single one); empty if the runs are not the
        folds of a cross-validation.
    caveats
        Limits of the mean over the runs, one sentence each; those of a pool are in its evaluation.
    images
        Names of the evaluated images of each run.
    """

    group: RunGroup
    runs: dict[str, EvaluationResult]
    pools: dict[str, EvaluationResult]
    caveats: tuple[str, ...]
    images: dict[str, frozenset[str]]

    @property
    def summary(self) -> pd.DataFrame:
        """Statistics of each metric over the runs (see `summarize_runs`)."""
        return summarize_runs(self.runs)

    @property
    def mean_title(self) -> str:
        """What the statistics are over, such as "mean over 5 folds"."""
        unit = "run" if self.group.num_repeats > 1 and self.group.num_folds > 1 else ""
        unit = unit or ("fold" if self.group.num_folds > 1 else "repeat")
        return f"mean over {len(self.runs)} {unit}{'' if len(self.runs) == 1 else 's'}"


def evaluate_group(group: RunGroup, evaluate_fn: EvaluateFn) -> GroupEvaluation:
    """Evaluate the predictions of all runs, and pool those of the folds of a cross-validation.

    Parameters
    ----------
    group
        The runs.
    evaluate_fn
        Function that evaluates one set of predictions.

    Raises
    ------
    LesionLensError
        A run has no predictions or is damaged, or folds cannot be pooled: see `RunGroup.pool`.
    """
    predictions = group.predictions()
    pools = group.pool(predictions) if group.is_cross_validation else {}
    return GroupEvaluation(
        group,
        {name: evaluate_fn(item) for name, item in predictions.items()},
        {repeat: evaluate_fn(pool) for repeat, pool in pools.items()},
        (*_mean_caveats(group), *_image_caveats(group, predictions)),
        _image_sets(predictions),
    )


def read_group_evaluation(group: RunGroup) -> GroupEvaluation:
    """Read the saved evaluations of all finished runs, and evaluate the pooled folds if all folds can be pooled.

    If not, a caveat states why.

    Raises
    ------
    LesionLensError
        A run has no evaluation or no predictions, or is damaged.
    """
    runs = {name: read_evaluation(group.run_dir(name).evaluation(group.split)) for name in group.finished}
    predictions, pools = group.predictions(), {}
    caveats = (*_mean_caveats(group), *_image_caveats(group, predictions))
    if group.is_cross_validation and len(runs) < len(group.specs):
        caveats = ("There are no pooled predictions, which require all folds.", *caveats)
    elif group.is_cross_validation:
        try:
            pools = {repeat: evaluate(pool) for repeat, pool in group.pool(predictions).items()}
        except PredictionsError as error:
            caveats = (f"There are no pooled predictions: {error}", *caveats)
    return GroupEvaluation(group, runs, pools, caveats, _image_sets(predictions))


def _image_sets(predictions: Mapping[str, Predictions]) -> dict[str, frozenset[str]]:
    return {name: frozenset(map(str, item.image_id)) for name, item in predictions.items()}


def _mean_caveats(group: RunGroup) -> tuple[str, ...]:
    """Return the caveats of the mean over the runs: unfinished runs, and what the runs have recorded."""
    unfinished = group.unfinished_message()
    recorded = {
        name: recorded_caveats(group.run_dir(name).metadata(), group.split) for name in group.finished
    }
    return (*([f"{unfinished[0].upper()}{unfinished[1:]}"] if unfinished else []), *merge_caveats(recorded))


def _image_caveats(group: RunGroup, predictions: dict[str, Predictions]) -> tuple[str, ...]:
    """Return the caveat of an interval over runs that were evaluated on the same images, or on different ones."""
    if group.is_cross_validation:
        repeated = (
            "Folds of different repeats have test images in common: the interval of the mean is too narrow."
        )
        return (repeated,) if group.num_repeats > 1 else ()
    first, *_ = predictions.values()
    if len(set(_image_sets(predictions).values())) > 1:
        return ("The runs were evaluated on different images, which may cause a part of their differences.",)
    size = f"{pluralize(len(first), 'image')} of {pluralize(len(np.unique(first.lesion_id)), 'lesion')}"
    return (f"All runs were evaluated on the same {size}: the interval of the mean is not for other images.",)
