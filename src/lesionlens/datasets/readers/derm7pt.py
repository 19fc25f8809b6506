"""derm7pt, the seven-point criteria data set, in six of the seven classes of HAM10000.

Kawahara, Daneshvar, Argenziano & Hamarneh 2019, J. Biomed. Health Inform. 23:538. The classes are those of
Gessert et al. 2020, Table I (there "SPC"): MEL 252, NV 575, BCC 42, BKL 69, DF 20, VASC 29, no AKIEC. Its 69 BKL
are the 45 seborrheic keratoses and 24 lentigines, its 252 MEL include 4 metastases; 16 cases of melanosis and 8
of miscellaneous, which HAM10000 does not know, make up the 1,011.
"""

from pathlib import Path

import pandas as pd

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import ISIC2018_CLASSES
from lesionlens.datasets.file_layout import ImageIndex, unique_stems
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers.base import DatasetReader
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
    """Read the dermoscopic image of each case; cases of no class are left out with a warning.

    Raises
    ------
    DataError
        The metadata is not there or not what its authors published.
    """
    base = _release_dir(root)
    if base is None:
        raise DataError(
            f"{root} is not derm7pt: there is no meta/train_indexes.csv, nor release_v0/meta/train_indexes.csv"
        )
    path = base / "meta" / "meta.csv"
    sheet = read_table(path)
    lacking = [name for name in ("diagnosis", "derm") if name not in sheet]
    if lacking:
        raise DataError(f"{path} lacks the column {lacking[0]!r}; it has {', '.join(sheet.columns)}")
    rows = sheet.rename(columns={"case_num": "lesion_id", "location": "site"})
    rows["image_id"] = unique_stems(sheet["derm"])
    rows["split"] = _read_splits(base / "meta", len(sheet), issues)
    rows["diagnosis"] = _map_diagnoses(rows, issues)
    kept = [name for name in ("image_id", "diagnosis", "lesion_id", "sex", "site", "split") if name in rows]
    classed = ~sheet["diagnosis"].isin(_EXCLUDED_LABELS)
    found = _locate_images(base / "images", dict(zip(rows["image_id"], sheet["derm"], strict=True)))
    return RawTable(
        rows.loc[classed, kept], found, DERM7PT_CLASSES, {}, warn_unlabeled_images=False
    )  # clinical images lie beside


def detect_derm7pt(root: Path) -> bool:
    """Tell whether the metadata is there, and is this data set's."""
    return _release_dir(root) is not None


def _release_dir(root: Path) -> Path | None:
    folders = (root, root / "release_v0")
    return next((base for base in folders if (base / "meta" / "train_indexes.csv").is_file()), None)


def _map_diagnoses(rows: pd.DataFrame, issues: IssueCollector) -> pd.Series:
    labels = rows["diagnosis"]
    named = rows["image_id"] + " " + labels
    issues.exclude(
        "cases of none of the seven classes",
        rows["image_id"][labels.isin(_EXCLUDED_LABELS)],
        reason=f"of none of the seven classes ({', '.join(sorted(_EXCLUDED_LABELS))})",
    )
    strangers = ~labels.isin([*_CLASS_OF_LABEL, *_EXCLUDED_LABELS])
    issues.add_error(
        "labels that are not known", named[strangers], hint="Fetch the official meta/meta.csv again."
    )
    return labels.map(lambda label: _CLASS_OF_LABEL.get(label, ""))


def _read_splits(folder: Path, num_cases: int, issues: IssueCollector) -> list[str]:
    """Read which rows of the metadata, counted from 0, are in which official part."""
    parts = [""] * num_cases
    for name, part in _SPLIT_OF_PREFIX.items():
        path = folder / f"{name}_indexes.csv"
        issues.add_warning(
            "official parts that are not there",
            [] if path.is_file() else [path.name],
            hint="Fetch them to train and compare as others do.",
        )
        for text in read_table(path).iloc[:, -1] if path.is_file() else ():
            row = int(text) if text.isdecimal() else num_cases
            if row < num_cases and not parts[row]:
                parts[row] = part
            else:
                issues.add_error(
                    "rows of no case, or in two parts",
                    [f"{path.name}: {text}"],
                    hint="Fetch the files again.",
                )
    return parts


def _locate_images(folder: Path, file_names: dict[str, str]) -> ImageIndex:
    """Find each dermoscopic image by its path, whatever the case in which it was unpacked."""
    there = {str(path.relative_to(folder)).casefold(): path for path in folder.rglob("*") if path.is_file()}
    named = {name: Path(path).as_posix().casefold() for name, path in file_names.items()}
    return ImageIndex({name: there[path] for name, path in named.items() if path in there}, (folder,))


DERM7PT_READER = DatasetReader(
    title="derm7pt",
    read=read_derm7pt,
    detect=detect_derm7pt,
    license="for research, by agreement with its authors",
    citation="Kawahara et al. 2019, Seven-point checklist and skin lesion classification, "
    "J. Biomed. Health Inform. 23:538",
    url="https://derm.cs.sfu.ca",
    expected={"": 987},
)
