"""Ranges and probabilities of dermoscopic criteria by class.

The criteria follow the dermoscopy literature (pattern analysis, the ABCD rule, the seven-point checklist); the numbers
are chosen, not measured. With ``difficulty`` above 0, each criterion of a lesion may be sampled from a random class: at
0 the classes are distinct, at 1 they have the same distribution.
"""

from dataclasses import dataclass

import numpy as np

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.synthesis.structures import STRUCTURES

CLASS_CODES = ("mel", "nv", "bcc", "akiec", "bkl", "df", "vasc")

CRITERIA_RANGES: dict[str, dict[str, tuple[float, float]]] = {
    # melanin, blood, dermal_melanin: optical density; halo: redness around the lesion; radius: pixels in an image 450
    # high; others: 0 to 1
    "melanin": {
        "mel": (0.45, 1.7), "nv": (0.3, 1.2), "bcc": (0.0, 0.16), "akiec": (0.05, 0.4), "bkl": (0.25, 1.05),
        "df": (0.2, 0.5), "vasc": (0.0, 0.1),
    },
    "blood": {
        "mel": (0.0, 0.18), "nv": (0.0, 0.12), "bcc": (0.04, 0.26), "akiec": (0.02, 0.2), "bkl": (0.0, 0.08),
        "df": (0.0, 0.16), "vasc": (0.25, 0.5),
    },
    "dermal_melanin": {
        "mel": (0.0, 0.6), "nv": (0.0, 0.12), "bcc": (0.0, 0.2), "akiec": (0.0, 0.1), "bkl": (0.0, 0.5),
        "df": (0.0, 0.12), "vasc": (0.0, 0.2),
    },
    "halo": {
        "mel": (0.0, 0.12), "nv": (0.0, 0.1), "bcc": (0.0, 0.2), "akiec": (0.0, 0.16), "bkl": (0.0, 0.1),
        "df": (0.0, 0.25), "vasc": (0.0, 0.1),
    },
    "asymmetry": {
        "mel": (0.45, 1.0), "nv": (0.0, 0.4), "bcc": (0.2, 0.8), "akiec": (0.2, 0.8), "bkl": (0.1, 0.6),
        "df": (0.0, 0.25), "vasc": (0.0, 0.3),
    },
    "irregularity": {
        "mel": (0.4, 1.0), "nv": (0.05, 0.5), "bcc": (0.3, 0.9), "akiec": (0.4, 1.0), "bkl": (0.15, 0.6),
        "df": (0.1, 0.4), "vasc": (0.05, 0.3),
    },
    "softness": {
        "mel": (0.12, 0.5), "nv": (0.18, 0.6), "bcc": (0.4, 0.9), "akiec": (0.8, 1.3), "bkl": (0.06, 0.35),
        "df": (0.5, 0.95), "vasc": (0.04, 0.18),
    },
    "variegation": {
        "mel": (0.5, 1.0), "nv": (0.1, 0.5), "bcc": (0.4, 0.9), "akiec": (0.8, 1.1), "bkl": (0.2, 0.9),
        "df": (0.1, 0.4), "vasc": (0.1, 0.4),
    },
    "disorder": {
        "mel": (0.55, 1.0), "nv": (0.0, 0.35), "bcc": (0.3, 1.0), "akiec": (0.3, 1.0), "bkl": (0.2, 0.8),
        "df": (0.0, 0.3), "vasc": (0.0, 1.0),
    },
    "radius": {
        "mel": (85, 200), "nv": (45, 165), "bcc": (45, 150), "akiec": (80, 190), "bkl": (65, 195),
        "df": (50, 145), "vasc": (30, 120),
    },
}  # fmt: skip

STRUCTURE_PROBABILITY: dict[str, dict[str, float]] = {
    "pigment_network": {"mel": 0.55, "nv": 0.65, "bkl": 0.1, "df": 0.6, "akiec": 0.03, "bcc": 0.03},
    "globules": {"mel": 0.4, "nv": 0.35, "bkl": 0.05, "bcc": 0.08},
    "streaks": {"mel": 0.3, "nv": 0.04},
    "blotches": {"mel": 0.5, "nv": 0.25, "bkl": 0.12, "bcc": 0.05},
    "blue_white_veil": {"mel": 0.45, "nv": 0.02, "bcc": 0.12, "bkl": 0.06, "vasc": 0.05},
    "regression_structures": {"mel": 0.35, "nv": 0.03, "bkl": 0.1},
    "milia_like_cysts": {"bkl": 0.5, "bcc": 0.05, "mel": 0.04, "nv": 0.03},
    "comedo_like_openings": {"bkl": 0.5, "nv": 0.02},
    "fissures_and_ridges": {"bkl": 0.6, "akiec": 0.05},
    "surface_scale": {"akiec": 0.6, "bcc": 0.3, "bkl": 0.3, "mel": 0.03},
    "scar_like_area": {"df": 0.85, "bcc": 0.12, "mel": 0.05},
    "arborizing_vessels": {"bcc": 0.75, "mel": 0.04, "akiec": 0.06},
    "red_lacunae": {"vasc": 0.95},
    "strawberry_pattern": {"akiec": 0.6, "bkl": 0.04},
    "blue_gray_ovoid_nests": {"bcc": 0.65, "mel": 0.04},
    "ulceration": {"bcc": 0.35, "akiec": 0.15, "mel": 0.05},
}


@dataclass(frozen=True)
class LesionCriteria:
    """Dermoscopic criteria of one lesion, in the units of ``CRITERIA_RANGES``."""

    code: str
    melanin: float
    blood: float
    dermal_melanin: float
    halo: float
    asymmetry: float
    irregularity: float
    softness: float
    variegation: float
    disorder: float
    radius: float
    structures: tuple[str, ...]


def confusion_rate(difficulty: float) -> float:
    """Return the probability that a criterion is sampled from a random class: the cube of the difficulty."""
    return float(difficulty**3)


def sample_criteria(rng: np.random.Generator, code: str, *, difficulty: float) -> LesionCriteria:
    """Sample the criteria of a lesion of class ``code`` (``dx`` of HAM10000).

    Raises
    ------
    DataError
        An unknown class, or a difficulty outside 0 to 1.
    """
    if code not in CLASS_CODES:
        raise DataError(unknown_name_message("class", code, CLASS_CODES))
    if not 0 <= difficulty <= 1:
        raise DataError(
            f"difficulty is {difficulty}; allowed is 0 (distinct classes) to 1 (indistinguishable classes)."
        )
    rate = confusion_rate(difficulty)

    def source_class() -> str:
        return str(rng.choice(CLASS_CODES)) if rng.random() < rate else code

    values = {name: float(rng.uniform(*row[source_class()])) for name, row in CRITERIA_RANGES.items()}
    present = [
        name for name in STRUCTURES if rng.random() < STRUCTURE_PROBABILITY[name].get(source_class(), 0.0)
    ]
    return LesionCriteria(code=code, structures=tuple(present), **values)
