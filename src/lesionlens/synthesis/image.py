"""One photograph of a lesion: view, skin, artefacts and camera."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.synthesis.artefacts import ArtifactRates, sample_artifacts
from lesionlens.synthesis.camera import Camera, sample_camera, apply_illumination, apply_camera
from lesionlens.synthesis.lesion import RenderedLesion, Lesion, render_lesion
from lesionlens.synthesis.noise import FloatField, BinaryMask, ImageSize
from lesionlens.synthesis.overlays import ARTIFACT_RENDERERS, visible_mask
from lesionlens.synthesis.pigment import render_pigments
from lesionlens.synthesis.skin import render_skin


@dataclass(frozen=True)
class CaptureParams:
    """How one photograph is taken; ``translation`` in image heights."""

    scale: float
    rotation: float
    mirrored: bool
    translation: tuple[float, float]
    artifacts: tuple[str, ...]
    camera: Camera
    seed: int


class RenderedImage(NamedTuple):
    """One finished picture with its truth."""

    rgb: npt.NDArray[np.uint8]
    """(h, w, 3)"""
    mask: BinaryMask
    """(h, w), the lesion"""
    structure_bits: npt.NDArray[np.uint16]
    """(h, w), structures, see `structures.BITS`"""
    artifact_mask: BinaryMask
    """(h, w), where an artefact other than dark corners changed the picture"""


def sample_capture_params(rng: np.random.Generator, code: str, rates: ArtifactRates) -> CaptureParams:
    """Draw a view of a lesion of class ``code``, its artefacts and the camera."""
    return CaptureParams(
        scale=float(np.exp(rng.normal(0, 0.12))),
        rotation=rng.uniform(0, 2 * np.pi),
        mirrored=bool(rng.random() < 0.5),
        translation=(
            float(np.clip(rng.normal(0, 0.06), -0.2, 0.2)),
            float(np.clip(rng.normal(0, 0.05), -0.15, 0.15)),
        ),
        artifacts=sample_artifacts(rng, code, rates),
        camera=sample_camera(rng),
        seed=int(rng.integers(2**32)),
    )


def render_image(
    params: CaptureParams, lesion: Lesion, size: ImageSize, *, rendered_lesion: RenderedLesion | None = None
) -> RenderedImage:
    """Paint one photograph of ``size`` (h, w); give ``rendered_lesion`` to paint a lesion's body only once."""
    scale = size[0] / 450
    rendered_lesion = rendered_lesion or render_lesion(lesion, scale=scale)
    rng = np.random.default_rng(params.seed)
    pigments = render_skin(lesion.skin, size, seed=int(rng.integers(2**32)), scale=scale)
    matrix = _canvas_to_image_matrix(params, rendered_lesion.mask.shape, size)
    h, w = size
    pigments += cv2.warpAffine(rendered_lesion.pigments, matrix, (w, h), flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(rendered_lesion.mask.astype(np.uint8), matrix, (w, h), flags=cv2.INTER_NEAREST) > 0
    bits = cv2.warpAffine(rendered_lesion.structure_bits, matrix, (w, h), flags=cv2.INTER_NEAREST)
    colour = apply_illumination(params.camera, _pigments_to_rgb(lesion, pigments))
    bare, artefacts = colour.copy(), np.zeros(size, bool)
    for name, overlay in ARTIFACT_RENDERERS.items():
        own = np.random.default_rng(rng.integers(2**32))
        if name == "dark_corners":  # the last: it is no thing upon the skin
            artefacts = visible_mask(bare, colour)
        if name in params.artifacts:
            colour = overlay(colour, own, scale)
    return RenderedImage(apply_camera(params.camera, colour, scale=scale), mask, bits.astype(np.uint16), artefacts)


def _pigments_to_rgb(lesion: Lesion, pigments: FloatField) -> FloatField:
    return render_pigments(np.array(lesion.skin.base_color, np.float32), pigments, warmth=lesion.skin.warmth)


def _canvas_to_image_matrix(params: CaptureParams, canvas_shape: tuple[int, ...], size: ImageSize) -> npt.NDArray[np.float64]:
    """Affine map from the lesion's canvas to the picture."""
    c, s = params.scale * np.cos(params.rotation), params.scale * np.sin(params.rotation)
    turn = np.array([[c, -s], [s, c]])
    if params.mirrored:
        turn[:, 0] *= -1
    target = np.array([size[1] / 2, size[0] / 2]) + np.array(params.translation) * size[0]
    offset = target - turn @ (np.array(canvas_shape[::-1]) / 2)
    return np.concatenate([turn, offset[:, None]], 1)
