"""Result of an evaluation of faithfulness: means over images, differences from controls, intervals, and files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Group
from rich.table import Table

from lesionlens.core.bootstrap import cluster_bootstrap_weights, percentile_interval
from lesionlens.core.json_file import write_json
from lesionlens.core.tabular import write_csv_columns
from lesionlens.core.types import FloatArray
from lesionlens.evaluation.result import Estimate
from lesionlens.explanation.localization_result import localization_table
from lesionlens.explanation.map_controls import CENTER, CONTROLS
from lesionlens.explanation.map_randomization import RANDOMIZED_FRACTIONS
from lesionlens.explanation.perturbation_curves import PerturbationCurves

FAITHFULNESS_FORMAT = "lesionlens-faithfulness/1"


class FaithfulnessMeasures(NamedTuple):
    """Measures of one map of one image; NaN where it has none.

    Attributes
    ----------
    insertion, deletion, road
        As in ``PerturbationAreas``: high insertion, low deletion and high road are faithful.
    randomization
        Rank correlation with the map of the network whose layers are all randomized: near 0 if the map depends on what
        the network learned.
    stability
        Mean rank correlation with the maps of the image shifted by 4 %, shifted back: near 1 if the map is stable.
    pointing_game, iou
        As in ``LocalizationMetrics``, against the lesion mask.
    """

    insertion: float
    deletion: float
    road: float
    randomization: float = np.nan
    stability: float = np.nan
    pointing_game: float = np.nan
    iou: float = np.nan


MEASURES = FaithfulnessMeasures._fields
MEASURE_TITLES = {
    "insertion": "Insertion",
    "deletion": "Deletion",
    "road": "ROAD",
    "randomization": "Randomized network",
    "stability": "Shifted image",
    "pointing_game": "Pointing game",
    "iou": "IoU at 0.5",
}
LOWER_IS_BETTER = frozenset({"deletion", "randomization"})
_COMPARED = tuple(
    name for name in MEASURES if name not in {"randomization", "stability"}
)  # controls have these


@dataclass(frozen=True)
class ImageFaithfulness:
    """Measures and curves of one image by map, with those of controls.

    Attributes
    ----------
    image_id, lesion_id
        Image and its lesion.
    target_class
        Class whose score was measured.
    maps, curves
        Measures and curves by name of the map.
    randomization
        Rank correlation by name of the map, at each of ``RANDOMIZED_FRACTIONS``.
    """

    image_id: str
    lesion_id: str
    target_class: str
    maps: dict[str, FaithfulnessMeasures]
    curves: dict[str, PerturbationCurves]
    randomization: tuple[dict[str, float], ...] = ()

    def with_randomization(self, levels: Sequence[dict[str, float]]) -> "ImageFaithfulness":
        """Return the image with the rank correlations of its maps with those of each randomized network."""
        maps = {
            name: measures._replace(randomization=levels[-1].get(name, np.nan))
            for name, measures in self.maps.items()
        }
        return replace(self, maps=maps, randomization=tuple(levels))


class ControlDifference(NamedTuple):
    """Mean over images of a map's measure minus that of a control on the same image; ``scope`` is the map."""

    control: str
    estimate: Estimate


