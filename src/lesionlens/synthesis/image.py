"""One photograph of a lesion: view, skin, artefacts and camera."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.synthesis.artefacts import ArtefactRates, draw_artefacts
from lesionlens.synthesis.camera import Camera, draw_camera, light, shoot
from lesionlens.synthesis.lesion import Canvas, Lesion, paint_lesion
from lesionlens.synthesis.noise import Field, Mask, Size
from lesionlens.synthesis.overlays import OVERLAYS, covered
from lesionlens.synthesis.pigment import render
from lesionlens.synthesis.skin import paint_skin


@dataclass(frozen=True)
class Photograph:
    """How one photograph is taken; ``shift`` in image heights."""

    zoom: float
    turn: float
    mirror: bool
    shift: tuple[float, float]
    artefacts: tuple[str, ...]
    camera: Camera
    seed: int


class Picture(NamedTuple):
    """One finished picture with its truth."""

    rgb: npt.NDArray[np.uint8]
    """(h, w, 3)"""
    mask: Mask
    """(h, w), the lesion"""
    bits: npt.NDArray[np.uint16]
    """(h, w), structures, see `structures.BITS`"""
    covered: Mask
    """(h, w), where an artefact other than dark corners changed the picture"""


def draw_photograph(rng: np.random.Generator, code: str, rates: ArtefactRates) -> Photograph:
    """Draw a view of a lesion of class ``code``, its artefacts and the camera."""
    return Photograph(
        zoom=float(np.exp(rng.normal(0, 0.12))),
        turn=rng.uniform(0, 2 * np.pi),
        mirror=bool(rng.random() < 0.5),
        shift=(
            float(np.clip(rng.normal(0, 0.06), -0.2, 0.2)),
            float(np.clip(rng.normal(0, 0.05), -0.15, 0.15)),
        ),
        artefacts=draw_artefacts(rng, code, rates),
        camera=draw_camera(rng),
        seed=int(rng.integers(2**32)),
    )


def paint_photograph(
    photograph: Photograph, lesion: Lesion, size: Size, *, canvas: Canvas | None = None
) -> Picture:
    """Paint one photograph of ``size`` (h, w); give ``canvas`` to paint a lesion's body only once."""
    scale = size[0] / 450
    canvas = canvas or paint_lesion(lesion, scale=scale)
    rng = np.random.default_rng(photograph.seed)
    pigments = paint_skin(lesion.skin, size, seed=int(rng.integers(2**32)), scale=scale)
    matrix = _view(photograph, canvas.mask.shape, size)
    h, w = size
    pigments += cv2.warpAffine(canvas.pigments, matrix, (w, h), flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(canvas.mask.astype(np.uint8), matrix, (w, h), flags=cv2.INTER_NEAREST) > 0
    bits = cv2.warpAffine(canvas.bits, matrix, (w, h), flags=cv2.INTER_NEAREST)
    colour = light(photograph.camera, _seen(lesion, pigments))
    bare, artefacts = colour.copy(), np.zeros(size, bool)
    for name, overlay in OVERLAYS.items():
        own = np.random.default_rng(rng.integers(2**32))
        if name == "dark_corners":  # the last: it is no thing upon the skin
            artefacts = covered(bare, colour)
        if name in photograph.artefacts:
            colour = overlay(colour, own, scale)
    return Picture(shoot(photograph.camera, colour, scale=scale), mask, bits.astype(np.uint16), artefacts)


def _seen(lesion: Lesion, pigments: Field) -> Field:
    return render(np.array(lesion.skin.base, np.float32), pigments, warmth=lesion.skin.warmth)


def _view(photograph: Photograph, canvas: tuple[int, ...], size: Size) -> npt.NDArray[np.float64]:
    """Affine map from the lesion's canvas to the picture."""
    c, s = photograph.zoom * np.cos(photograph.turn), photograph.zoom * np.sin(photograph.turn)
    turn = np.array([[c, -s], [s, c]])
    if photograph.mirror:
        turn[:, 0] *= -1
    target = np.array([size[1] / 2, size[0] / 2]) + np.array(photograph.shift) * size[0]
    offset = target - turn @ (np.array(canvas[::-1]) / 2)
    return np.concatenate([turn, offset[:, None]], 1)
