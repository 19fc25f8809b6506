"""Bootstrap samples of the lesions for cells of a table, the same in all cells, so that contrasts are paired."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.bootstrap import cluster_bootstrap_weights
from lesionlens.core.errors import ComparisonError
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.comparison.alignment import align
from lesionlens.evaluation.comparison.bootstrap import (
    count_decisive_lesions,
    undefined_metric_reason,
    unvaried_metric_reason,
)
from lesionlens.evaluation.compute import metric_values
from lesionlens.evaluation.lesion_counts import count_lesions
from lesionlens.evaluation.metric import MetricKey
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.registry import check_metric_keys
from lesionlens.reproduction.claim_evidence import LesionSample
from lesionlens.reproduction.claim_hypotheses import Contrast
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.measurements import RunKey, column_weights, predictions_path
from lesionlens.reproduction.planner import RunCell, TableResults

DEFAULT_RESAMPLES = 2000


class WeightedMetric(NamedTuple):
    """A metric of the predictions of one run, with its weight in a contrast."""

    weight: float
    predictions: Predictions
    key: MetricKey


def sample_contrasts(results: TableResults, contrasts: Sequence[Contrast], key: RunKey) -> list[LesionSample]:
    """Sample the values of contrasts for the runs of one repeat and fold.

    Of a combined column, the metrics of all base columns are added with their weights.

    Raises
    ------
    ComparisonError
        The runs have no test image in common, or their labels differ.
    """
    leaves = [
        [
            (
                results.spec.scale(term.column) * term.weight * weight,
                term.row,
                results.spec.measured_column(term.row, leaf.name),
            )
            for term in contrast
            for weight, leaf in column_weights(results.spec, results.spec.column(term.column))
        ]
        for contrast in contrasts
    ]
    predictions = _aligned_predictions(
        results, {(row, leaf.name): (row, leaf) for _, row, leaf in itertools.chain(*leaves)}, key
    )
    return sample_weighted_sums(
        [
            [
                WeightedMetric(weight, predictions[row, leaf.name], (leaf.metric, leaf.scope))
                for weight, row, leaf in terms
            ]
            for terms in leaves
        ]
    )


def _aligned_predictions(
    results: TableResults, leaves: Mapping[tuple[str, str], tuple[str, ColumnSpec]], key: RunKey
) -> dict[tuple[str, str], Predictions]:
    """Read the predictions behind each row and column; those of the same variant and images have the same labels."""
    files = {
        name: predictions_path(results, _run_cell(results, row, leaf, key), leaf)
        for name, (row, leaf) in leaves.items()
    }
    aligned: dict[tuple[str, str], Predictions] = {}
    groups = {(leaf.variant, leaf.artifact_set) for _, leaf in leaves.values()}
    for group in sorted(groups):
        names = [name for name, (_, leaf) in leaves.items() if (leaf.variant, leaf.artifact_set) == group]
        paths = list(dict.fromkeys(files[name] for name in names))
        models = [read_predictions(path) for path in paths]
        if len(models) > 1:
            models = list(align(models, [str(path.parent) for path in paths], intersect=True).predictions)
        by_path = dict(zip(paths, models, strict=True))
        aligned |= {name: by_path[files[name]] for name in names}
    return aligned


def _run_cell(results: TableResults, row: str, column_spec: ColumnSpec, key: RunKey) -> RunCell:
    return next(cell for cell in results.cells_for(row, column_spec.variant) if (cell.run, cell.fold) == key)


def sample_weighted_sums(
    contrasts: Sequence[Sequence[WeightedMetric]], *, n_resamples: int = DEFAULT_RESAMPLES, seed: int = 0
) -> list[LesionSample]:
    """Sample weighted sums of metrics of several runs on the images that all of them scored.

    Lesions are resampled once for all, stratified by the combination of labels.

    Raises
    ------
    ComparisonError
        A metric does not exist, or the runs have no test image in common.
    """
    metrics = list(itertools.chain(*contrasts))
    restricted = _restrict_to_common({id(metric.predictions): metric.predictions for metric in metrics})
    keys = {
        identity: list(dict.fromkeys(metric.key for metric in metrics if id(metric.predictions) == identity))
        for identity in restricted
    }
    for identity, predictions in restricted.items():
        check_metric_keys(keys[identity], predictions.classes)
    lesions = next(iter(restricted.values())).lesion_id
    weights = cluster_bootstrap_weights(
        lesions, n_resamples=n_resamples, seed=seed, strata=_label_strata(restricted.values())
    )
    points = _values(restricted, keys, None)
    chunks = [_values(restricted, keys, chunk) for chunk in weights]
    resampled = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in points}
    return [_weighted_sample(contrast, restricted, points, resampled) for contrast in contrasts]


ValueKey = tuple[int, MetricKey]  # identity of the predictions, and the metric


def _values(
    models: Mapping[int, Predictions], keys: Mapping[int, list[MetricKey]], weights: FloatArray | None
) -> dict[ValueKey, FloatArray]:
    return {
        (identity, key): np.asarray(value)
        for identity, predictions in models.items()
        for key, value in zip(
            keys[identity], metric_values(predictions, keys[identity], weights=weights), strict=True
        )
    }


def _weighted_sample(
    contrast: Sequence[WeightedMetric],
    models: Mapping[int, Predictions],
    points: Mapping[ValueKey, FloatArray],
    resampled: Mapping[ValueKey, FloatArray],
) -> LesionSample:
    names = [(id(metric.predictions), metric.key) for metric in contrast]
    value = math.fsum(
        metric.weight * float(points[name]) for metric, name in zip(contrast, names, strict=True)
    )
    values = sum(metric.weight * resampled[name] for metric, name in zip(contrast, names, strict=True))
    counts = {identity: count_lesions(models[identity]) for identity, _ in names}
    decisive = min(count_decisive_lesions(counts[identity], key) for identity, key in names)
    undefined = (undefined_metric_reason(models[identity], key) for identity, key in names)
    unvaried = (unvaried_metric_reason(models[identity], counts[identity], key) for identity, key in names)
    return LesionSample(
        value, np.asarray(values), counts[names[0][0]].total, decisive, next(filter(None, undefined), ""),
        next(filter(None, unvaried), ""),
    )  # fmt: skip


def _restrict_to_common(models: Mapping[int, Predictions]) -> dict[int, Predictions]:
    """Select the images that all predictions have, in the same order."""
    shared = sorted(set.intersection(*(set(model.image_id.tolist()) for model in models.values())))
    if not shared:
        raise ComparisonError("the runs that are compared have no test image in common")
    return {identity: _select_images(model, shared) for identity, model in models.items()}


def _select_images(predictions: Predictions, images: Sequence[str]) -> Predictions:
    index = {str(image): row for row, image in enumerate(predictions.image_id)}
    return predictions.select(np.array([index[image] for image in images]))


def _label_strata(models: Iterable[Predictions]) -> NDArray[np.intp]:
    """Return the index of each image's combination of labels."""
    targets = np.column_stack([model.targets() for model in models])
    strata: NDArray[np.intp] = np.unique(targets, axis=0, return_inverse=True)[1].ravel()
    return strata
