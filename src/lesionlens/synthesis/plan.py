"""Everything about a synthetic set except its pixels: which lesions, of whom, photographed how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count

import numpy as np

from lesionlens.errors import DataError
from lesionlens.synthesis.artefacts import ArtefactRates
from lesionlens.synthesis.image import Photograph, Picture, draw_photograph, paint_photograph
from lesionlens.synthesis.lesion import Lesion, draw_lesion, paint_lesion
from lesionlens.synthesis.metadata import DECK, FIRST_IMAGE, Patient, check_weights, draw_deck, draw_patient
from lesionlens.synthesis.noise import Size

_SHOTS = (0.74, 0.18, 0.05, 0.03)  # lesions with one, two, three, four images, as in HAM10000


@dataclass(frozen=True)
class Plan:
    """One lesion of the set and the photographs taken of it."""

    number: int
    first_image: int
    lesion: Lesion
    patient: Patient
    photographs: tuple[Photograph, ...]

    @property
    def image_ids(self) -> list[str]:
        """Identifier of each photograph."""
        first = FIRST_IMAGE + self.first_image
        return [f"ISIC_{first + place}" for place in range(len(self.photographs))]


def plan(
    images: int,
    *,
    seed: int = 0,
    difficulty: float = 0.5,
    artefacts: ArtefactRates | None = None,
    class_weights: Mapping[str, float] | None = None,
) -> list[Plan]:
    """Draw everything about the set except its pixels; a shorter set is the beginning of a longer one."""
    if images < 1:
        raise DataError(f"images is {images}; allowed is one or more. Say how many images to draw.")
    weights, rates = check_weights(class_weights), artefacts or ArtefactRates()
    plans: list[Plan] = []
    done = 0
    for number, code in _codes(seed, weights):
        if done >= images:
            break
        rng = _rng(seed, number, 0)
        shots = min(1 + int(rng.choice(len(_SHOTS), p=_SHOTS)), images - done)
        lesion, patient = draw_lesion(rng, code, difficulty=difficulty), draw_patient(rng, code)
        taken = tuple(draw_photograph(_rng(seed, number, 1 + j), code, rates) for j in range(shots))
        plans.append(Plan(number, done, lesion, patient, taken))
        done += shots
    return plans


def pictures(entry: Plan, size: Size) -> Iterator[Picture]:
    """Paint the photographs of one lesion."""
    canvas = paint_lesion(entry.lesion, scale=size[0] / 450)
    for photograph in entry.photographs:
        yield paint_photograph(photograph, entry.lesion, size, canvas=canvas)


def _codes(seed: int, weights: Mapping[str, float]) -> Iterator[tuple[int, str]]:
    for deck in count():
        # a third entropy word no lesion number reaches
        cards = draw_deck(np.random.default_rng(np.random.SeedSequence([seed, deck, 0, 1])), weights)
        yield from ((deck * DECK + place, code) for place, code in enumerate(cards))


def _rng(seed: int, lesion: int, image: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, lesion, image]))