class MeanCurve(NamedTuple):
    """Mean over images of one curve of one map, with a band of pointwise intervals over lesions.

    Attributes
    ----------
    kind
        ``deletion``, ``insertion``, or ``randomization``.
    map_name
        Name of the map.
    fractions
        Fractions of the pixels, or of the randomized layers.
    mean, low, high
        Value and interval at each fraction.
    """

    kind: str
    map_name: str
    fractions: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class FaithfulnessResult:
    """Measures of all images, their means, and differences from controls.

    Attributes
    ----------
    images
        Evaluated images.
    estimates
        Mean of each measure of each map, with its interval over lesions; ``scope`` is the map's name.
    differences
        Paired differences from each control.
    curves
        Mean curves.
    excluded
        Ids of images that could not be evaluated, each with the reason.
    target_class
        Class whose score was measured; empty for the class with the highest score of each image.
    confidence, n_resamples, seed
        Of the intervals.
    """

    images: tuple[ImageFaithfulness, ...]
    estimates: tuple[Estimate, ...]
    differences: tuple[ControlDifference, ...]
    curves: tuple[MeanCurve, ...]
    excluded: tuple[tuple[str, str], ...]
    target_class: str
    confidence: float
    n_resamples: int
    seed: int

    @property
    def map_names(self) -> tuple[str, ...]:
        """Names of the maps, then of the controls."""
        names = dict.fromkeys(name for image in self.images for name in image.maps)
        return (
            *(name for name in names if name not in CONTROLS),
            *(name for name in CONTROLS if name in names),
        )

    def estimate(self, map_name: str, measure: str) -> Estimate | None:
        """Return the mean of a measure of a map, if it has any."""
        return next(
            (item for item in self.estimates if (item.scope, item.metric) == (map_name, measure)), None
        )

    def to_record(self) -> dict[str, Any]:
        """Return everything but the images, for JSON."""
        return {
            "format": FAITHFULNESS_FORMAT,
            "num_images": len(self.images),
            "num_lesions": len({image.lesion_id for image in self.images}),
            "target_class": self.target_class or None,
            "confidence": self.confidence,
            "n_resamples": self.n_resamples,
            "seed": self.seed,
            "estimates": [_mean_record(item) for item in self.estimates],
            "differences": [
                {"control": item.control, **_mean_record(item.estimate)} for item in self.differences
            ],
            "curves": [curve._asdict() for curve in self.curves],
        }


def _mean_record(estimate: Estimate) -> dict[str, Any]:
    return {
        "map": str(estimate.scope),
        "measure": estimate.metric,
        **{key: getattr(estimate, key) for key in ("value", "low", "high")},
    }


def summarize_faithfulness(
    images: Sequence[ImageFaithfulness],
    excluded: Sequence[tuple[str, str]],
    *,
    target_class: str,
    n_resamples: int,
    seed: int,
    confidence: float,
) -> FaithfulnessResult:
    """Compute means, paired differences and curves, with intervals over lesions."""
    lesions = np.array([image.lesion_id for image in images])
    chunks = list(cluster_bootstrap_weights(lesions, n_resamples=n_resamples, seed=seed))
    weights = np.concatenate(chunks) if chunks else np.empty((0, len(images)))
    means = _Means(weights, confidence)
    empty = FaithfulnessResult(
        tuple(images), (), (), (), tuple(excluded), target_class, confidence, n_resamples, seed
    )
    return replace(
        empty,
        estimates=tuple(_estimates(empty, means)),
        differences=tuple(_differences(empty, means)),
        curves=tuple(_mean_curves(empty, means)),
    )


class _Means(NamedTuple):
    """Resampled weights of the images, (r, n), and the confidence level of intervals."""

    weights: FloatArray
    confidence: float

    def interval(self, values: FloatArray) -> tuple[float, float, float] | None:
        """Return mean and interval of the values of images, (n,), that are not NaN; None if there are none."""
        known = ~np.isnan(values)
        if not known.any():
            return None
        mean, weights = float(values[known].mean()), self.weights[:, known]
        if not len(weights):
            return mean, np.nan, np.nan
        with np.errstate(invalid="ignore", divide="ignore"):
            resampled = weights @ values[known] / weights.sum(axis=1)
        low, high, _ = percentile_interval(resampled, confidence=self.confidence)
        return mean, low, high


def _values(result: FaithfulnessResult, map_name: str, measure: str) -> FloatArray:
    """Return the measure of a map in each image, (n,), NaN where it has none."""
    return np.array(
        [
            getattr(image.maps[map_name], measure) if map_name in image.maps else np.nan
            for image in result.images
        ]
    )


def _estimates(result: FaithfulnessResult, means: _Means) -> Iterator[Estimate]:
    for name in result.map_names:
        for measure in MEASURES:
            if interval := means.interval(_values(result, name, measure)):
                yield Estimate(measure, name, *interval)


