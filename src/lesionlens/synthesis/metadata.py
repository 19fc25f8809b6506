"""Rows of the official metadata table: plausible age, sex, site and way of confirmation by class."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lesionlens.errors import DataError, unknown_name_message
from lesionlens.synthesis.diagnoses import CLASS_CODES

HAM10000_COLUMNS = ("lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization")
FIRST_IMAGE_NUMBER = 9_000_001  # far above every identifier of the ISIC archive in use
BLOCK_SIZE = 100

# HAM10000 is 67 % nevi; flatter, so that a small set has every class
DEFAULT_CLASS_WEIGHTS: dict[str, float] = {
    "mel": 0.16,
    "nv": 0.36,
    "bcc": 0.12,
    "akiec": 0.09,
    "bkl": 0.15,
    "df": 0.06,
    "vasc": 0.06,
}

_AGE_DISTRIBUTIONS = {
    "mel": (61, 14),
    "nv": (44, 16),
    "bcc": (67, 13),
    "akiec": (67, 12),
    "bkl": (64, 13),
    "df": (52, 13),
    "vasc": (52, 19),
}
_CONFIRMATION_PROBABILITIES: dict[str, dict[str, float]] = {
    "mel": {"histo": 1.0},
    "nv": {"follow_up": 0.55, "histo": 0.37, "consensus": 0.08},
    "bcc": {"histo": 1.0},
    "akiec": {"histo": 1.0},
    "bkl": {"histo": 0.70, "consensus": 0.24, "confocal": 0.06},
    "df": {"histo": 0.48, "consensus": 0.52},
    "vasc": {"histo": 0.47, "consensus": 0.53},
}
_SITES = ("back", "lower extremity", "trunk", "upper extremity", "abdomen", "face", "chest", "foot", "neck",
          "scalp", "hand", "ear", "genital", "acral", "unknown")  # fmt: skip
_SITE_WEIGHTS: dict[str, tuple[int, ...]] = {
    "mel": (29, 15, 7, 19, 6, 10, 7, 2, 3, 2, 1, 1, 0, 1, 1),
    "nv": (22, 22, 18, 11, 13, 2, 4, 4, 2, 1, 1, 1, 1, 1, 2),
    "bcc": (38, 12, 3, 9, 4, 19, 8, 1, 5, 4, 1, 1, 0, 0, 1),
    "akiec": (14, 17, 3, 16, 2, 30, 7, 0, 4, 5, 6, 2, 0, 0, 1),
    "bkl": (24, 10, 5, 12, 5, 29, 6, 1, 3, 5, 2, 1, 0, 0, 2),
    "df": (8, 58, 2, 22, 3, 1, 3, 2, 1, 0, 1, 0, 0, 0, 1),
    "vasc": (15, 19, 17, 14, 13, 8, 8, 3, 2, 1, 1, 1, 0, 1, 2),
}


@dataclass(frozen=True)
class Patient:
    """What the table says about one lesion; an unknown age is empty."""

    confirmation: str
    age: str
    sex: str
    site: str


def sample_patient(rng: np.random.Generator, code: str) -> Patient:
    """Draw the person who has a lesion of class ``code``; ages are rounded to five years as in HAM10000."""
    age = float(np.clip(5 * round(rng.normal(*_AGE_DISTRIBUTIONS[code]) / 5), 5, 85))
    shares = np.array(_SITE_WEIGHTS[code], float)
    return Patient(
        confirmation=str(rng.choice(list(_CONFIRMATION_PROBABILITIES[code]), p=list(_CONFIRMATION_PROBABILITIES[code].values()))),
        age="" if rng.random() < 0.006 else f"{age:.1f}",
        sex=str(rng.choice(["male", "female", "unknown"], p=[0.535, 0.455, 0.01])),
        site=str(rng.choice(_SITES, p=shares / shares.sum())),
    )


def normalize_class_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Give normalised class weights, the default ones for None.

    Raises
    ------
    DataError
        A class that does not exist, a negative weight, or no weight above zero.
    """
    chosen = dict(DEFAULT_CLASS_WEIGHTS if weights is None else weights)
    for code, weight in chosen.items():
        if code not in CLASS_CODES:
            raise DataError(unknown_name_message("class", code, CLASS_CODES))
        if not 0 <= weight < float("inf"):
            raise DataError(
                f"the weight of {code} is {weight}; allowed is zero or more. Give a relative frequency."
            )
    total = sum(chosen.values())
    if total <= 0:
        raise DataError("every class weight is zero: give at least one class a weight above zero.")
    return {code: chosen.get(code, 0.0) / total for code in CLASS_CODES}


def sample_class_block(rng: np.random.Generator, weights: Mapping[str, float]) -> list[str]:
    """Classes of the next `DECK` lesions, each class spread evenly so that any stretch has them all."""
    cards = []
    for code, weight in weights.items():
        count = max(1, round(weight * BLOCK_SIZE)) if weight > 0 else 0
        cards += [((place + rng.random()) / count, code) for place in range(count)]
    return [code for _, code in sorted(cards)][:BLOCK_SIZE]
