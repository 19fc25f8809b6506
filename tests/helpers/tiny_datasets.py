"""Tiny generated datasets in the official layouts, without patient images.

Each ``write_*`` writes a dataset to ``root`` and returns ``root``. ``size`` is (width, height) in pixels.
"""

import json
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from lesionlens.imaging.superpixels import ISIC2017_FEATURES

from .images import IMAGE_SIZE, write_image, write_lines, write_mask

HAM10000_CODES = ("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc")
HAM10000_LESIONS = (("mel", 2), *((dx, 1) for dx in HAM10000_CODES[1:]), ("nv", 1))
CONFIRMATION_METHODS = (
    "serial imaging showing no change",
    "single image expert consensus",
    "confocal microscopy with consensus dermoscopy",
)
ATTRIBUTES = (*ISIC2017_FEATURES, "globules")
DERM7PT_DIAGNOSES = (
    "melanoma (in situ)", "clark nevus", "basal cell carcinoma", "seborrheic keratosis", "lentigo",
    "dermatofibroma", "vascular lesion", "melanoma metastasis", "reed or spitz nevus", "melanosis",
    "miscellaneous",
)  # fmt: skip


def write_isic2016(
    root: Path, images: Sequence[int] = (4, 3), *, size: tuple[int, int] = IMAGE_SIZE, masks: bool = False
) -> Path:
    """Write training and test split (``images`` of each): alternating classes, labels without header."""
    number = 0
    for part, count, labels in zip(
        ("Training", "Test"), images, (("benign", "malignant"), ("0.0", "1.0")), strict=True
    ):
        lines = []
        for label in islice(cycle(labels), count):
            image_id = f"ISIC_{number:07d}"
            lines.append(f"{image_id},{label}")
            write_image(root / f"ISBI2016_ISIC_Part3_{part}_Data" / f"{image_id}.jpg", seed=number, size=size)
            if masks:
                folder = root / f"ISBI2016_ISIC_Part1_{part}_GroundTruth"
                write_mask(folder / f"{image_id}_Segmentation.png", size=size)
            number += 1
        write_lines(root / f"ISBI2016_ISIC_Part3_{part}_GroundTruth.csv", "", lines)
    return root


def write_isic2017(
    root: Path,
    images: Sequence[int] = (4, 3, 3),
    *,
    size: tuple[int, int] = IMAGE_SIZE,
    masks: bool = False,
    features: bool = False,
) -> Path:
    """Write all three splits: melanoma, keratosis and two nevi in turn; superpixels in the image folder."""
    number = 0
    for part, count in zip(("Training", "Validation", "Test_v2"), images, strict=True):
        stem = str(root / f"ISIC-2017_{part}")
        ids = [f"ISIC_{number + i:07d}" for i in range(count)]
        for image_id in ids:
            write_image(Path(f"{stem}_Data") / f"{image_id}.jpg", seed=number, size=size)
            _write_superpixels(stem, image_id, seed=number, size=size, with_features=features)
            if masks:
                write_mask(Path(f"{stem}_Part1_GroundTruth") / f"{image_id}_segmentation.png", size=size)
            number += 1
        flags = cycle(("1.0,0.0", "0.0,1.0", "0.0,0.0", "0.0,0.0"))
        header = "image_id,melanoma,seborrheic_keratosis"
        write_lines(
            Path(f"{stem}_Part3_GroundTruth.csv"), header, map(",".join, zip(ids, flags, strict=False))
        )
        ages = map(",".join, zip(ids, ("55,male", "unknown,unknown"), strict=False))
        inside = Path(f"{stem}_Data") if part == "Training" else root
        write_lines(inside / f"ISIC-2017_{part}_Data_metadata.csv", "image_id,age_approximate,sex", ages)
    return root


def _write_superpixels(
    stem: str, image_id: str, *, seed: int, size: tuple[int, int], with_features: bool
) -> None:
    """Write squares of three pixels as superpixels, optionally with a flag per superpixel and feature."""
    y, x = np.mgrid[: size[1], : size[0]] // 3
    labels = y * (x.max() + 1) + x
    colors = np.stack([labels & 255, labels >> 8, labels >> 16], axis=2).astype(np.uint8)
    Image.fromarray(colors).save(Path(f"{stem}_Data") / f"{image_id}_superpixels.png")
    if with_features:
        sampled = np.random.default_rng(seed).random((len(ISIC2017_FEATURES), int(labels.max()) + 1)) < 0.3
        flags = dict(zip(ISIC2017_FEATURES, sampled.astype(int).tolist(), strict=True))
        write_lines(Path(f"{stem}_Part2_GroundTruth") / f"{image_id}_features.json", "", [json.dumps(flags)])


def write_ham10000(
    root: Path,
    lesions: Sequence[tuple[str, int]] = HAM10000_LESIONS,
    *,
    size: tuple[int, int] = IMAGE_SIZE,
    dx_types: Sequence[str] = ("histo",),
    masks: bool = False,
) -> Path:
    """Write lesions, each a ``dx`` and its number of images, to two folders; ``dx_types`` in turn."""
    lines = []
    images_of_lesions = [(lesion, dx) for lesion, (dx, images) in enumerate(lesions) for _ in range(images)]
    for number, ((lesion, dx), dx_type) in enumerate(zip(images_of_lesions, cycle(dx_types), strict=False)):
        image_id = f"ISIC_{24306 + number:07d}"
        age = 5 * number % 90
        lines.append(f"HAM_{lesion:07d},{image_id},{dx},{dx_type},{age}.0,male,back,rosendahl")
        write_image(
            root / f"HAM10000_images_part_{1 + number % 2}" / f"{image_id}.jpg", seed=number, size=size
        )
        if masks:
            folder = root / "HAM10000_segmentations_lesion_tschandl"
            write_mask(folder / f"{image_id}_segmentation.png", size=size)
    header = "lesion_id,image_id,dx,dx_type,age,sex,localization,dataset"
    write_lines(root / "HAM10000_metadata.csv", header, lines)
    return root


