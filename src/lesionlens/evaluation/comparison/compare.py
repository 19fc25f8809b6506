"""Compare models: predictions of the same images, as objects or files."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from lesionlens.core.errors import ComparisonError
from lesionlens.evaluation.binarize import to_binary_task
from lesionlens.evaluation.comparison.alignment import AlignedPredictions, align
from lesionlens.evaluation.comparison.models import compare_models
from lesionlens.evaluation.comparison.result import ComparisonReport
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import as_predictions
from lesionlens.evaluation.registry import parse_metric_key
from lesionlens.evaluation.thresholds import DecisionRule


def compare(
    models: Mapping[str, Predictions | Path | str] | Sequence[Path | str],
    *,
    ground_truth: Path | str | None = None,
    metrics: Sequence[str] = (),
    task: str = "all",
    common_images: bool = False,
    all_pairs: bool = False,
    n_resamples: int = 2000,
    seed: int = 0,
    stratified: bool = True,
    confidence: float = 0.95,
    decision: DecisionRule = "argmax",
) -> ComparisonReport:
    """Compare the first of several models with every other, or all pairs, on the same labeled images.

    Parameters
    ----------
    models
        Predictions of each model by its name, or files of them. Files without names are called by their paths.
    ground_truth
        Labels for files of predictions, as for ``read_predictions``.
    metrics
        Metrics to compare, for example ``auc:melanoma`` or ``accuracy``; default: see `default_metrics`.
    task
        "all", or a binary task, as for ``evaluate``.
    common_images
        Whether to compare on the images that all have in common, if they differ.
    all_pairs, n_resamples, seed, stratified, confidence, decision
        As for `compare_models`.

    Returns
    -------
    ComparisonReport
        Paired difference of each metric with its interval and p-value.

    Raises
    ------
    ComparisonError
        There are fewer than two models, or they differ in images, labels or classes.
    PredictionsError
        A file cannot be read, or an image has no label.
    """
    by_name = models if isinstance(models, Mapping) else _by_short_name(models)
    names = list(by_name)
    if len(names) < 2:
        raise ComparisonError(
            "Pass two or more models to compare, for example {'resnet50': a, 'arl_cnn50': b}"
        )
    loaded = [
        as_predictions(model, ground_truth=None if isinstance(model, Predictions) else ground_truth)
        for model in by_name.values()
    ]
    aligned = align_tasks(loaded, names, task, common_images=common_images)
    report = compare_models(
        aligned.predictions, names,
        keys=[parse_metric_key(text, aligned.predictions[0].classes) for text in metrics],
        all_pairs=all_pairs, n_resamples=n_resamples, seed=seed, stratified=stratified, confidence=confidence,
        decision=decision,
    )  # fmt: skip
    return report.with_caveats(aligned.caveats)


def align_tasks(
    models: Sequence[Predictions], names: Sequence[str], task: str, *, common_images: bool
) -> AlignedPredictions:
    """Convert predictions to the task, and align them by image."""
    tasks = [to_binary_task(model, task) for model in models]
    aligned = align([item.predictions for item in tasks], names, intersect=common_images)
    caveats = dict.fromkeys(caveat for item in tasks for caveat in item.caveats)
    return aligned._replace(caveats=(*caveats, *aligned.caveats))


def short_names(paths: Sequence[Path]) -> list[str]:
    """Name each path by the last component in which all differ, without the suffix .csv.

    Raises
    ------
    ComparisonError
        There are fewer than two paths, or two are the same.

    Examples
    --------
    >>> short_names([Path("a.csv"), Path("b.csv")])
    ['a', 'b']
    >>> short_names([Path("x/predictions/test.csv"), Path("y/predictions/test.csv")])
    ['x', 'y']
    """
    if len(paths) < 2 or len({path.resolve() for path in paths}) < len(paths):
        raise ComparisonError("Pass two or more different prediction files or directories of runs to compare")
    absolute = [Path(os.path.abspath(path)) for path in paths]
    components = [path.with_suffix("").parts if path.suffix == ".csv" else path.parts for path in absolute]
    for depth in range(1, min(map(len, components)) + 1):
        names = [parts[-depth] for parts in components]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


def _by_short_name(models: Sequence[Path | str]) -> dict[str, Path | str]:
    if not all(isinstance(model, str | Path) for model in models):
        raise TypeError("Pass a dictionary of predictions by the name of their model, or a list of files")
    paths = [Path(model) for model in models]
    return dict(zip(short_names(paths), models, strict=True))
