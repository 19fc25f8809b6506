"""Folders in which the documentation's commands run, with small synthetic files like those of the reader."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
import timm
import torch

from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.synthesis.layouts import generate_in_layout

from .images import write_lines

# folder -> layouts in it, and the first digit of their image ids: official ids are unique
DATASETS = {
    "isic2016": (("isic2016",), 1),
    "isic2017": (("isic2017",), 2),
    "isic2018": (("isic2018", "isic2018-task1"), 3),
    "ham10000": (("ham10000",), 0),
}
# other names of these folders on the pages
ALIASES = {
    "DATA/isic2017": "isic2017",
    "DATA/ham10000": "ham10000",
    "ISIC2017": "isic2017",
    "HAM10000": "ham10000",
    "SET": "ham10000",
    "runs/demo-data-1000": "ham10000",
}
NUM_IMAGES = 56
NUM_NEW_IMAGES = 6
FIRST_HAM10000_ID = 24306
OWN_CLASSES = {"mel": "melanoma", "nv": "nevus", "bkl": "seborrheic_keratosis"}
TASKS_2017 = ("melanoma", "seborrheic_keratosis")


def write_datasets(root: Path, names: Iterable[str] = tuple(DATASETS)) -> Path:
    """Generate the named datasets in the folder ``root``."""
    for name in names:
        layouts, digit = DATASETS[name]
        for layout in layouts:
            part = root / f"{layout}-part"
            generate_in_layout(layout, part, num_images=NUM_IMAGES, seed=2, size=(72, 96), num_workers=1)
            _renumber(part, digit)
            shutil.copytree(part, root / name, dirs_exist_ok=True)
            shutil.rmtree(part)
    return root


def _renumber(root: Path, digit: int) -> None:
    """Rename images to unique ids; with digit 0 to those of HAM10000, which the published splits list."""

    def new_id(match: re.Match[str]) -> str:
        number = int(match[1])
        return f"ISIC_{FIRST_HAM10000_ID - 1 + number:07d}" if digit == 0 else f"ISIC_{digit}{number:06d}"

    for path in sorted(root.rglob("*.*"), reverse=True):
        if path.suffix in {".csv", ".json"}:
            path.write_text(re.sub(r"ISIC_9(\d{6})", new_id, path.read_text()))
        path.rename(path.with_name(re.sub(r"ISIC_9(\d{6})", new_id, path.name)))


def enter_folder(folder: Path, datasets: Path) -> Path:
    """Write the reader's own files into a new folder, with links to the datasets."""
    (folder / "data").mkdir(parents=True)
    names = {f"data/{dataset.name}": dataset.name for dataset in datasets.iterdir()}
    for name, target in {**names, **ALIASES}.items():
        if (datasets / target).is_dir():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).symlink_to(datasets / target)
    own = _write_own_images(folder, datasets / "ham10000")
    _write_predictions(folder, own)
    if (artifacts := datasets / "isic2017" / "artifacts.csv").is_file():
        shutil.copy(artifacts, folder / "artifact-labels.csv")
    return folder


def _write_own_images(folder: Path, source: Path) -> pd.DataFrame:
    """Write images named 0001.jpg and so on with their table, and the first of them again as new images."""
    table = pd.read_csv(source / "HAM10000_metadata.csv")
    table = table[table["dx"].isin(OWN_CLASSES)].reset_index(drop=True)
    table["label"] = table["dx"].map(OWN_CLASSES)
    table["image"] = [f"{number + 1:04d}.jpg" for number in range(len(table))]
    table["file"] = [source / "HAM10000_images" / f"{name}.jpg" for name in table["image_id"]]
    new, columns = table[:NUM_NEW_IMAGES], ["image", "label", "lesion_id"]
    for directory, rows in (("my", table), ("new-images", new), ("archive", new), ("new", new[:1])):
        (folder / directory).mkdir()
        for file, image in zip(rows["file"], rows["image"], strict=True):
            shutil.copy(file, folder / directory / image)
    shutil.copy(table["file"][0], folder / "image.jpg")
    table[columns].to_csv(folder / "my" / "images.csv", index=False)
    new[columns].to_csv(folder / "labels.csv", index=False)
    table[columns].to_csv(folder / "all-labels.csv", index=False)
    table[["image", "age", "sex", "localization"]].to_csv(folder / "metadata.csv", index=False)
    table[columns].replace("nevus", "dermatofibroma").to_csv(folder / "other-labels.csv", index=False)
    tissue = table[columns].assign(label=np.where(table["label"] == "melanoma", "neoplastic", "reactive"))
    tissue.to_csv(folder / "my" / "tissue.csv", index=False)
    mine = table[columns][NUM_NEW_IMAGES : 2 * NUM_NEW_IMAGES]
    mine.assign(image="my/" + mine["image"]).to_csv(folder / "mine.csv", index=False)
    return table


def _write_predictions(folder: Path, own: pd.DataFrame) -> None:
    """Write predictions without labels for the new images, and with labels for parts and models to compare."""
    classes = tuple(OWN_CLASSES.values())
    for name in ("predictions", "scores"):
        _write_scores(folder / f"{name}.csv", own[:NUM_NEW_IMAGES], classes, with_labels=False)
    for number, name in enumerate(("A", "B", "C")):
        _write_scores(folder / f"{name}.csv", own, classes, seed=number)
    _write_scores(folder / "validation.csv", own, classes)
    odd = own.assign(label=np.where(own["label"] == "melanoma", "all", "yes/no"))
    _write_scores(folder / "odd-names.csv", odd, ("all", "yes/no"))
    half = len(own) // 2
    _write_scores(folder / "part-1.csv", own[:half], classes)
    _write_scores(folder / "part-2.csv", own[half:], classes)
    for task in TASKS_2017:
        label = np.where(np.arange(len(own)) % 3 == TASKS_2017.index(task), task, "other")
        _write_scores(folder / f"{task}.csv", own.assign(label=label), (task, "other"))


def write_weights(folder: Path) -> None:
    """Write random weights with timm's keys in place of the ImageNet weights that a reader downloads."""
    torch.save(timm.create_model("mobilenetv2_100").state_dict(), folder / "mobilenetv2_100.pth")


def write_demo_dataset(folder: Path) -> None:
    """Generate small images in place of the 300 of ``lesionlens demo``: enough to compare two models."""
    generate_dataset(folder, num_images=170, size=(64, 64))


def write_run_predictions(folder: Path) -> None:
    """Write predictions of two models on the validation and test split, as their runs would."""
    own = pd.read_csv(folder / "my" / "images.csv")
    for number, run in enumerate(("demo", "resnet14")):
        for split, rows in (("validation", own[::2]), ("test", own[1::2])):
            path = folder / "runs" / run / "predictions" / f"{split}.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_scores(path, rows, tuple(OWN_CLASSES.values()), seed=number)


def _write_scores(
    path: Path, rows: pd.DataFrame, classes: tuple[str, ...], *, seed: int = 0, with_labels: bool = True
) -> None:
    rng = np.random.default_rng(seed)
    lines = []
    for image, label, lesion in rows[["image", "label", "lesion_id"]].itertuples(index=False):
        scores = rng.dirichlet([3.0 if label == name else 1.0 for name in classes])
        values = ",".join(f"{score:.12f}" for score in scores)
        split = "validation" if len(lines) % 2 else "test"
        lines.append(f"{image.removesuffix('.jpg')},{lesion},{label if with_labels else ''},{split},{values}")
    write_lines(
        path, ",".join(["image_id", "lesion_id", "label", "split", *(f"p_{name}" for name in classes)]), lines
    )
