"""derm7pt: a table of cases by diagnosis, and which of them are in which part; six of the seven classes."""

import numpy as np

from lesionlens.synthesis.layouts.painted import GeneratedDataset

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
        places = np.flatnonzero(rows["part"] == part)
        dataset.write_csv(f"meta/{part}_indexes.csv", ("indexes",), ((place,) for place in places))
