"""Result of an evaluation of maps: means over images with intervals over lesions, files, and a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Table

from lesionlens.core.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.core.tabular import write_csv_columns
from lesionlens.core.types import BoolArray, FloatArray
from lesionlens.datasets.artifact_labels import ANY_ARTIFACT
from lesionlens.evaluation.formatting import format_with_interval
from lesionlens.evaluation.result import Estimate
from lesionlens.explanation.map_metrics import MapMetrics

MAP_METRICS = MapMetrics._fields
MAP_METRIC_TITLES = {
    "iou": "IoU at 0.5",
    "iou_auc": "IoU AUC",
    "pointing_game": "Pointing game",
    "energy_pointing_game": "Energy pointing game",
    "artifact_energy": "Energy on artifacts",
    "artifact_area": "Area of artifacts",
    "correlation": "Correlation",
    "kl_divergence": "KL divergence",
    "nss": "NSS",
}
_METRIC_GROUPS = (
    ("iou", "iou_auc", "pointing_game", "energy_pointing_game"),
    ("artifact_energy", "artifact_area"),
    ("correlation", "kl_divergence", "nss"),
)
_MEANS = ("with", "without", "difference")


@dataclass(frozen=True)
class ImageLocalization:
    """Metrics of one image, by name of the map."""

    image_id: str
    lesion_id: str
    diagnosis: str
    maps: dict[str, MapMetrics]


class ArtifactComparison(NamedTuple):
    """Mean of one metric of one map over images with an artifact, without it, and the difference of both.

    Attributes
    ----------
    artifact
        Name of the artifact, or ``any``.
    num_with, num_without
        Numbers of images behind both means.
    means
        Means with and without the artifact, and with minus without, which has no interval if one of the two has none.
    """

    artifact: str
    num_with: int
    num_without: int
    means: tuple[Estimate, Estimate, Estimate]


@dataclass(frozen=True)
class LocalizationResult:
    """Metrics of all images, and their means.

    Attributes
    ----------
    images
        Evaluated images, in the order of the table.
    estimates
        Mean of each metric of each map over the images that have such a reference, with its interval over lesions;
        ``scope`` is the map's name.
    excluded
        Ids of the images that could not be evaluated, each with the reason.
    target_class
        Class that gradient maps explain; empty for the class with the highest score of each image.
    by_artifact
        The means for images with and without each labeled artifact.
    """

    images: tuple[ImageLocalization, ...]
    estimates: tuple[Estimate, ...]
    excluded: tuple[tuple[str, str], ...]
    target_class: str = ""
    by_artifact: tuple[ArtifactComparison, ...] = ()


class MapAverages:
    """Means of the metrics of all maps over subsets of the images, and their intervals over lesions.

    Parameters
    ----------
    images
        Evaluated images.
    n_resamples, seed, confidence
        Of the bootstrap over lesions; without resamples there are no intervals.
    """

    def __init__(
        self, images: Sequence[ImageLocalization], *, n_resamples: int, seed: int, confidence: float
    ) -> None:
        self.images, self.confidence = images, confidence
        lesions = np.array([image.lesion_id for image in images])
        chunks = list(cluster_bootstrap_weights(lesions, n_resamples=n_resamples, seed=seed))
        self.weights = np.concatenate(chunks) if chunks else np.empty((0, len(images)))

    def estimates(self) -> Iterator[Estimate]:
        """Yield the mean over all images of each metric of each map."""
        for map_name, metric, values in self._columns():
            mean, resampled = self._mean(values)
            yield self._estimate(metric, map_name, mean, resampled)

    def compare(self, artifact: str, labels: FloatArray) -> Iterator[ArtifactComparison]:
        """Yield the comparison of images with label 1 and label 0, (n,), for each metric of each map."""
        for map_name, metric, values in self._columns():
            groups: list[BoolArray] = [(labels == flag) & ~np.isnan(values) for flag in (1, 0)]
            if not all(group.any() for group in groups):
                continue
            present, absent = (self._mean(np.where(group, values, np.nan)) for group in groups)
            first, second = (self._estimate(metric, map_name, *mean) for mean in (present, absent))
            difference = self._estimate(metric, map_name, present[0] - absent[0], present[1] - absent[1])
            if np.isnan(
                [first.low, second.low]
            ).any():  # the images of one lesion do not show how much lesions vary
                difference = replace(difference, low=np.nan, high=np.nan)
            counts = [int(group.sum()) for group in groups]
            yield ArtifactComparison(artifact, counts[0], counts[1], (first, second, difference))

    def _columns(self) -> Iterator[tuple[str, str, FloatArray]]:
        """Yield map, metric and values (n,) of each metric that an image has."""
        for map_name in self.images[0].maps:
            metrics = np.array([image.maps[map_name] for image in self.images])
            for metric, values in zip(MAP_METRICS, metrics.T, strict=True):
                if not np.isnan(values).all():
                    yield map_name, metric, values

    def _mean(self, values: FloatArray) -> tuple[float, FloatArray]:
        """Return the mean of the values that are not NaN, and that of each resample, (r,)."""
        known = ~np.isnan(values)
        weights = self.weights[:, known]
        with np.errstate(invalid="ignore", divide="ignore"):
            return float(values[known].mean()), weights @ values[known] / weights.sum(axis=1)

    def _estimate(self, metric: str, map_name: str, mean: float, resampled: FloatArray) -> Estimate:
        low, high = np.nan, np.nan
        if len(resampled):
            low, high, _ = percentile_interval(resampled, confidence=self.confidence)
        return Estimate(metric, map_name, mean, low, high)


def compare_by_artifact(averages: MapAverages, labels: pd.DataFrame) -> Iterator[ArtifactComparison]:
    """Yield the comparisons for each column of labels (1, 0 or NaN for each image), and for any artifact.

    An image counts as without any artifact if all its labels are 0.
    """
    columns = {str(name): labels[name].to_numpy(dtype=np.float64) for name in labels}
    if len(columns) > 1:
        flags = np.stack(list(columns.values()))
        unknown = np.isnan(flags).any(axis=0)
        columns[ANY_ARTIFACT] = np.where((flags == 1).any(axis=0), 1.0, np.where(unknown, np.nan, 0.0))
    for name, values in columns.items():
        yield from averages.compare(name, values)


def write_localization(folder: Path, result: LocalizationResult) -> None:
    """Write ``images.csv`` (one row per image and map), ``summary.csv``, ``excluded.csv`` and ``by_artifact.csv``."""
    metrics = [name for name in MAP_METRICS if any(item.metric == name for item in result.estimates)]
    rows = [
        (image.image_id, image.lesion_id, image.diagnosis, name, *_cells(getattr(values, m) for m in metrics))
        for image in result.images
        for name, values in image.maps.items()
    ]
    _write_rows(folder / "images.csv", ("image_id", "lesion_id", "diagnosis", "map", *metrics), rows)
    means = [(str(item.scope), item.metric, *_interval_cells(item)) for item in result.estimates]
    _write_rows(folder / "summary.csv", ("map", "measure", "mean", "low", "high"), means)
    _write_rows(folder / "excluded.csv", ("image_id", "reason"), list(result.excluded))
    if result.by_artifact:
        _write_by_artifact(folder / "by_artifact.csv", result.by_artifact)


def _write_by_artifact(path: Path, comparisons: Sequence[ArtifactComparison]) -> None:
    numbers = [f"{kind}{suffix}" for kind in _MEANS for suffix in ("", "_low", "_high")]
    rows = [
        (
            str(item.means[0].scope), item.means[0].metric, item.artifact, str(item.num_with), str(item.num_without),
            *(cell for mean in item.means for cell in _interval_cells(mean)),
        )
        for item in comparisons
    ]  # fmt: skip
    _write_rows(path, ("map", "measure", "artifact", "images_with", "images_without", *numbers), rows)


def localization_tables(result: LocalizationResult) -> Group:
    """Return tables for the terminal, one per kind of reference: means with intervals, one row per map."""
    by_metric = {(str(item.scope), item.metric): item for item in result.estimates}
    maps = list(dict.fromkeys(name for name, _ in by_metric))
    tables = []
    for group in _METRIC_GROUPS:
        metrics = [metric for metric in group if any((name, metric) in by_metric for name in maps)]
        table = localization_table("Map", *(MAP_METRIC_TITLES[metric] for metric in metrics))
        for name in maps:
            table.add_row(name, *(_format_mean(by_metric.get((name, metric))) for metric in metrics))
        tables += [table] if metrics else []
    return Group(*tables)


def _format_mean(estimate: Estimate | None) -> str:
    return "–" if estimate is None else format_with_interval(estimate)


def artifact_table(result: LocalizationResult, metric: str = "energy_pointing_game") -> Table:
    """Return a table for the terminal: a metric with and without each artifact, one row per map and artifact."""
    title = MAP_METRIC_TITLES[metric]
    table = localization_table("Map", "Artifact", f"{title} with it", "Without", "Difference")
    for item in result.by_artifact:
        if item.means[0].metric == metric:
            cells = [format_with_interval(mean) for mean in item.means]
            table.add_row(str(item.means[0].scope), f"{item.artifact} ({item.num_with})", *cells)
    return table


def localization_table(*names: str) -> Table:
    """Return an empty table for the terminal with columns of these names."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in names:
        table.add_column(name, justify="left" if name in {"Map", "Artifact"} else "right")
    return table


def _interval_cells(estimate: Estimate) -> list[str]:
    return _cells((estimate.value, estimate.low, estimate.high))


def _cells(values: Sequence[float] | Iterator[float]) -> list[str]:
    return [f"{value:.6g}" for value in values]


def _write_rows(path: Path, names: tuple[str, ...], rows: Sequence[Sequence[str]]) -> None:
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    write_csv_columns(path, dict(zip(names, cells, strict=True)))
