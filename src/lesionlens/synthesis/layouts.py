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
    """Files that ``generate_dataset`` wrote, with the label and the split of each image in the target layout.

    Attributes
    ----------
    root
        Directory of the files, also of the target layout.
    rows
        Columns of ``HAM10000_metadata.csv``, and ``label`` and ``split`` of the target layout.
    size
        Height and width of the images in pixels.
    """

    root: Path
    rows: pd.DataFrame
    size: tuple[int, int]

    def splits(self) -> Iterable[tuple[str, pd.DataFrame]]:
        """Yield the name and the rows of each official split."""
        yield from ((str(name), rows) for name, rows in self.rows.groupby("split", sort=False))

    def move_images(self, rows: pd.DataFrame, target_dir: str) -> None:
        """Move images into a directory of the layout."""
        _move_files(
            self.root / "HAM10000_images", "{}.jpg", rows["image_id"], self.root / target_dir, "{}.jpg"
        )

    def move_masks(
        self, rows: pd.DataFrame, target_dir: str, *, name_pattern: str = "{}_segmentation.png"
    ) -> None:
        """Move lesion masks into a directory of the layout, renamed by a pattern."""
        _move_files(
            self.root / "masks", "{}_segmentation.png", rows["image_id"], self.root / target_dir, name_pattern
        )

    def write_csv(self, path: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
        """Write a table of the layout; without a header line if ``header`` is empty."""
        with (self.root / path).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerows([*([tuple(header)] if header else []), *rows])


def read_generated(
    root: Path, *, labels: Mapping[str, str], split_fractions: Mapping[str, float], size: tuple[int, int]
) -> GeneratedDataset:
    """Read the table of a generated dataset and assign each image its label and its split.

    Parameters
    ----------
    root
        Directory of the generated dataset.
    labels
        HAM10000 code -> label of the layout.
    split_fractions
        Official split -> fraction of the lesions. Images of a lesion are in one split, and each split has every class.
    size
        Height and width of the images in pixels.

    Raises
    ------
    DataError
        A class has fewer lesions than there are splits.
    """
    rows = pd.read_csv(root / "HAM10000_metadata.csv", dtype=str, keep_default_na=False)
    rows["label"] = rows["dx"].map(dict(labels))
    lesions = rows.drop_duplicates("lesion_id")
    splits = _assign_splits(list(lesions["label"]), split_fractions)
    rows["split"] = rows["lesion_id"].map(dict(zip(lesions["lesion_id"], splits, strict=True)))
    for label in dict.fromkeys(labels.values()):
        num_lesions = int((lesions["label"] == label).sum())
        if num_lesions < len(split_fractions):
            raise DataError(
                f"{pluralize(len(rows), 'image')} are too few: they have {pluralize(num_lesions, 'lesion')} of "
                f"class {label} for {pluralize(len(split_fractions), 'split')}. Each needs one; generate more images."
            )
    return GeneratedDataset(root, rows, size)


def _assign_splits(labels: list[str], split_fractions: Mapping[str, float]) -> list[str]:
    """Assign lesions to splits by their fractions, per class; the first lesions of a class go to different splits."""
    assigned: list[str] = []
    counts = {label: dict.fromkeys(split_fractions, 0) for label in labels}
    for label in labels:
        counts_of_label = counts[label]
        label_count = sum(counts_of_label.values()) + 1
        empty_splits = [name for name in split_fractions if not counts_of_label[name]]
        split = max(
            empty_splits or split_fractions,
            key=lambda name: split_fractions[name] * label_count - counts_of_label[name],
        )
        counts_of_label[split] += 1
        assigned.append(split)
    return assigned


def _move_files(
    source_dir: Path, source_pattern: str, image_ids: Iterable[str], target_dir: Path, target_pattern: str
) -> None:
    target_dir.mkdir(exist_ok=True)
    for name in image_ids:
        (source_dir / source_pattern.format(name)).rename(target_dir / target_pattern.format(name))


def _write_derm7pt(dataset: GeneratedDataset) -> None:
    """Use the file names of derm7pt, without clinical images; all images of a lesion have its case number."""
    (dataset.root / "images").mkdir()
    (dataset.root / "meta").mkdir()
    dataset.move_images(dataset.rows, "images/SYN")
    rows = dataset.rows.assign(derm="SYN/" + dataset.rows["image_id"] + ".jpg")
    cases = rows[["lesion_id", "label", "sex", "localization", "derm"]].itertuples(index=False)
    dataset.write_csv("meta/meta.csv", ("case_num", "diagnosis", "sex", "location", "derm"), cases)
    for split in rows["split"].unique():
        indices = np.flatnonzero(rows["split"] == split)
        dataset.write_csv(f"meta/{split}_indexes.csv", ("indexes",), ((index,) for index in indices))


def _write_isic2016(dataset: GeneratedDataset) -> None:
    """Use the file names of ISIC 2016; labels are names in the training split, numbers in the test split; no header."""
    for split, rows in dataset.splits():
        dataset.move_images(rows, f"ISBI2016_ISIC_Part3_{split}_Data")
        dataset.move_masks(
            rows, f"ISBI2016_ISIC_Part1_{split}_GroundTruth", name_pattern="{}_Segmentation.png"
        )
        values = rows["label"] if split == "Training" else (rows["label"] == "malignant").astype(float)
        dataset.write_csv(
            f"ISBI2016_ISIC_Part3_{split}_GroundTruth.csv", (), zip(rows["image_id"], values, strict=True)
        )


ISIC2017_CLASS_WEIGHTS = {"mel": 0.25, "nv": 0.5, "bkl": 0.25}
_ISIC2017_LABELS = {"mel": "melanoma", "nv": "nevus", "bkl": "seborrheic_keratosis"}
SUPERPIXEL_SIDE = 8  # side of a square superpixel in pixels; the challenge has SLIC superpixels
MIN_SUPERPIXEL_COVERAGE = 0.1  # fraction of a superpixel that a structure must cover to be annotated
_FEATURE_STRUCTURES = {
    "pigment_network": "pigment_network",
    "streaks": "streaks",
    "milia_like_cyst": "milia_like_cysts",
}  # ISIC 2017 feature -> structure


def _write_isic2017(dataset: GeneratedDataset) -> None:
    """Use the file names of ISIC 2017, without annotations of negative networks, which are not rendered."""
    labels = _square_superpixels(dataset.size)
    superpixels = _encode_superpixels(labels)
    for split, rows in dataset.splits():
        stem = f"ISIC-2017_{split}"
        dataset.move_images(rows, f"{stem}_Data")
        dataset.move_masks(rows, f"{stem}_Part1_GroundTruth")
        (dataset.root / f"{stem}_Part2_GroundTruth").mkdir()
        for image_id in rows["image_id"]:
            (dataset.root / f"{stem}_Data" / f"{image_id}_superpixels.png").write_bytes(superpixels)
            features_path = dataset.root / f"{stem}_Part2_GroundTruth" / f"{image_id}_features.json"
            flags = _feature_flags(dataset.root / "structures" / f"{image_id}_structures.png", labels)
            features_path.write_text(json.dumps(flags), encoding="utf-8")
        truth = (
            (name, float(label == _ISIC2017_LABELS["mel"]), float(label == _ISIC2017_LABELS["bkl"]))
            for name, label in zip(rows["image_id"], rows["label"], strict=True)
        )
        dataset.write_csv(
            f"{stem}_Part3_GroundTruth.csv", ("image_id", "melanoma", "seborrheic_keratosis"), truth
        )
        metadata = rows[["image_id", "age", "sex"]].replace("", "unknown").itertuples(index=False)
        dataset.write_csv(f"{stem}_Data_metadata.csv", ("image_id", "age_approximate", "sex"), metadata)


def _square_superpixels(size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return the number of each square superpixel, row by row, (h, w)."""
    y, x = np.mgrid[: size[0], : size[1]] // SUPERPIXEL_SIDE
    return np.asarray(y * (x.max() + 1) + x)


def _encode_superpixels(labels: npt.NDArray[np.int64]) -> bytes:
    """Encode superpixel numbers as PNG colors, the lowest byte in red."""
    colors = np.stack([labels & 255, labels >> 8, labels >> 16], axis=2).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(colors).save(stream, format="png")
    return stream.getvalue()


def _feature_flags(structures_path: Path, labels: npt.NDArray[np.int64]) -> dict[str, list[int]]:
    """Return one flag per superpixel for each feature; all 0 if the image has no structures."""
    masks = read_structures(structures_path) if structures_path.is_file() else {}
    area = np.bincount(labels.ravel())
    flags = {}
    for feature in ISIC2017_FEATURES:
        mask = masks.get(_FEATURE_STRUCTURES.get(feature, ""), np.zeros(labels.shape, bool))
        coverage = np.bincount(labels.ravel(), weights=mask.ravel()) / area
        flags[feature] = (coverage >= MIN_SUPERPIXEL_COVERAGE).astype(int).tolist()
    return flags


_ISIC2018_CODES = tuple(DIAGNOSES[name].code for name in ISIC2018_CLASSES)
_CONFIRMATION_METHODS = {
    "histo": "histopathology",
    "follow_up": "serial imaging showing no change",
    "consensus": "single image expert consensus",
    "confocal": "confocal microscopy with consensus dermoscopy",
}


def _write_isic2018(dataset: GeneratedDataset) -> None:
    """Use the file names of ISIC 2018, with lesion groupings of every split; masks as in HAM10000."""
    for split, rows in dataset.splits():
        stem = f"ISIC2018_Task3_{split}"
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


def _write_isic2018_task1(dataset: GeneratedDataset) -> None:
    """Use the file names of ISIC 2018 task 1; the directory ``structures`` replaces the attributes of task 2."""
    for split, rows in dataset.splits():
        dataset.move_images(rows, f"ISIC2018_Task1-2_{split}_Input")
        dataset.move_masks(rows, f"ISIC2018_Task1_{split}_GroundTruth")


class Layout(NamedTuple):
    """Official layout of a dataset.

    Attributes
    ----------
    class_weights
        HAM10000 code -> relative frequency of lesions, such that a small dataset has enough lesions of each class.
    labels
        HAM10000 code -> label of the layout.
    split_fractions
        Official split, as named in the layout -> fraction of the lesions.
    write_files
        Function that moves and writes the files of the layout.
    """

    class_weights: Mapping[str, float]
    labels: Mapping[str, str]
    split_fractions: Mapping[str, float]
    write_files: Callable[[GeneratedDataset], None]


_THREE_SPLITS = {"Training": 0.7, "Validation": 0.1, "Test": 0.2}
LAYOUTS: Mapping[str, Layout | None] = {
    "ham10000": None,  # the layout of generate_dataset
    "isic2016": Layout(
        class_weights={"mel": 0.25, "nv": 0.55, "bkl": 0.2},
        labels={"mel": "malignant", "nv": "benign", "bkl": "benign"},
        split_fractions={"Training": 0.7, "Test": 0.3},
        write_files=_write_isic2016,
    ),
    "isic2017": Layout(
        class_weights=ISIC2017_CLASS_WEIGHTS,
        labels=_ISIC2017_LABELS,
        split_fractions={"Training": 0.65, "Validation": 0.1, "Test_v2": 0.25},
        write_files=_write_isic2017,
    ),
    "isic2018": Layout(
        class_weights={
            "mel": 0.18, "nv": 0.3, "bcc": 0.12, "akiec": 0.1, "bkl": 0.12, "df": 0.09, "vasc": 0.09,
        },
        labels={code.lower(): code for code in _ISIC2018_CODES},
        split_fractions=_THREE_SPLITS,
        write_files=_write_isic2018,
    ),
    "isic2018-task1": Layout(
        class_weights={"mel": 0.2, "nv": 0.6, "bkl": 0.2},
        labels=_ISIC2017_LABELS,  # not written: the layout has no labels
        split_fractions=_THREE_SPLITS,
        write_files=_write_isic2018_task1,
    ),
    "derm7pt": Layout(
        class_weights={"mel": 0.24, "nv": 0.32, "bcc": 0.12, "bkl": 0.12, "df": 0.1, "vasc": 0.1},
        labels={
            "mel": "melanoma (in situ)", "nv": "clark nevus", "bcc": "basal cell carcinoma",
            "bkl": "seborrheic keratosis", "df": "dermatofibroma", "vasc": "vascular lesion",
        },
        split_fractions={"train": 0.45, "valid": 0.2, "test": 0.35},
        write_files=_write_derm7pt,
    ),
}  # fmt: skip


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
    """Write a synthetic dataset in an official layout into the new directory ``root``, completely or not at all.

    Parameters
    ----------
    name
        Name in ``LAYOUTS``, which is also the name for ``load_table``: ``isic2017`` is loaded as ``isic2017:ROOT``.
    root
        Directory that does not exist yet or is empty.
    num_images, seed, size, difficulty, artifacts, num_workers, progress
        As for ``generate_dataset``. Each official split has every class; 60 images are enough for any layout.

    Returns
    -------
    Path
        ``root``, with the files of the layout and ``structures/``, ``artifact_masks/``, ``artifacts.csv`` and
        ``synthesis.json``, which marks the dataset as synthetic.

    Raises
    ------
    DataError
        An unknown layout, a directory that is not empty, an option out of range, or too few images.
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
    """Remove the table of HAM10000, by which the dataset would be detected as such, and empty directories."""
    (folder / "HAM10000_metadata.csv").unlink()
    for path in folder.iterdir():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
