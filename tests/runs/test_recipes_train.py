"""Every recipe of the papers trains on a miniature of its dataset, from the first step to the report.

The backbone is tiny, with the attention mechanism of the recipe; test_zoo_trains.py trains the real models. Apart from
sizes (images, crops, batches, one epoch, the first fold), everything follows the recipe.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionlens.datasets.registry import load_table
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.models.zoo import ZOO
from lesionlens.reproduction.catalog import list_row_recipes
from lesionlens.runs.load import load_recipe
from lesionlens.runs.multi_run_dir import MultiRunDir, expand_runs
from lesionlens.runs.recipe_files import builtin_recipes
from lesionlens.runs.run_dir import RunDir
from lesionlens.training.run import train

from ..helpers.tiny_datasets import (
    DERM7PT_DIAGNOSES,
    HAM10000_CODES,
    write_derm7pt,
    write_ham10000,
    write_isic2016,
    write_isic2017,
    write_isic2018,
    write_mask,
)

pytestmark = pytest.mark.slow

PAPERS = sorted(
    {
        *(name for name in builtin_recipes() if "/" in name),
        *(row.recipe for row in list_row_recipes() if row.recipe),
    }
)
SIZE = (80, 60)
BACKBONE_OPTIONS = {"layers", "stage"}  # options that the tiny backbone does not have
BATCH = {"isic2016": 7, "isic2017": 6, "isic2018": 7, "ham10000": 7, "derm7pt": 4}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Write a miniature of each dataset, and a lesion mask for each image."""
    root = tmp_path_factory.mktemp("miniatures")
    lesions = [
        (dx, 1 + number // 7) for number in range(8) for dx in HAM10000_CODES
    ]  # seven of eight have a single image
    roots = {
        "isic2016": write_isic2016(root / "isic2016", (14, 8), size=SIZE, masks=True),
        "isic2017": write_isic2017(root / "isic2017", (16, 8, 8), size=SIZE, masks=True, features=True),
        "isic2018": write_isic2018(root / "isic2018", (56, 2, 2), size=SIZE),
        "ham10000": write_ham10000(
            root / "ham10000", lesions, size=SIZE, dx_types=("histo", "follow_up", "consensus", "confocal", "histo")
        ),
        "derm7pt": write_derm7pt(root / "derm7pt", DERM7PT_DIAGNOSES * 3, size=SIZE),
    }  # fmt: skip
    for name in ("isic2017", "isic2018"):
        for image_id in load_table(f"{name}:{roots[name]}").frame["image_id"]:
            write_mask(root / "masks" / name / f"{image_id}_segmentation.png", size=SIZE)
    return roots


def small_overrides(name: str, sources: dict[str, Path]) -> list[str]:
    """Return overrides that make a recipe small without changing its protocol."""
    recipe = load_recipe(name)
    data, zoo = recipe.data.source.partition(":")[0], ZOO[recipe.model.name or ""]
    options = {
        key: value
        for key, value in {**zoo.kwargs, **recipe.model.kwargs}.items()
        if key not in BACKBONE_OPTIONS
    }
    overrides = [
        f"data={data}:{sources[data]}", f"data.cache_dir={sources[data].with_name('cache')}",
        "model.backbone=test_resnet", f"model.attention={zoo.attention}", f"model.kwargs={json.dumps(options)}",
        "model.weights=none", "model.input_size=64", "train.epochs=1", f"train.batch_size={BATCH[data]}",
        "crops.train.count=2" * (recipe.crops.train.count > 2), "crops.test.count=2" * (recipe.crops.test.count > 2),
        "data.val_fraction=0.33" * (recipe.data.val_fraction > 0), "num_repeats=2" * (recipe.num_repeats > 1),
        f"data.mask_dir={sources[data].with_name('masks') / data}" * (recipe.data.mask_dir is not None),
        {None: "", 3: "fold=0", 5: "n_folds=2"}[recipe.n_folds],
    ]  # fmt: skip
    return [override for override in overrides if override]


@pytest.mark.parametrize("name", PAPERS)
def test_trains_on_a_miniature(name: str, sources: dict[str, Path], tmp_path: Path) -> None:
    short = small_overrides(name, sources)
    path = train(name, short, out=tmp_path / "run")
    runs = expand_runs(load_recipe(name, short))
    for run_dir in [MultiRunDir(path).run_dir(run.name) for run in runs] if len(runs) > 1 else [RunDir(path)]:
        metrics = pd.read_csv(run_dir.metrics_csv)
        assert metrics["step"].iloc[-1] >= 2
        assert np.isfinite(metrics["train_loss"]).all()
        assert np.isfinite(read_predictions(run_dir.predictions("test")).scores).all()
        assert (run_dir.path / "report.html").is_file()
        assert run_dir.metadata()["status"] == "finished"
    assert (len(runs) > 1) == MultiRunDir(path).summary_csv.is_file()
