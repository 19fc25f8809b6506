"""derm7pt: a table of cases by diagnosis, and which of them are in which part; six of the seven classes."""

import numpy as np

from lesionlens.synthesis.layouts.painted import Painted

WEIGHTS = {"mel": 0.24, "nv": 0.32, "bcc": 0.12, "bkl": 0.12, "df": 0.1, "vasc": 0.1}
LABELS = {
    "mel": "melanoma (in situ)",
    "nv": "clark nevus",
    "bcc": "basal cell carcinoma",
    "bkl": "seborrheic keratosis",
    "df": "dermatofibroma",
    "vasc": "vascular lesion",
}
SHARES = {"train": 0.45, "valid": 0.2, "test": 0.35}


def write(painted: Painted) -> None:
    """Name files as its authors did, without clinical images; several images of a lesion share its case number."""
    (painted.folder / "images").mkdir()
    (painted.folder / "meta").mkdir()
    painted.move_images(painted.rows, "images/SYN")
    rows = painted.rows.assign(derm="SYN/" + painted.rows["image_id"] + ".jpg")
    cases = rows[["lesion_id", "label", "sex", "localization", "derm"]].itertuples(index=False)
    painted.write("meta/meta.csv", ("case_num", "diagnosis", "sex", "location", "derm"), cases)
    for part in SHARES:
        places = np.flatnonzero(rows["part"] == part)
        painted.write(f"meta/{part}_indexes.csv", ("indexes",), ((place,) for place in places))
