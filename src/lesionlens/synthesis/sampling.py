"""Everything about a synthetic set except its pixels: which lesions, of whom, photographed how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.imaging.masks import ImageSize
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.class_priors import CLASS_CODES
from lesionlens.synthesis.lesion import Lesion, render_lesion, sample_lesion
from lesionlens.synthesis.render import CaptureParams, RenderedImage, render_image, sample_capture_params

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
        confirmation=str(
            rng.choice(
                list(_CONFIRMATION_PROBABILITIES[code]), p=list(_CONFIRMATION_PROBABILITIES[code].values())
            )
        ),
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
    """Classes of the next `BLOCK_SIZE` lesions, each class spread evenly so that any stretch has them all."""
    cards = []
    for code, weight in weights.items():
        count = max(1, round(weight * BLOCK_SIZE)) if weight > 0 else 0
        cards += [((place + rng.random()) / count, code) for place in range(count)]
    return [code for _, code in sorted(cards)][:BLOCK_SIZE]


# lesions with one, two, three, four images, as in HAM10000
_IMAGES_PER_LESION_PROBABILITIES = (0.74, 0.18, 0.05, 0.03)


@dataclass(frozen=True)
class LesionPlan:
    """One lesion of the set and the photographs taken of it."""

    lesion_number: int
    first_image_index: int
    lesion: Lesion
    patient: Patient
    captures: tuple[CaptureParams, ...]

    @property
    def image_ids(self) -> list[str]:
        """Identifier of each photograph."""
        first = FIRST_IMAGE_NUMBER + self.first_image_index
        return [f"ISIC_{first + place}" for place in range(len(self.captures))]


def sample_dataset(
    num_images: int,
    *,
    seed: int = 0,
    difficulty: float = 0.5,
    artifacts: ArtifactRates | None = None,
    class_weights: Mapping[str, float] | None = None,
) -> list[LesionPlan]:
    """Draw everything about the set except its pixels; a shorter set is the beginning of a longer one."""
    if num_images < 1:
        raise DataError(f"images is {num_images}; allowed is one or more. Say how many images to draw.")
    weights, rates = normalize_class_weights(class_weights), artifacts or ArtifactRates()
    plans: list[LesionPlan] = []
    done = 0
    for number, code in _class_codes(seed, weights):
        if done >= num_images:
            break
        rng = _rng(seed, number, 0)
        shots = min(
            1 + int(rng.choice(len(_IMAGES_PER_LESION_PROBABILITIES), p=_IMAGES_PER_LESION_PROBABILITIES)),
            num_images - done,
        )
        lesion, patient = sample_lesion(rng, code, difficulty=difficulty), sample_patient(rng, code)
        taken = tuple(sample_capture_params(_rng(seed, number, 1 + j), code, rates) for j in range(shots))
        plans.append(LesionPlan(number, done, lesion, patient, taken))
        done += shots
    return plans


def render_images(plan: LesionPlan, size: ImageSize) -> Iterator[RenderedImage]:
    """Paint the photographs of one lesion."""
    canvas = render_lesion(plan.lesion, scale=size[0] / 450)
    for photograph in plan.captures:
        yield render_image(photograph, plan.lesion, size, rendered_lesion=canvas)


def _class_codes(seed: int, weights: Mapping[str, float]) -> Iterator[tuple[int, str]]:
    for deck in count():
        # a third entropy word no lesion number reaches
        cards = sample_class_block(np.random.default_rng(np.random.SeedSequence([seed, deck, 0, 1])), weights)
        yield from ((deck * BLOCK_SIZE + place, code) for place, code in enumerate(cards))


def _rng(seed: int, lesion_number: int, image_number: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, lesion_number, image_number]))
