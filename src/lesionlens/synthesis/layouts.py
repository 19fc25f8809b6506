"""Write synthetic datasets in the official layouts."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.fileio import atomic_directory
from lesionlens.core.taxonomy import DIAGNOSES, ISIC2018_CLASSES
from lesionlens.datasets.issues import pluralize
from lesionlens.imaging.masks import ImageSize
from lesionlens.imaging.superpixels import ISIC2017_FEATURES
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.synthesis.structures import read_structures


@dataclass(frozen=True)
class GeneratedDataset:
    """What `generate_dataset` wrote, and what each image is in the layout to come.

    Attributes
    ----------
    root
        Where the files lie, and where the layout is to be.
    rows
        The columns of ``HAM10000_metadata.csv``, and ``label`` and ``split`` as the layout has them.
    size
        Height and width in pixels.
    """

    root: Path
    rows: pd.DataFrame
    size: tuple[int, int]

    def splits(self) -> Iterable[tuple[str, pd.DataFrame]]:
        """Give each official part with its rows."""
        yield from ((str(part), rows) for part, rows in self.rows.groupby("split", sort=False))

    def move_images(self, rows: pd.DataFrame, target_dir: str) -> None:
        """Put these images into a folder of the layout."""
        _move_files(
            self.root / "HAM10000_images", "{}.jpg", rows["image_id"], self.root / target_dir, "{}.jpg"
        )

    def move_masks(
        self, rows: pd.DataFrame, target_dir: str, *, name_pattern: str = "{}_segmentation.png"
    ) -> None:
        """Put these lesion masks into a folder of the layout, each under this name."""
        _move_files(
            self.root / "masks", "{}_segmentation.png", rows["image_id"], self.root / target_dir, name_pattern
        )

    def write_csv(self, path: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """Write a table of the layout; without a header where that is empty."""
        with (self.root / path).open("w", newline="", encoding="utf-8") as stream:
            lines = csv.writer(stream, lineterminator="\n")
            lines.writerows([*([tuple(header)] if header else []), *rows])


def read_generated(
    root: Path, *, labels: Mapping[str, str], split_fractions: Mapping[str, float], size: tuple[int, int]
) -> GeneratedDataset:
    """Read the table of a painted set and give each image its label and its part.

    Parameters
    ----------
    labels
        HAM10000 code -> label of the layout.
    split_fractions
        Official part -> share of the lesions; whole lesions go to a part, every class to every part.

    Raises
    ------
    DataError
        A class has fewer lesions than there are parts.
    """
    rows = pd.read_csv(root / "HAM10000_metadata.csv", dtype=str, keep_default_na=False)
    rows["label"] = rows["dx"].map(dict(labels))
    lesions = rows.drop_duplicates("lesion_id")
    parts = dict(
        zip(lesions["lesion_id"], _assign_splits(list(lesions["label"]), split_fractions), strict=True)
    )
    rows["split"] = rows["lesion_id"].map(parts)
    for label in dict.fromkeys(labels.values()):
        there = int((lesions["label"] == label).sum())
        if there < len(split_fractions):
            raise DataError(
                f"{pluralize(len(rows), 'image')} are too few: {there} of their lesions are {label}, "
                f"and each of {pluralize(len(split_fractions), 'part')} needs one. Draw more images."
            )
    return GeneratedDataset(root, rows, size)


def _assign_splits(labels: list[str], split_fractions: Mapping[str, float]) -> list[str]:
    """Deal lesions out to the parts by share, class by class, first one of a class to each part."""
    dealt: list[str] = []
    given = {label: dict.fromkeys(split_fractions, 0) for label in labels}
    for label in labels:
        had = given[label]
        seen = sum(had.values()) + 1
        lacking = [part for part in split_fractions if not had[part]]
        part = max(lacking or split_fractions, key=lambda part: split_fractions[part] * seen - had[part])
        had[part] += 1
        dealt.append(part)
    return dealt


def _move_files(
    source_dir: Path, source_pattern: str, image_ids: Iterable[str], target_dir: Path, target_pattern: str
) -> None:
    target_dir.mkdir(exist_ok=True)
    for name in image_ids:
        (source_dir / source_pattern.format(name)).rename(target_dir / target_pattern.format(name))


_DERM7PT_CLASS_WEIGHTS = {"mel": 0.24, "nv": 0.32, "bcc": 0.12, "bkl": 0.12, "df": 0.1, "vasc": 0.1}
_DERM7PT_LABELS = {
    "mel": "melanoma (in situ)",
    "nv": "clark nevus",
    "bcc": "basal cell carcinoma",
    "bkl": "seborrheic keratosis",
    "df": "dermatofibroma",
    "vasc": "vascular lesion",
}
_DERM7PT_SPLIT_FRACTIONS = {"train": 0.45, "valid": 0.2, "test": 0.35}


def _write_derm7pt(dataset: GeneratedDataset) -> None:
    """Name files as its authors did, without clinical images; several images of a lesion share its case number."""
    (dataset.root / "images").mkdir()
    (dataset.root / "meta").mkdir()
    dataset.move_images(dataset.rows, "images/SYN")
    rows = dataset.rows.assign(derm="SYN/" + dataset.rows["image_id"] + ".jpg")
    cases = rows[["lesion_id", "label", "sex", "localization", "derm"]].itertuples(index=False)
    dataset.write_csv("meta/meta.csv", ("case_num", "diagnosis", "sex", "location", "derm"), cases)
    for part in _DERM7PT_SPLIT_FRACTIONS:
        places = np.flatnonzero(rows["split"] == part)
        dataset.write_csv(f"meta/{part}_indexes.csv", ("indexes",), ((place,) for place in places))


_ISIC2016_CLASS_WEIGHTS = {"mel": 0.25, "nv": 0.55, "bkl": 0.2}
_ISIC2016_LABELS = {"mel": "malignant", "nv": "benign", "bkl": "benign"}
_ISIC2016_SPLIT_FRACTIONS = {"Training": 0.7, "Test": 0.3}


def _write_isic2016(dataset: GeneratedDataset) -> None:
    """Name files as the organisers did; labels are words in training, numbers in the test part, without a header."""
    for part, rows in dataset.splits():
        dataset.move_images(rows, f"ISBI2016_ISIC_Part3_{part}_Data")
        dataset.move_masks(
            rows, f"ISBI2016_ISIC_Part1_{part}_GroundTruth", name_pattern="{}_Segmentation.png"
        )
        words = rows["label"] if part == "Training" else (rows["label"] == "malignant").astype(float)
        dataset.write_csv(
            f"ISBI2016_ISIC_Part3_{part}_GroundTruth.csv", (), zip(rows["image_id"], words, strict=True)
        )


ISIC2017_CLASS_WEIGHTS = {"mel": 0.25, "nv": 0.5, "bkl": 0.25}
_ISIC2017_LABELS = {"mel": "melanoma", "nv": "nevus", "bkl": "seborrheic_keratosis"}
_ISIC2017_SPLIT_FRACTIONS = {"Training": 0.65, "Validation": 0.1, "Test_v2": 0.25}
SUPERPIXEL_SIDE = 8  # pixels of a superpixel: squares in place of the organisers' SLIC
MIN_SUPERPIXEL_COVERAGE = 0.1  # of a superpixel that a structure has to cover to be annotated there
_FEATURE_STRUCTURES = {
    "pigment_network": "pigment_network",
    "streaks": "streaks",
    "milia_like_cyst": "milia_like_cysts",
}  # of ISIC2017_FEATURES


def _write_isic2017(dataset: GeneratedDataset) -> None:
    """Name files as the organisers did; no negative network is painted, so none is annotated."""
    labels = _square_superpixels(dataset.size)
    superpixels = _encode_superpixels(labels)
    for part, rows in dataset.splits():
        stem = f"ISIC-2017_{part}"
        dataset.move_images(rows, f"{stem}_Data")
        dataset.move_masks(rows, f"{stem}_Part1_GroundTruth")
        (dataset.root / f"{stem}_Part2_GroundTruth").mkdir()
        for image_id in rows["image_id"]:
            (dataset.root / f"{stem}_Data" / f"{image_id}_superpixels.png").write_bytes(superpixels)
            told = dataset.root / f"{stem}_Part2_GroundTruth" / f"{image_id}_features.json"
            flags = _feature_flags(dataset.root / "structures" / f"{image_id}_structures.png", labels)
            told.write_text(json.dumps(flags), encoding="utf-8")
        truth = (
            (name, float(label == _ISIC2017_LABELS["mel"]), float(label == _ISIC2017_LABELS["bkl"]))
            for name, label in zip(rows["image_id"], rows["label"], strict=True)
        )
        dataset.write_csv(
            f"{stem}_Part3_GroundTruth.csv", ("image_id", "melanoma", "seborrheic_keratosis"), truth
        )
        about = rows[["image_id", "age", "sex"]].replace("", "unknown").itertuples(index=False)
        dataset.write_csv(f"{stem}_Data_metadata.csv", ("image_id", "age_approximate", "sex"), about)


def _square_superpixels(size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Give each square a number, row by row; (h, w)."""
    y, x = np.mgrid[: size[0], : size[1]] // SUPERPIXEL_SIDE
    return np.asarray(y * (x.max() + 1) + x)


