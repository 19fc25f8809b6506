"""Association of artifacts with the class, against scipy's chi-square test and Cramér's V."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency
from scipy.stats.contingency import association, crosstab

from lesionlens.datasets.audit.artifact_association import find_artifact_associations


def test_statistics_match_scipy() -> None:
    rng = np.random.default_rng(1)
    diagnosis = rng.choice(["a", "b", "c", ""], 300, p=[0.5, 0.2, 0.2, 0.1])
    ruler = (rng.random(300) < np.where(diagnosis == "a", 0.7, 0.2)).astype(float)
    ruler[:20] = np.nan
    labels = pd.DataFrame({"hair": rng.integers(0, 2, 300).astype(float), "ruler": ruler, "ink": 0.0})
    first, second = find_artifact_associations(labels, diagnosis, np.arange(300).astype(str))
    assert (first.artifact, second.artifact) == ("ruler", "hair")  # the strongest first; ink is on no image
    used = ~np.isnan(ruler) & (diagnosis != "")
    counts = crosstab(ruler[used], diagnosis[used]).count
    expected = chi2_contingency(counts, correction=False)
    assert first.chi_square == pytest.approx(expected.statistic)
    assert first.degrees_of_freedom == expected.dof == 2
    assert first.p_value == pytest.approx(expected.pvalue)
    assert first.cramers_v == pytest.approx(association(counts, method="cramer"))
    assert [(rate.num_present, rate.num_images) for rate in first.rates] == [
        (present, absent + present) for absent, present in counts.T
    ]
    assert first.low < first.cramers_v < first.high
    assert (first.is_significant, second.is_significant) == (True, False)


def test_interval_resamples_lesions() -> None:
    """Ten copies of each image do not narrow the interval; chi-square, which counts images, is ten times as large."""
    rng = np.random.default_rng(2)
    diagnosis = np.repeat(["a", "b"], 30)
    labels = pd.DataFrame({"ruler": (rng.random(60) < np.where(diagnosis == "a", 0.6, 0.3)).astype(float)})
    lesions = np.arange(60).astype(str)
    (once,) = find_artifact_associations(labels, diagnosis, lesions)
    copies = labels.loc[np.repeat(np.arange(60), 10)].reset_index(drop=True)
    (tenfold,) = find_artifact_associations(copies, np.repeat(diagnosis, 10), np.repeat(lesions, 10))
    assert tenfold.chi_square == pytest.approx(10 * once.chi_square)
    assert (tenfold.cramers_v, tenfold.low, tenfold.high) == pytest.approx(
        (once.cramers_v, once.low, once.high), abs=0.05
    )


def test_an_artifact_that_determines_the_class_has_v_1() -> None:
    diagnosis = np.array(["a", "b"] * 10)
    labels = pd.DataFrame({"ruler": (diagnosis == "a").astype(float)})
    (item,) = find_artifact_associations(labels, diagnosis, np.arange(20).astype(str))
    assert item.cramers_v == pytest.approx(1)
    assert item.format_rates() == "100 % of a, 0 % of b"
    assert find_artifact_associations(labels, np.full(20, "a"), np.arange(20).astype(str)) == ()