def _differences(result: FaithfulnessResult, means: _Means) -> Iterator[ControlDifference]:
    controls = [name for name in CONTROLS if name in result.map_names]
    for name in result.map_names:
        for control in controls if name not in controls else ():
            for measure in _COMPARED:
                values = _values(result, name, measure) - _values(result, control, measure)
                if interval := means.interval(values):
                    yield ControlDifference(control, Estimate(measure, name, *interval))


def _mean_curves(result: FaithfulnessResult, means: _Means) -> Iterator[MeanCurve]:
    for name in result.map_names:
        images = [image.curves.get(name) for image in result.images]
        for kind in ("deletion", "insertion"):
            length = next(len(getattr(curves, kind)) for curves in images if curves is not None)
            rows = [np.full(length, np.nan) if curves is None else getattr(curves, kind) for curves in images]
            yield _mean_curve(kind, name, np.linspace(0, 1, length), np.array(rows), means)
        if name not in CONTROLS:
            levels = [[level[name] for level in image.randomization] for image in result.images]
            yield _mean_curve("randomization", name, np.array(RANDOMIZED_FRACTIONS), np.array(levels), means)


def _mean_curve(kind: str, name: str, fractions: FloatArray, values: FloatArray, means: _Means) -> MeanCurve:
    """Return the mean of the curves of images, (n, fractions)."""
    intervals = [means.interval(column) or (np.nan,) * 3 for column in values.T]
    return MeanCurve(kind, name, tuple(fractions.tolist()), *map(tuple, zip(*intervals, strict=True)))


def write_faithfulness(folder: Path, result: FaithfulnessResult) -> None:
    """Write ``faithfulness.json`` (means, differences, curves), ``faithfulness_images.csv`` and ``excluded.csv``."""
    write_json(folder / "faithfulness.json", result.to_record())
    rows = [
        (image.image_id, image.lesion_id, image.target_class, name, *(f"{value:.6g}" for value in measures))
        for image in result.images
        for name, measures in image.maps.items()
    ]
    names = ("image_id", "lesion_id", "target_class", "map", *MEASURES)
    columns = {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    write_csv_columns(folder / "faithfulness_images.csv", columns)
    reasons = list(result.excluded)
    write_csv_columns(
        folder / "excluded.csv",
        {"image_id": [name for name, _ in reasons], "reason": [reason for _, reason in reasons]},
    )


def faithfulness_tables(result: FaithfulnessResult) -> Group:
    """Return tables for the terminal: means with intervals, and paired differences from the centered Gaussian."""
    measures = [name for name in MEASURES if any(item.metric == name for item in result.estimates)]
    titles = [f"{MEASURE_TITLES[name]} {'↓' if name in LOWER_IS_BETTER else '↑'}" for name in measures]
    means = localization_table("Map", *titles)
    for name in result.map_names:
        estimates = [result.estimate(name, measure) for measure in measures]
        means.add_row(name, *("–" if item is None else _format(item) for item in estimates))
    return Group(means, _difference_table(result))


def _format(estimate: Estimate) -> str:
    """Return a value and its interval with two decimals, so that a table fits into a terminal."""
    value, *bounds = (
        f"{number:.2f}".replace("-", "−") for number in (estimate.value, estimate.low, estimate.high)
    )
    return value if np.isnan(estimate.low) else f"{value} ({' to '.join(bounds)})"


def _difference_table(result: FaithfulnessResult) -> Table:
    items = {
        (item.estimate.scope, item.estimate.metric): item.estimate
        for item in result.differences
        if item.control == CENTER
    }
    measures = [name for name in _COMPARED if any(metric == name for _, metric in items)]
    table = localization_table("Map", *(f"{MEASURE_TITLES[name]} minus {CENTER}" for name in measures))
    for name in dict.fromkeys(scope for scope, _ in items):
        table.add_row(
            str(name),
            *(_format(items[name, measure]) if (name, measure) in items else "–" for measure in measures),
        )
    return table