def _encode_superpixels(labels: npt.NDArray[np.int64]) -> bytes:
    """Encode the numbers as colours of a PNG, red lowest."""
    colours = np.stack([labels & 255, labels >> 8, labels >> 16], axis=2).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(colours).save(stream, format="png")
    return stream.getvalue()


def _feature_flags(structures_path: Path, labels: npt.NDArray[np.int64]) -> dict[str, list[int]]:
    """Give by feature one flag for each superpixel; none of them where nothing was painted."""
    masks = read_structures(structures_path) if structures_path.is_file() else {}
    area = np.bincount(labels.ravel())
    flags = {}
    for feature in ISIC2017_FEATURES:
        mask = masks.get(_FEATURE_STRUCTURES.get(feature, ""), np.zeros(labels.shape, bool))
        share = np.bincount(labels.ravel(), weights=mask.ravel()) / area
        flags[feature] = (share >= MIN_SUPERPIXEL_COVERAGE).astype(int).tolist()
    return flags


_ISIC2018_CLASS_WEIGHTS = {
    "mel": 0.18,
    "nv": 0.3,
    "bcc": 0.12,
    "akiec": 0.1,
    "bkl": 0.12,
    "df": 0.09,
    "vasc": 0.09,
}
_ISIC2018_CODES = tuple(DIAGNOSES[name].code for name in ISIC2018_CLASSES)
_ISIC2018_LABELS = {code.lower(): code for code in _ISIC2018_CODES}
_ISIC2018_SPLIT_FRACTIONS = {"Training": 0.7, "Validation": 0.1, "Test": 0.2}
_CONFIRMATION_METHODS = {
    "histo": "histopathology",
    "follow_up": "serial imaging showing no change",
    "consensus": "single image expert consensus",
    "confocal": "confocal microscopy with consensus dermoscopy",
}


