"""Tiny data sets in the official layouts, drawn here: no patient's image, the organisers' file names."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Draw = Callable[..., Path]
Write = Callable[[Path, str, Iterable[str]], Path]


def _draw(path: Path, *, seed: int = 0, size: tuple[int, int] = (12, 9), **options: Any) -> Path:
    """Write a small picture, (width, height), whose bytes depend on the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def _write(path: Path, header: str, lines: Iterable[str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def draw() -> Draw:
    return _draw


@pytest.fixture(scope="session")
def write() -> Write:
    return _write


@pytest.fixture
def isic2017(tmp_path: Path) -> Path:
    """Lay out all three parts, with superpixels among the images as in the official zips."""
    flags = ["1.0,0.0", "0.0,1.0", "0.0,0.0", "0.0,0.0"]
    number = 0
    for part, images in (("Training", 4), ("Validation", 3), ("Test_v2", 3)):
        stem = tmp_path / f"ISIC-2017_{part}"
        ids = [f"ISIC_{number + i:07d}" for i in range(images)]
        for image_id in ids:
            _draw(Path(f"{stem}_Data") / f"{image_id}.jpg", seed=number)
            _draw(Path(f"{stem}_Data") / f"{image_id}_superpixels.png", seed=number)
            number += 1
        header = "image_id,melanoma,seborrheic_keratosis"
        _write(Path(f"{stem}_Part3_GroundTruth.csv"), header, map(",".join, zip(ids, flags, strict=False)))
        ages = [
            f"{image_id},{age}" for image_id, age in zip(ids, ("55,male", "unknown,unknown"), strict=False)
        ]
        inside = Path(f"{stem}_Data") if part == "Training" else tmp_path
        _write(inside / f"ISIC-2017_{part}_Data_metadata.csv", "image_id,age_approximate,sex", ages)
    return tmp_path


CODES = ("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc")


@pytest.fixture
def ham10000(tmp_path: Path) -> Path:
    """Lay out nine images of eight lesions in two folders; the first two show one melanoma."""
    lines = []
    for number, dx in enumerate(["mel", *CODES, "nv"]):
        image_id, lesion = f"ISIC_{24306 + number:07d}", f"HAM_{max(0, number - 1):07d}"
        lines.append(f"{lesion},{image_id},{dx},histo,{5 * number}.0,male,back,rosendahl")
        _draw(tmp_path / f"HAM10000_images_part_{1 + number % 2}" / f"{image_id}.jpg", seed=number)
    _write(
        tmp_path / "HAM10000_metadata.csv",
        "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset",
        lines,
    )
    return tmp_path


@pytest.fixture
def isic2018(tmp_path: Path) -> Path:
    """Lay out training (ground truth nested as in the zip), validation (beside) and test (no labels)."""
    header = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC"
    hot = [",".join("1.0" if i == j else "0.0" for j in range(7)) for i in range(7)]
    ids = [f"ISIC_{24306 + i:07d}" for i in range(12)]
    stem = "ISIC2018_Task3"
    truth = tmp_path / f"{stem}_Training_GroundTruth" / f"{stem}_Training_GroundTruth.csv"
    _write(truth, header, [f"{image_id},{row}" for image_id, row in zip(ids[:7], hot, strict=True)])
    _write(tmp_path / f"{stem}_Validation_GroundTruth.csv", header, [f"{i},{hot[1]}" for i in ids[7:9]])
    for number, image_id in enumerate(ids):
        part = "Training" if number < 7 else "Validation" if number < 9 else "Test"
        _draw(tmp_path / f"{stem}_{part}_Input" / f"{image_id}.jpg", seed=number)
    confocal = "confocal microscopy with consensus dermoscopy"
    benign = ["serial imaging showing no change", "single image expert consensus", confocal]
    methods = ["histopathology", *benign, *["histopathology"] * 3]
    _write(
        tmp_path / f"{stem}_Training_LesionGroupings.csv",
        "image,lesion_id,diagnosis_confirm_type",
        [
            f"{image_id},HAM_{i},{method}"
            for i, (image_id, method) in enumerate(zip(ids, methods, strict=False))
        ],
    )
    return tmp_path
