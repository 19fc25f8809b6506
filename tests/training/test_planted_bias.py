"""From images to differences between groups: a network that learns a sticker is accused, a fair one is not."""

import sys
from pathlib import Path

import pytest

from lesionlens import cli
from lesionlens.evaluation.subgroups.result import read_subgroups
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.inject_artifacts import inject_artifact
from lesionlens.synthesis.layouts import generate_in_layout
from lesionlens.training.run import train

pytestmark = pytest.mark.slow
TINY = (
    "model.backbone=test_resnet", "model.weights=none", "model.input_size=64", "data.task=melanoma",
    "data.split=group_holdout", "data.test_fraction=0.4", "train.epochs=12", "train.lr=0.003", "train.compile=off",
)  # fmt: skip


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("planted") / "original"
    rates = ArtifactRates(color_patch=0)
    generate_in_layout("isic2017", root, num_images=600, size=(72, 96), difficulty=1, artifacts=rates)
    return f"isic2017:{root}"


@pytest.mark.parametrize("rate_difference", [0.7, 0])
def test_bias_of_planted_stickers_is_reported(
    dataset: str, tmp_path: Path, rate_difference: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = inject_artifact(
        dataset, tmp_path / "copy", artifact="color_patch", rate_difference=rate_difference
    )
    run = train("plain", [f"data={source}", *TINY], out=tmp_path / "run")
    arguments = [str(run), "--by", "color_patch", "-o", str(tmp_path / "evaluation")]
    monkeypatch.setattr(sys, "argv", ["lesionlens", "evaluate", *arguments])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    report = read_subgroups(tmp_path / "evaluation" / "subgroups.json")
    differing = {(group.name, metric.metric) for group, metric in report.differing()}
    if rate_difference:
        assert ("yes", "specificity") in differing
    else:
        assert differing == set()