def _write_isic2018(dataset: GeneratedDataset) -> None:
    """Name files as the organisers did, with groupings of every part; masks as those of HAM10000."""
    for part, rows in dataset.splits():
        stem = f"ISIC2018_Task3_{part}"
        dataset.move_images(rows, f"{stem}_Input")
        truth = (
            (name, *(float(label == code) for code in _ISIC2018_CODES))
            for name, label in zip(rows["image_id"], rows["label"], strict=True)
        )
        dataset.write_csv(f"{stem}_GroundTruth.csv", ("image", *_ISIC2018_CODES), truth)
        lesions = rows[["image_id", "lesion_id", "dx_type"]].replace({"dx_type": _CONFIRMATION_METHODS})
        header = ("image", "lesion_id", "diagnosis_confirm_type")
        dataset.write_csv(f"{stem}_LesionGroupings.csv", header, lesions.itertuples(index=False))
    dataset.move_masks(dataset.rows, "HAM10000_segmentations_lesion_tschandl")


_ISIC2018_TASK1_CLASS_WEIGHTS = {"mel": 0.2, "nv": 0.6, "bkl": 0.2}
_ISIC2018_TASK1_LABELS = {
    "mel": "melanoma",
    "nv": "nevus",
    "bkl": "seborrheic_keratosis",
}  # no file tells them
_ISIC2018_TASK1_SPLIT_FRACTIONS = {"Training": 0.7, "Validation": 0.1, "Test": 0.2}


