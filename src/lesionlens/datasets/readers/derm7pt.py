"""derm7pt, the seven-point criteria dataset, with six of the seven classes of HAM10000.

Kawahara, Daneshvar, Argenziano & Hamarneh 2019, J. Biomed. Health Inform. 23:538. The classes are those of
Gessert et al. 2020, Table I (there "SPC"): MEL 252, NV 575, BCC 42, BKL 69, DF 20, VASC 29, no AKIEC. The 69 BKL
are 45 seborrheic keratoses and 24 lentigines; the 252 MEL include 4 metastases. The remaining cases of the 1,011 are
16 of melanosis and 8 miscellaneous, which are not classes of HAM10000.
"""

from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import ISIC2018_CLASSES
from lesionlens.datasets.file_layout import ImageIndex, unique_stems
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import DatasetReader, warn_missing_splits
from lesionlens.datasets.validation import RawTable

DERM7PT_CLASSES = tuple(name for name in ISIC2018_CLASSES if name != "actinic_keratosis")
_MELANOMAS = (
    "melanoma",
    "melanoma (in situ)",
    "melanoma (less than 0.76 mm)",
    "melanoma (0.76 to 1.5 mm)",
    "melanoma (more than 1.5 mm)",
    "melanoma metastasis",
)
_NEVI = ("blue", "clark", "combined", "congenital", "dermal", "recurrent", "reed or spitz")
_CLASS_OF_LABEL = {
    **dict.fromkeys(_MELANOMAS, "melanoma"),
    **{f"{kind} nevus": "nevus" for kind in _NEVI},
    "basal cell carcinoma": "basal_cell_carcinoma",
    "seborrheic keratosis": "benign_keratosis",
    "lentigo": "benign_keratosis",
    "dermatofibroma": "dermatofibroma",
    "vascular lesion": "vascular_lesion",
}
_EXCLUDED_LABELS = ("melanosis", "miscellaneous")
_SPLIT_OF_PREFIX = {"train": "train", "valid": "validation", "test": "test"}


def read_derm7pt(root: Path, issues: IssueCollector) -> RawTable:
    """Read the dermoscopic image of each case; cases outside the classes are excluded with a warning.

    Raises
    ------
    DataError
        The metadata is missing or differs from the published files.
    """
    base = _release_dir(root)
    if base is None:
        raise DataError(
            f"{root} is not derm7pt: there is no meta/train_indexes.csv, nor release_v0/meta/train_indexes.csv"
        )
    path = base / "meta" / "meta.csv"
    metadata = read_table(path)
    missing = [name for name in ("diagnosis", "derm") if name not in metadata]
    if missing:
        raise DataError(f"{path} lacks the column {missing[0]!r}; it has {', '.join(metadata.columns)}")
    rows = metadata.rename(columns={"case_num": "lesion_id", "location": "site"})
    rows["image_id"] = unique_stems(metadata["derm"])
    rows["split"] = _read_splits(base / "meta", len(metadata), issues)
    rows["diagnosis"] = _map_diagnoses(rows, issues)
    columns = [
        name for name in ("image_id", "diagnosis", "lesion_id", "sex", "site", "split") if name in rows
    ]
    images = _locate_images(base / "images", dict(zip(rows["image_id"], metadata["derm"], strict=True)))
    rows = rows.loc[~metadata["diagnosis"].isin(_EXCLUDED_LABELS), columns]
    # The directory also contains the clinical images, which have no row.
    return RawTable(rows, images, DERM7PT_CLASSES, {}, warn_unlabeled_images=False)


def detect_derm7pt(root: Path) -> bool:
    """Return whether the metadata of this dataset is there."""
    return _release_dir(root) is not None


def _release_dir(root: Path) -> Path | None:
    folders = (root, root / "release_v0")
    return next((base for base in folders if (base / "meta" / "train_indexes.csv").is_file()), None)


def _map_diagnoses(rows: pd.DataFrame, issues: IssueCollector) -> pd.Series:
    labels = rows["diagnosis"]
    issues.exclude(
        "cases outside the seven classes",
        rows["image_id"][labels.isin(_EXCLUDED_LABELS)],
        reason=f"not in the seven classes ({', '.join(sorted(_EXCLUDED_LABELS))})",
    )
    unknown = ~labels.isin([*_CLASS_OF_LABEL, *_EXCLUDED_LABELS])
    cases = (rows["image_id"] + " " + labels)[unknown]
    issues.add_error("unknown labels", cases, hint="Download the official meta/meta.csv again.")
    return labels.map(lambda label: _CLASS_OF_LABEL.get(label, ""))


def _read_splits(folder: Path, num_cases: int, issues: IssueCollector) -> list[str]:
    """Read the official split of each case; the index files contain row numbers of the metadata, from 0."""
    splits = [""] * num_cases
    for prefix, split in _SPLIT_OF_PREFIX.items():
        path = folder / f"{prefix}_indexes.csv"
        warn_missing_splits(issues, [] if path.is_file() else [path.name])
        for text in read_table(path).iloc[:, -1] if path.is_file() else ():
            row = int(text) if text.isdecimal() else num_cases
            if row < num_cases and not splits[row]:
                splits[row] = split
            else:
                issues.add_error(
                    "invalid or repeated case indices",
                    [f"{path.name}: {text}"],
                    hint="Download the files again.",
                )
    return splits


def _locate_images(folder: Path, file_names: dict[str, str]) -> ImageIndex:
    """Find each dermoscopic image by its path, ignoring case."""
    files = {str(path.relative_to(folder)).casefold(): path for path in folder.rglob("*") if path.is_file()}
    names = {image_id: Path(name).as_posix().casefold() for image_id, name in file_names.items()}
    return ImageIndex({image_id: files[name] for image_id, name in names.items() if name in files}, (folder,))


DERM7PT_READER = DatasetReader(
    title="derm7pt",
    read=read_derm7pt,
    detect=detect_derm7pt,
    license="for research, by agreement with the authors",
    citation="Kawahara et al. 2019, Seven-point checklist and skin lesion classification, "
    "J. Biomed. Health Inform. 23:538",
    url="https://derm.cs.sfu.ca",
    expected={"": 987},
)
