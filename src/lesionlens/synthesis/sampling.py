"""Sample a synthetic dataset without its pixels: lesions, patients and capture parameters."""

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
FIRST_IMAGE_NUMBER = 9_000_001  # far above all identifiers in the ISIC archive
BLOCK_SIZE = 100
# HAM10000 has 67 % nevi; these weights are flatter, so that a small dataset has every class.
DEFAULT_CLASS_WEIGHTS: dict[str, float] = {
    "mel": 0.16,
    "nv": 0.36,
    "bcc": 0.12,
    "akiec": 0.09,
    "bkl": 0.15,
    "df": 0.06,
    "vasc": 0.06,
}
# fractions of lesions with one, two, three and four images, as in HAM10000
_IMAGES_PER_LESION_PROBABILITIES = (0.74, 0.18, 0.05, 0.03)
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
    """Metadata of one lesion and its patient; an unknown age is empty."""

    confirmation: str
    age: str
    sex: str
    site: str


@dataclass(frozen=True)
class LesionPlan:
    """One lesion of the dataset and the parameters of its images."""

    lesion_number: int
    first_image_index: int
    lesion: Lesion
    patient: Patient
    captures: tuple[CaptureParams, ...]

    @property
    def image_ids(self) -> list[str]:
        """Identifier of each image."""
        first = FIRST_IMAGE_NUMBER + self.first_image_index
        return [f"ISIC_{first + number}" for number in range(len(self.captures))]


def sample_dataset(
    num_images: int,
    *,
    seed: int = 0,
    difficulty: float = 0.5,
    artifacts: ArtifactRates | None = None,
    class_weights: Mapping[str, float] | None = None,
) -> list[LesionPlan]:
    """Sample the lesions of a dataset; a shorter dataset is the beginning of a longer one with the same seed."""
    if num_images < 1:
        raise DataError(f"the number of images is {num_images}; allowed is one or more.")
    weights, rates = normalize_class_weights(class_weights), artifacts or ArtifactRates()
    plans: list[LesionPlan] = []
    num_sampled = 0
    for number, code in _class_codes(seed, weights):
        if num_sampled >= num_images:
            break
        rng = _rng(seed, number, 0)
        num_images_of_lesion = min(
            1 + int(rng.choice(len(_IMAGES_PER_LESION_PROBABILITIES), p=_IMAGES_PER_LESION_PROBABILITIES)),
            num_images - num_sampled,
        )
        lesion, patient = sample_lesion(rng, code, difficulty=difficulty), sample_patient(rng, code)
        captures = tuple(
            sample_capture_params(_rng(seed, number, 1 + j), code, rates) for j in range(num_images_of_lesion)
        )
        plans.append(LesionPlan(number, num_sampled, lesion, patient, captures))
        num_sampled += num_images_of_lesion
    return plans


def render_images(plan: LesionPlan, size: ImageSize) -> Iterator[RenderedImage]:
    """Render the images of one lesion."""
    rendered_lesion = render_lesion(plan.lesion, scale=size[0] / 450)
    for capture in plan.captures:
        yield render_image(capture, plan.lesion, size, rendered_lesion=rendered_lesion)


def sample_patient(rng: np.random.Generator, code: str) -> Patient:
    """Sample the patient of a lesion of class ``code``; ages are rounded to five years as in HAM10000."""
    age = float(np.clip(5 * round(rng.normal(*_AGE_DISTRIBUTIONS[code]) / 5), 5, 85))
    site_weights = np.array(_SITE_WEIGHTS[code], float)
    return Patient(
        confirmation=str(
            rng.choice(
                list(_CONFIRMATION_PROBABILITIES[code]), p=list(_CONFIRMATION_PROBABILITIES[code].values())
            )
        ),
        age="" if rng.random() < 0.006 else f"{age:.1f}",
        sex=str(rng.choice(["male", "female", "unknown"], p=[0.535, 0.455, 0.01])),
        site=str(rng.choice(_SITES, p=site_weights / site_weights.sum())),
    )


def normalize_class_weights(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Return class weights that sum to 1; None: ``DEFAULT_CLASS_WEIGHTS``.

    Raises
    ------
    DataError
        An unknown class, a negative weight, or no weight above zero.
    """
    weights = dict(DEFAULT_CLASS_WEIGHTS if weights is None else weights)
    for code, weight in weights.items():
        if code not in CLASS_CODES:
            raise DataError(unknown_name_message("class", code, CLASS_CODES))
        if not 0 <= weight < float("inf"):
            raise DataError(
                f"the weight of {code} is {weight}; allowed is zero or more, a relative frequency."
            )
    total = sum(weights.values())
    if total <= 0:
        raise DataError("every class weight is zero; set at least one class weight above zero.")
    return {code: weights.get(code, 0.0) / total for code in CLASS_CODES}


def sample_class_block(rng: np.random.Generator, weights: Mapping[str, float]) -> list[str]:
    """Sample the classes of ``BLOCK_SIZE`` lesions, each class spread evenly over the block."""
    keyed = []
    for code, weight in weights.items():
        count = max(1, round(weight * BLOCK_SIZE)) if weight > 0 else 0
        keyed += [((number + rng.random()) / count, code) for number in range(count)]
    return [code for _, code in sorted(keyed)][:BLOCK_SIZE]


def _class_codes(seed: int, weights: Mapping[str, float]) -> Iterator[tuple[int, str]]:
    for block in count():
        # The fourth entropy word separates these draws from those of any lesion.
        codes = sample_class_block(
            np.random.default_rng(np.random.SeedSequence([seed, block, 0, 1])), weights
        )
        yield from ((block * BLOCK_SIZE + number, code) for number, code in enumerate(codes))


def _rng(seed: int, lesion_number: int, image_number: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, lesion_number, image_number]))
