"""Every model of the zoo trains by its recipe for two steps, predicts and has a report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.models.zoo import ZOO
from lesionlens.runs.run_dir import RunDir
from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.training.run import train

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write 24 synthetic images of two classes in the layout of HAM10000."""
    root = tmp_path_factory.mktemp("few") / "ham"
    return generate_dataset(
        root, num_images=24, seed=5, size=(180, 240), class_weights={"nv": 1.0, "mel": 1.0}
    )


def small_overrides(name: str, few: Path) -> list[str]:
    """Return overrides that make a recipe small without changing its protocol."""
    overrides = [
        f"data=ham10000:{few}", "data.task=melanoma", "data.split=group_holdout", "data.val_fraction=0.33",
        "data.test_fraction=0.33",
        f"data.cache_dir={few.with_name('cache')}", f"model.name={name}", "model.weights=none",
        "model.input_size=96",
        "train.epochs=1", "train.batch_size=4", "train.sampling=shuffle", "train.passes_per_epoch=1",
        "train.class_repeats={}", "n_folds=null",
    ]  # fmt: skip
    return [*overrides, "crops.train.count=1"] if ZOO[name].recipe.startswith("arl") else overrides


@pytest.mark.parametrize("name", ZOO)
def test_trains_by_its_recipe(name: str, few: Path, tmp_path: Path) -> None:
    run_dir = RunDir(train(ZOO[name].recipe, small_overrides(name, few), out=tmp_path / "run"))
    metrics = pd.read_csv(run_dir.metrics_csv)
    assert metrics["step"].tolist() == [2]
    assert np.isfinite(metrics["train_loss"]).all()
    assert np.isfinite(read_predictions(run_dir.predictions("test")).scores).all()
    assert (run_dir.path / "report.html").is_file()
    assert len(list((run_dir.path / "attention_maps").glob("*.png"))) >= 2