def _write_isic2018_task1(dataset: GeneratedDataset) -> None:
    """Name files as the organisers did; structures stay in the set's own folder, in place of task 2's attributes."""
    for part, rows in dataset.splits():
        dataset.move_images(rows, f"ISIC2018_Task1-2_{part}_Input")
        dataset.move_masks(rows, f"ISIC2018_Task1_{part}_GroundTruth")


class Layout(NamedTuple):
    """How a painted set becomes an official one.

    Attributes
    ----------
    class_weights
        HAM10000 code -> relative frequency of lesions, such that a small set has enough of each class.
    labels
        HAM10000 code -> label of the layout.
    split_fractions
        Official part, as the layout names it -> share of the lesions.
    write_files
        Puts each file into its place.
    """

    class_weights: Mapping[str, float]
    labels: Mapping[str, str]
    split_fractions: Mapping[str, float]
    write_files: Callable[[GeneratedDataset], None]


LAYOUTS: Mapping[str, Layout | None] = {
    "ham10000": None,  # as it is painted
    "isic2016": Layout(
        class_weights=_ISIC2016_CLASS_WEIGHTS,
        labels=_ISIC2016_LABELS,
        split_fractions=_ISIC2016_SPLIT_FRACTIONS,
        write_files=_write_isic2016,
    ),
    "isic2017": Layout(
        class_weights=ISIC2017_CLASS_WEIGHTS,
        labels=_ISIC2017_LABELS,
        split_fractions=_ISIC2017_SPLIT_FRACTIONS,
        write_files=_write_isic2017,
    ),
    "isic2018": Layout(
        class_weights=_ISIC2018_CLASS_WEIGHTS,
        labels=_ISIC2018_LABELS,
        split_fractions=_ISIC2018_SPLIT_FRACTIONS,
        write_files=_write_isic2018,
    ),
    "isic2018-task1": Layout(
        class_weights=_ISIC2018_TASK1_CLASS_WEIGHTS,
        labels=_ISIC2018_TASK1_LABELS,
        split_fractions=_ISIC2018_TASK1_SPLIT_FRACTIONS,
        write_files=_write_isic2018_task1,
    ),
    "derm7pt": Layout(
        class_weights=_DERM7PT_CLASS_WEIGHTS,
        labels=_DERM7PT_LABELS,
        split_fractions=_DERM7PT_SPLIT_FRACTIONS,
        write_files=_write_derm7pt,
    ),
}


def generate_in_layout(
    name: str,
    root: Path,
    *,
    num_images: int,
    seed: int = 0,
    size: ImageSize = (192, 256),
    difficulty: float = 0.5,
    artifacts: ArtifactRates | None = None,
    num_workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a synthetic set in an official layout into the new folder ``root``; complete or not at all.

    Parameters
    ----------
    name
        A name of ``LAYOUTS``, as `load_table` knows it: ``isic2017`` is read as ``isic2017:ROOT``.
    root
        Folder that does not exist yet or is empty.
    num_images, seed, size, difficulty, artifacts, num_workers, progress
        As for `generate_dataset`. Each class is in each official part, so that 60 images are enough for any layout.

    Returns
    -------
    Path
        ``root``, with the layout's files, and beside them ``structures/``, ``artifact_masks/``,
        ``artifacts.csv`` and ``synthesis.json``, by which readers know that the set is synthetic.

    Raises
    ------
    DataError
        An unknown name, a folder that holds something, an option that is not allowed, or too few images.
    """
    if name not in LAYOUTS:
        raise DataError(unknown_name_message("layout", name, LAYOUTS))
    layout, root = LAYOUTS[name], Path(root)
    with atomic_directory(root) as folder:
        generate_dataset(
            folder,
            num_images=num_images,
            seed=seed,
            size=size,
            difficulty=difficulty,
            artifacts=artifacts,
            class_weights=layout.class_weights if layout else None,
            num_workers=num_workers,
            progress=progress,
        )
        if layout:
            layout.write_files(
                read_generated(
                    folder, labels=layout.labels, split_fractions=layout.split_fractions, size=size
                )
            )
            _remove_ham10000_files(folder)
    return root


def _remove_ham10000_files(folder: Path) -> None:
    """Take away what would make the set one of HAM10000's: its table, and folders that were emptied."""
    (folder / "HAM10000_metadata.csv").unlink()
    for path in folder.iterdir():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