def write_isic2018(
    root: Path, images: Sequence[int] = (7, 2, 3), *, size: tuple[int, int] = IMAGE_SIZE, test: bool = False
) -> Path:
    """Write training, validation and test split; training labels in a folder as in the zip, test labels if ``test``.

    Each split has the seven classes in turn, and a lesion per image.
    """
    header, stem, number = "image,MEL,NV,BCC,AKIEC,BKL,DF,VASC", "ISIC2018_Task3", 24306
    hot = [",".join("1.0" if i == j else "0.0" for j in range(7)) for i in range(7)]
    for part, count in zip(("Training", "Validation", "Test"), images, strict=True):
        ids = [f"ISIC_{number + i:07d}" for i in range(count)]
        for image_id in ids:
            write_image(root / f"{stem}_{part}_Input" / f"{image_id}.jpg", seed=number, size=size)
            number += 1
        name = f"{stem}_{part}_GroundTruth"
        if part != "Test" or test:
            folder = root / name if part == "Training" else root
            write_lines(folder / f"{name}.csv", header, map(",".join, zip(ids, cycle(hot), strict=False)))
    methods = cycle(["histopathology", *CONFIRMATION_METHODS, *["histopathology"] * 3])
    rows = [f"ISIC_{24306 + n:07d},HAM_{n},{method}" for n, method in enumerate(islice(methods, images[0]))]
    write_lines(root / f"{stem}_Training_LesionGroupings.csv", "image,lesion_id,diagnosis_confirm_type", rows)
    return root


def write_isic2018_task1(
    root: Path,
    images: Sequence[int] = (3, 2, 2),
    *,
    size: tuple[int, int] = IMAGE_SIZE,
    attributes: bool = False,
) -> Path:
    """Write images with lesion masks in three splits, optionally with attributes of the training split."""
    number = 0
    for part, count in zip(("Training", "Validation", "Test"), images, strict=True):
        for _ in range(count):
            image_id = f"ISIC_{number:07d}"
            write_image(root / f"ISIC2018_Task1-2_{part}_Input" / f"{image_id}.jpg", seed=number, size=size)
            truth = root / f"ISIC2018_Task1_{part}_GroundTruth"
            write_mask(truth / f"{image_id}_segmentation.png", size=size)
            for name in ATTRIBUTES if attributes and part == "Training" else ():
                folder = root / "ISIC2018_Task2_Training_GroundTruth_v3"
                write_mask(folder / f"{image_id}_attribute_{name}.png", size=size)
            number += 1
    return root


def write_derm7pt(
    root: Path, diagnoses: Sequence[str] = DERM7PT_DIAGNOSES * 3, *, size: tuple[int, int] = IMAGE_SIZE
) -> Path:
    """Write one case per diagnosis, with a clinical image; a third of the cases in each split."""
    lines, thirds = [], np.array_split(np.arange(len(diagnoses)), 3)
    for number, diagnosis in enumerate(diagnoses):
        clinic, derm = f"NEL/NEL{2 * number:03d}.JPG", f"NEL/Nel{2 * number + 1:03d}.jpg"
        lines.append(f"{number + 1},{diagnosis},absent,female,back,{clinic},{derm}")
        write_image(root / "images" / clinic, seed=2 * number, size=size, format="JPEG")
        write_image(root / "images" / derm, seed=2 * number + 1, size=size)
    write_lines(root / "meta" / "meta.csv", "case_num,diagnosis,streaks,sex,location,clinic,derm", lines)
    for part, rows in zip(("train", "valid", "test"), thirds, strict=True):
        write_lines(root / "meta" / f"{part}_indexes.csv", "indexes", map(str, rows))
    return root


def write_isic2019(
    root: Path, images: Sequence[int] = (10, 9), *, size: tuple[int, int] = IMAGE_SIZE
) -> Path:
    """Write training split (eight classes in turn) and test split (with the ninth class and one unscored image)."""
    codes = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
    number = 0
    for part, count, classes in zip(("Training", "Test"), images, (8, 9), strict=True):
        lines, metadata = [], []
        for n in range(count):
            image_id = f"ISIC_{number:07d}" + ("_downsampled" if n % 3 == 2 else "")
            hot = ",".join("1.0" if n % classes == i else "0.0" for i in range(9))
            lines.append(f"{image_id},{hot}" + (f",{float(n > 0)},0.0" if part == "Test" else ""))
            metadata.append(f"{image_id},{5 * n}.0,anterior torso,BCN_{number:07d},female")
            write_image(root / f"ISIC_2019_{part}_Input" / f"{image_id}.jpg", seed=number, size=size)
            number += 1
        header = f"image,{','.join(codes)}" + (",score_weight,validation_weight" if part == "Test" else "")
        write_lines(root / f"ISIC_2019_{part}_GroundTruth.csv", header, lines)
        header = "image,age_approx,anatom_site_general,lesion_id,sex"
        write_lines(root / f"ISIC_2019_{part}_Metadata.csv", header, metadata)
    return root
