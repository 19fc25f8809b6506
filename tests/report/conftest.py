"""Fixtures: the folder of a run as training writes it, generated without training."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image, ImageDraw

from lesionlens.evaluation.case_selection import file_stem, select_cases
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.evaluation.result import write_evaluation
from lesionlens.report.build import build_report

CLASSES = ("melanoma", "nevus", "basal_cell_carcinoma")
PAPER = "Zhang et al. 2019, doi:10.1109/TMI.2019.2893944"
MAPS = ("layer1", "layer2", "layer3", "layer4", "gradcam")
RECIPE = {
    "data": {"source": "ham10000:data/ham10000", "task": "all", "split": "group_holdout"},
    "model": {"name": "arl_cnn14", "weights": "none", "input_size": [112, 112]},
    "crops": {"train": {"strategy": "full", "count": 1}, "test": {"strategy": "multi-scale", "count": 9}},
    "augment": {"rotation": 10.0, "scale": 0.1, "horizontal_flip": 0.5, "brightness": 0.0},
    "train": {
        "epochs": 12,
        "batch_size": 32,
        "optimizer": "sgd",
        "lr": 0.02,
        "lr_scheduler": {"name": "cosine"},
    },
}


def predictions(
    seed: int, n: int, classes: tuple[str, ...], *, first: int = 0, skill: float = 1.5
) -> Predictions:
    rng = np.random.default_rng(seed)
    prior = 1.0 / np.arange(1, len(classes) + 1)
    truth = rng.choice(len(classes), n, p=prior / prior.sum())
    logits = rng.normal(0, 1, (n, len(classes)))
    logits[np.arange(n), truth] += skill
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    ids = np.array([f"ISIC_{24306 + first + index:07d}" for index in range(n)])
    lesions = np.array([f"HAM_{first + index - index % 3 // 2:07d}" for index in range(n)])
    return Predictions(ids, lesions, np.array(classes)[truth], scores, classes)


def write_image(path: Path, seed: int, color: str | None = None) -> None:
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", (120, 90), (225, 175, 155))
    x, y, r = rng.integers(40, 80), rng.integers(35, 55), rng.integers(15, 30)
    ImageDraw.Draw(image).ellipse((x - r, y - r, x + r, y + r), fill=color or (110, 65, 45))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def write_log(path: Path, epochs: int, blocks: tuple[str, ...]) -> None:
    t = np.arange(epochs)
    log = {
        "epoch": t + 1, "step": 20 * (t + 1), "lr": 0.01 * (1 + np.cos(np.pi * t / max(1, epochs))),
        "train_loss": 1.1 * np.exp(-t / 5) + 0.3, "val_loss": 1.0 * np.exp(-t / 4) + 0.5 + 0.01 * t,
        "val_auc": 0.9 - 0.35 * np.exp(-t / 4) - 0.002 * np.maximum(0, t - 9),
        "val_balanced_accuracy": 0.75 - 0.4 * np.exp(-t / 4), "seconds": np.full(epochs, 9.5),
    }  # fmt: skip
    for index, block in enumerate(blocks, start=1):
        log[f"alpha/{block}"] = 0.001 + 2e-5 * index * (1 - np.exp(-t / 6))
    pd.DataFrame(log).to_csv(path, index=False)


def write_run(
    folder: Path,
    name: str = "arl-ham10000",
    *,
    classes: tuple[str, ...] = CLASSES,
    splits: tuple[str, ...] = ("validation", "test"),
    n: int = 120,
    epochs: int = 12,
    blocks: tuple[str, ...] = ("layer1.0", "layer2.0", "layer3.0", "layer4.0"),
    status: str = "finished",
    n_resamples: int = 50,
) -> Path:
    run = folder / name
    run.mkdir()
    evaluated = {split: predictions(k, n, classes, first=1000 * k) for k, split in enumerate(splits)}
    counts = {
        split: {c: int((predicted.label == c).sum()) for c in classes}
        for split, predicted in {"train": predictions(9, 5 * n, classes), **evaluated}.items()
    }
    (run / "recipe.yaml").write_text(yaml.safe_dump(RECIPE, sort_keys=False))
    metadata = {
        "name": name, "status": status, "command": f"lesionlens train arl/{name}", "seed": 7,
        "started": "2026-01-02T03:04:05+00:00", "seconds": 754.2, "device": "CPU, 2 cores", "precision": "fp32",
        "versions": {"python": "3.11.9", "torch": "2.15.0"}, "num_threads": 2, "peak_memory_gib": 2.31,
        "data": {
            "source": "ham10000:data/ham10000", "fingerprint": "ab12", "task": "all", "classes": list(classes),
            "warnings": ["3 images have no age"], "split": "by lesion, stratified by class",
            "splits": {
                split: {"images": sum(images.values()), "lesions": round(0.7 * sum(images.values())), "classes": images}
                for split, images in counts.items()
            },
        },
        "model": {"name": "arl_cnn14", "parameters": 8020038, "paper": PAPER},
        "best": {"epoch": 10, "metric": "val_auc", "value": 0.8631}, "epochs_run": epochs, "stop_reason": "",
    }  # fmt: skip
    (run / "metadata.json").write_text(json.dumps(metadata))
    if epochs:
        write_log(run / "metrics.csv", epochs, blocks)
    for split, predicted in evaluated.items():
        write_predictions(run / "predictions" / f"{split}.csv", predicted)
        write_evaluation(run / "evaluation" / f"{split}.json", evaluate(predicted, n_resamples=n_resamples))
    reported = evaluated.get("test", evaluated.get("validation"))
    for k, case in enumerate(select_cases(reported) if reported else ()):
        stem = file_stem(case.image_id)
        write_image(run / "attention_maps" / f"{stem}.png", k)
        for index, map_name in enumerate(MAPS):
            write_image(
                run / "attention_maps" / f"{stem}.{map_name}.png",
                k,
                ("#440154", "#3b528b", "#21918c", "#5ec962", "#fde725")[index],
            )
    return run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run with all defaults once; tests change copies of it."""
    return write_run(tmp_path_factory.mktemp("finished"))


@pytest.fixture
def make_run(tmp_path: Path, finished_run: Path) -> Callable[..., Path]:
    """Return a function that writes a run, or copies the one with all defaults."""

    def make(**options: Any) -> Path:
        if options:
            return write_run(tmp_path, **options)
        return Path(shutil.copytree(finished_run, tmp_path / finished_run.name))

    return make


@pytest.fixture(scope="session")
def reported(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run with its report; tests only read it."""
    return build_report(
        shutil.copytree(finished_run, tmp_path_factory.mktemp("reported") / finished_run.name)
    ).parent
