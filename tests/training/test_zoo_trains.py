"""Every network of the zoo goes the whole way by its own recipe: two steps, scores, maps, a report."""

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


def words(name: str, few: Path) -> list[str]:
    """Make the recipe small, and leave what makes it the recipe."""
    said = [
        f"data=ham10000:{few}", "data.task=melanoma", "data.split=group_holdout", "data.val_fraction=0.33",
        "data.test_fraction=0.33",
        f"data.cache_dir={few.with_name('store')}", f"model.name={name}", "model.weights=none",
        "model.input_size=96",
        "train.epochs=1", "train.batch_size=4", "train.sampling=shuffle", "train.passes_per_epoch=1",
        "train.class_repeats={}", "n_folds=null",
    ]  # fmt: skip
    return [*said, "crops.train_count=1"] if ZOO[name].recipe.startswith("arl") else said


@pytest.mark.parametrize("name", ZOO)
def test_trains_by_its_recipe(name: str, few: Path, tmp_path: Path) -> None:
    folder = RunDir(train(ZOO[name].recipe, words(name, few), out=tmp_path / "run"))
    log = pd.read_csv(folder.metrics_csv)
    assert log["step"].tolist() == [2]
    assert np.isfinite(log["train_loss"]).all()
    assert np.isfinite(read_predictions(folder.predictions("test")).scores).all()
    assert (folder.path / "report.html").is_file()
    assert len(list((folder.path / "maps").glob("*.png"))) >= 2
