"""derm7pt, the seven-point criteria data set, in six of the seven classes of HAM10000.

Kawahara, Daneshvar, Argenziano & Hamarneh 2019, J. Biomed. Health Inform. 23:538. The classes are those of
Gessert et al. 2020, Table I (there "SPC"): MEL 252, NV 575, BCC 42, BKL 69, DF 20, VASC 29, no AKIEC. Its 69 BKL
are the 45 seborrheic keratoses and 24 lentigines, its 252 MEL include 4 metastases; 16 cases of melanosis and 8
of miscellaneous, which HAM10000 does not know, make up the 1,011.
"""

from pathlib import Path

import pandas as pd

from lesionlens.data.assemble import Draft
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.layout import Found, short_names
from lesionlens.data.problems import Problems
from lesionlens.data.sheet import read_sheet
from lesionlens.data.taxonomy import ISIC2018_CLASSES
from lesionlens.errors import DataError

CLASSES = tuple(name for name in ISIC2018_CLASSES if name != "actinic_keratosis")
_MELANOMAS = (
    "melanoma",
    "melanoma (in situ)",
    "melanoma (less than 0.76 mm)",
    "melanoma (0.76 to 1.5 mm)",
    "melanoma (more than 1.5 mm)",
    "melanoma metastasis",
)
_NEVI = ("blue", "clark", "combined", "congenital", "dermal", "recurrent", "reed or spitz")
_CLASS_OF = {
    **dict.fromkeys(_MELANOMAS, "melanoma"),
    **{f"{kind} nevus": "nevus" for kind in _NEVI},
    "basal cell carcinoma": "basal_cell_carcinoma",
    "seborrheic keratosis": "benign_keratosis",
    "lentigo": "benign_keratosis",
    "dermatofibroma": "dermatofibroma",
    "vascular lesion": "vascular_lesion",
}
_NO_CLASS = ("melanosis", "miscellaneous")
_PARTS = {"train": "train", "valid": "validation", "test": "test"}


def read(root: Path, problems: Problems) -> Draft:
    """Read the dermoscopic image of each case; cases of no class are left out with a warning.

    Raises
    ------
    DataError
        The metadata is not there or not what its authors published.
    """
    base = _base(root)
    if base is None:
        raise DataError(
            f"{root} is not derm7pt: there is no meta/train_indexes.csv, nor release_v0/meta/train_indexes.csv"
        )
    path = base / "meta" / "meta.csv"
    sheet = read_sheet(path)
    lacking = [name for name in ("diagnosis", "derm") if name not in sheet]
    if lacking:
        raise DataError(f"{path} lacks the column {lacking[0]!r}; it has {', '.join(sheet.columns)}")
    rows = sheet.rename(columns={"case_num": "lesion_id", "location": "site"})
    rows["image_id"] = short_names(sheet["derm"])
    rows["part"] = _parts(base / "meta", len(sheet), problems)
    rows["diagnosis"] = _classes(rows, problems)
    kept = [name for name in ("image_id", "diagnosis", "lesion_id", "sex", "site", "part") if name in rows]
    classed = ~sheet["diagnosis"].isin(_NO_CLASS)
    found = _images(base / "images", dict(zip(rows["image_id"], sheet["derm"], strict=True)))
    return Draft(rows.loc[classed, kept], found, CLASSES, {}, strays=False)  # clinical images lie beside


def recognise(root: Path) -> bool:
    """Tell whether the metadata is there, and is this data set's."""
    return _base(root) is not None


def _base(root: Path) -> Path | None:
    folders = (root, root / "release_v0")
    return next((base for base in folders if (base / "meta" / "train_indexes.csv").is_file()), None)


def _classes(rows: pd.DataFrame, problems: Problems) -> pd.Series:
    labels = rows["diagnosis"]
    named = rows["image_id"] + " " + labels
    problems.leave_out(
        "cases of none of the seven classes",
        rows["image_id"][labels.isin(_NO_CLASS)],
        reason=f"of none of the seven classes ({', '.join(sorted(_NO_CLASS))})",
    )
    strangers = ~labels.isin([*_CLASS_OF, *_NO_CLASS])
    problems.error(
        "labels that are not known", named[strangers], do="Fetch the official meta/meta.csv again."
    )
    return labels.map(lambda label: _CLASS_OF.get(label, ""))


def _parts(folder: Path, cases: int, problems: Problems) -> list[str]:
    """Read which rows of the metadata, counted from 0, are in which official part."""
    parts = [""] * cases
    for name, part in _PARTS.items():
        path = folder / f"{name}_indexes.csv"
        problems.warn(
            "official parts that are not there",
            [] if path.is_file() else [path.name],
            do="Fetch them to train and compare as others do.",
        )
        for text in read_sheet(path).iloc[:, -1] if path.is_file() else ():
            row = int(text) if text.isdecimal() else cases
            if row < cases and not parts[row]:
                parts[row] = part
            else:
                problems.error(
                    "rows of no case, or in two parts", [f"{path.name}: {text}"], do="Fetch the files again."
                )
    return parts


def _images(folder: Path, written: dict[str, str]) -> Found:
    """Find each dermoscopic image by its path, whatever the case in which it was unpacked."""
    there = {str(path.relative_to(folder)).casefold(): path for path in folder.rglob("*") if path.is_file()}
    named = {name: Path(path).as_posix().casefold() for name, path in written.items()}
    return Found({name: there[path] for name, path in named.items() if path in there}, (folder,))


RECORD = DataSet(
    title="derm7pt",
    read=read,
    recognise=recognise,
    licence="for research, by agreement with its authors",
    citation="Kawahara et al. 2019, Seven-point checklist and skin lesion classification, "
    "J. Biomed. Health Inform. 23:538",
    url="https://derm.cs.sfu.ca",
    expected={"": 987},
)
