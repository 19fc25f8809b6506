"""How a network learnt, in words."""

from pathlib import Path
from typing import Any

import pytest

from lesionlens.report.content import training_summary
from lesionlens.report.load import RunData

USED = {"data": {"prior": {"images": 8, "used": 2, "jaccard": 0.8044}}}


@pytest.mark.parametrize(
    ("prior", "said"),
    [
        ({"masks": "none"}, ""),
        ({"masks": "lesion", "share": 0}, ""),
        ({"masks": "lesion"}, "lesion masks"),
        ({"masks": "lesion", "weights": {"pool4": 0.01}}, "lesion masks, weights: pool4 0.01"),
        (
            {"masks": "background", "share": 0.25, "quality": "polygon", "amount": 8.0},
            "background masks of 25 % of the images, polygon 8, Jaccard index with the exact ones 0.804",
        ),
    ],
)
def test_a_prior_is_told_with_its_dimensions(prior: dict[str, Any], said: str) -> None:
    run = RunData(Path("run"), USED, {"prior": prior}, "", None, {}, {}, ())
    assert dict(training_summary(run))["Attention prior"] == said
