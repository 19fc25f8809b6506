"""Metrics of continuous maps against numpy, scipy and the formulas of the MIT saliency benchmark."""

import numpy as np
import pytest
from scipy.stats import entropy, zscore

from lesionlens.explanation.map_metrics import LoadedReferences, MapMetrics, measure_map
from lesionlens.imaging.stitching import StitchedMap

RNG = np.random.default_rng(0)
VALUES = RNG.random((12, 16)) ** 3
DENSITY = RNG.random((12, 16)) * np.linspace(0, 1, 16) ** 2
FIXATIONS = RNG.random((12, 16)) < 0.05
COVERAGE = np.ones((12, 16), dtype=bool)
COVERAGE[:, :3] = False


def benchmark_kl(saliency: np.ndarray, fixation_map: np.ndarray) -> float:
    """KLdiv.m of the benchmark, line by line."""
    eps = 2.2204e-16
    map1, map2 = saliency / saliency.sum(), fixation_map / fixation_map.sum()
    return float((map2 * np.log(eps + map2 / (map1 + eps))).sum())


def test_metrics_follow_the_benchmark_on_covered_pixels() -> None:
    metrics = measure_map(
        StitchedMap(VALUES, COVERAGE), LoadedReferences(density=DENSITY, fixations=FIXATIONS)
    )
    values, density, fixations = VALUES[COVERAGE], DENSITY[COVERAGE], FIXATIONS[COVERAGE]
    assert metrics.correlation == pytest.approx(np.corrcoef(values, density)[0, 1])
    assert metrics.nss == pytest.approx(zscore(values, ddof=1)[fixations].mean())
    scaled = (values - values.min()) / np.ptp(values)
    assert metrics.kl_divergence == pytest.approx(benchmark_kl(scaled, density))
    assert np.isnan([metrics.iou, metrics.artifact_energy]).all()


def test_equal_maps_agree_and_constant_maps_do_not() -> None:
    everywhere = np.ones((12, 16), dtype=bool)
    density = DENSITY - DENSITY.min()  # the map is normalized to a minimum of 0
    equal = measure_map(StitchedMap(3 * density, everywhere), LoadedReferences(density=density))
    assert equal.correlation == pytest.approx(1)
    assert equal.kl_divergence == pytest.approx(0, abs=1e-9)
    flat = measure_map(
        StitchedMap(np.full((12, 16), 0.2), everywhere),
        LoadedReferences(density=density, fixations=FIXATIONS),
    )
    assert (flat.correlation, flat.nss) == (0, 0)
    uniform = np.full(density.size, 1 / density.size)
    assert flat.kl_divergence == pytest.approx(entropy(density.ravel(), uniform))


def test_energy_on_artifacts() -> None:
    values, artifacts = np.array([[1.0, 2.0, 5.0, 1.0]]), np.array([[True, False, True, False]])
    covered = np.array([[True, True, True, True]])
    metrics = measure_map(StitchedMap(values, covered), LoadedReferences(artifacts=artifacts))
    assert metrics.artifact_energy == pytest.approx(4 / 5)  # of 0, 1, 4, 0
    assert metrics.artifact_area == pytest.approx(1 / 2)
    without = measure_map(
        StitchedMap(values, covered), LoadedReferences(artifacts=np.zeros((1, 4), dtype=bool))
    )
    np.testing.assert_array_equal(without, MapMetrics())
