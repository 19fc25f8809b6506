"""Everything about a synthetic set except its pixels: which lesions, of whom, photographed how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np

from lesionlens.errors import DataError
from lesionlens.synthesis.artefacts import ArtifactRates
from lesionlens.synthesis.image import CaptureParams, RenderedImage, sample_capture_params, render_image
from lesionlens.synthesis.lesion import Lesion, sample_lesion, render_lesion
from lesionlens.synthesis.metadata import BLOCK_SIZE, FIRST_IMAGE_NUMBER, Patient, normalize_class_weights, sample_class_block, sample_patient
from lesionlens.synthesis.noise import ImageSize

_IMAGES_PER_LESION_PROBABILITIES = (0.74, 0.18, 0.05, 0.03)  # lesions with one, two, three, four images, as in HAM10000


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
        shots = min(1 + int(rng.choice(len(_IMAGES_PER_LESION_PROBABILITIES), p=_IMAGES_PER_LESION_PROBABILITIES)), num_images - done)
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
