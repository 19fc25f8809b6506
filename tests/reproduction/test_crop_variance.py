"""Fraction of the variance that comes from random test crops, on the page of a table."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from lesionlens.core.errors import RunError
from lesionlens.reproduction import crop_variance
from lesionlens.reproduction.column_spec import ColumnSpec
from lesionlens.reproduction.crop_variance import crop_variance_rows
from lesionlens.reproduction.planner import RunCell

from ..helpers.fake_runs import fake_results, fake_table_spec

DRAWS = {0: [0.90, 0.91, 0.92, 0.89], 1: [0.86, 0.88, 0.87, 0.85], 2: [0.93, 0.90, 0.92, 0.91]}


def draws_of(cell: RunCell, column: ColumnSpec) -> np.ndarray:
    if cell.row == "B":
        raise RunError("the test crops are not random")
    return np.array(DRAWS[cell.run])


def test_fraction_and_interval_are_those_of_the_anova(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crop_variance, "crop_draw_values", draws_of)
    columns = [
        {"name": "AUC", "metric": "auc", "class": "melanoma"},
        {"name": "mean", "metric": "auc", "class": "melanoma", "crop_draws": 4},
        {"name": "sd", "metric": "auc", "class": "melanoma", "crop_draws": 4, "spread": True, "better": ""},
    ]
    spec = fake_table_spec(unit="percent", columns=columns)
    results = fake_results(tmp_path, spec, {(row, ""): [1.0, 1.1, 1.2] for row in "AB"})
    f = stats.f_oneway(*DRAWS.values()).statistic
    low, high = (f / stats.f.ppf(q, 2, 9) for q in (0.025, 0.975))
    percent = [f"{100 * min(1, 4 / (value + 3)):.0f}" for value in (f, low, high)]
    within = np.mean([np.var(draws, ddof=1) for draws in DRAWS.values()]) ** 0.5
    (line,) = crop_variance_rows(results)  # B has no draws
    assert line[:4] == ("A", "mean", "3 × 4", f"{100 * within:.2f}")
    assert line[5:] == (f"{percent[0]} %", f"{percent[1]}–{percent[2]} %")
    results = fake_results(tmp_path / "one", spec, {("A", ""): [1.0]})
    assert crop_variance_rows(results)[0][5:] == ("–", "–")
