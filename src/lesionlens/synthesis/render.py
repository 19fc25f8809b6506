"""Render one image of a lesion: view, skin, artifacts and camera."""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.imaging.masks import BinaryMask, ImageSize
from lesionlens.synthesis.artifacts import ARTIFACT_RENDERERS, ArtifactRates, sample_artifacts, visible_mask
from lesionlens.synthesis.lesion import Lesion, RenderedLesion, render_lesion
from lesionlens.synthesis.pigment import render_pigments
from lesionlens.synthesis.procedural_noise import FloatField, blur, smoothstep, white_noise
from lesionlens.synthesis.skin import render_skin

_WHITE_BALANCE_RANGES = (  # minimum and maximum gains of red, green and blue
    ((0.92, 0.91, 0.93), (0.99, 1.02, 1.08)),
    ((1.0, 0.78, 0.77), (1.06, 0.89, 0.92)),
    ((0.97, 0.86, 0.77), (1.03, 0.95, 0.87)),
)
_WHITE_BALANCE_PROBABILITIES = (0.65, 0.24, 0.11)
_HEADROOM = 0.8  # the tone curve distinguishes light up to 1 / 0.8


@dataclass(frozen=True)
class Camera:
    """Camera settings of one image.

    Attributes
    ----------
    gains
        White balance gains of red, green and blue.
    exposure, contrast, saturation
        Factors.
    blur_sigma
        Standard deviation of the blur in pixels of an image 450 high.
    noise_std
        Standard deviation of sensor noise in gray levels.
    vignette
        Loss of light in the corners, as a fraction.
    illumination_slope
        Slope of the illumination along x and y.
    jpeg_quality
        JPEG quality of the file.
    seed
        Random seed of the noise.
    """

    gains: tuple[float, float, float]
    exposure: float
    contrast: float
    saturation: float
    blur_sigma: float
    noise_std: float
    vignette: float
    illumination_slope: tuple[float, float]
    jpeg_quality: int
    seed: int


def sample_camera(rng: np.random.Generator) -> Camera:
    """Sample camera settings: most cameras are neutral to lilac, some pink, some orange."""
    low, high = _WHITE_BALANCE_RANGES[rng.choice(len(_WHITE_BALANCE_RANGES), p=_WHITE_BALANCE_PROBABILITIES)]
    return Camera(
        gains=tuple(float(g) for g in rng.uniform(low, high)),  # type: ignore[arg-type]  # of three channels
        exposure=rng.uniform(0.93, 1.11),
        contrast=rng.uniform(0.95, 1.25),
        saturation=rng.uniform(0.55, 1.15),
        blur_sigma=rng.choice([0.0, 0.5, 0.9, 1.5], p=[0.4, 0.35, 0.18, 0.07]),
        noise_std=rng.uniform(0.6, 2.4),
        vignette=rng.beta(1.5, 3) * 0.45,
        illumination_slope=(float(rng.normal(0, 0.045)), float(rng.normal(0, 0.045))),
        jpeg_quality=int(rng.integers(84, 95)),
        seed=int(rng.integers(2**32)),
    )


def apply_illumination(camera: Camera, image: FloatField) -> FloatField:
    """Apply uneven illumination to ``image``, (h, w, 3): a slope and a soft falloff towards the corners."""
    h, w = image.shape[:2]
    y = np.linspace(-1, 1, h, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None]
    fall = smoothstep(0.3, 2.56, x * x + y * y) * np.float32(camera.vignette)
    shade = (
        1 - fall + np.float32(camera.illumination_slope[0]) * x + np.float32(camera.illumination_slope[1]) * y
    )
    return np.asarray(cv2.multiply(image, cv2.merge([shade, shade, shade])), np.float32)


def apply_camera(camera: Camera, image: FloatField, *, scale: float) -> npt.NDArray[np.uint8]:
    """Convert light in 0 to 1, (h, w, 3), into the camera's 8-bit RGB image."""
    rng = np.random.default_rng(camera.seed)
    mix = np.float32(camera.saturation) * np.eye(3, dtype=np.float32)
    mix += np.float32(1 - camera.saturation) * np.array([0.3, 0.59, 0.11], np.float32)
    mix = mix * np.float32(camera.exposure * camera.contrast) @ np.diag(np.array(camera.gains, np.float32))
    offset = np.full((3, 1), 0.5 - 0.5 * camera.contrast, np.float32)
    image = np.asarray(
        cv2.transform(blur(image, camera.blur_sigma * scale), np.hstack([mix, offset])), np.float32
    )
    h, w = image.shape[:2]
    # Sensor noise is slightly wider than a pixel, because colors are interpolated.
    grain = blur(white_noise(rng, (h, w)), 0.6) * np.float32(camera.noise_std / 120)
    raw = cv2.convertScaleAbs(cv2.add(image, cv2.merge([grain, grain, grain])), alpha=_HEADROOM * 255)
    return np.asarray(cv2.LUT(raw, _TONE_LUT), np.uint8)


def _tone_curve() -> npt.NDArray[np.uint8]:
    """Return the camera's tone curve: a soft shoulder keeps bright skin from clipping flat; (256,)."""
    x = np.arange(256) / (255 * _HEADROOM)
    return np.round(255 * np.where(x > 0.8, 0.8 + 0.2 * np.tanh((x - 0.8) * 5), x)).astype(np.uint8)


_TONE_LUT = _tone_curve()


@dataclass(frozen=True)
class CaptureParams:
    """Parameters of one image of a lesion.

    Attributes
    ----------
    scale, rotation, mirrored, translation
        View of the lesion; rotation in radians, translation in image heights.
    artifacts
        Names of the artifacts.
    camera
        Camera settings.
    seed
        Random seed of skin and artifacts.
    """

    scale: float
    rotation: float
    mirrored: bool
    translation: tuple[float, float]
    artifacts: tuple[str, ...]
    camera: Camera
    seed: int


class RenderedImage(NamedTuple):
    """Rendered image with its ground truth.

    Attributes
    ----------
    rgb
        Image, (h, w, 3).
    mask
        Lesion mask, (h, w).
    structure_bits
        Bit mask of the structures, (h, w), see ``STRUCTURE_BITS``.
    artifact_mask
        Whether an artifact other than dark corners visibly changed each pixel, (h, w).
    """

    rgb: npt.NDArray[np.uint8]
    mask: BinaryMask
    structure_bits: npt.NDArray[np.uint16]
    artifact_mask: BinaryMask


def sample_capture_params(rng: np.random.Generator, code: str, rates: ArtifactRates) -> CaptureParams:
    """Sample the view of a lesion of class ``code``, the artifacts and the camera."""
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
    """Render one image of ``size`` (h, w); pass ``rendered_lesion`` to render a lesion only once for several images."""
    scale = size[0] / 450
    rendered_lesion = rendered_lesion or render_lesion(lesion, scale=scale)
    rng = np.random.default_rng(params.seed)
    pigments = render_skin(lesion.skin, size, seed=int(rng.integers(2**32)), scale=scale)
    matrix = _canvas_to_image_matrix(params, rendered_lesion.mask.shape, size)
    h, w = size
    pigments += cv2.warpAffine(rendered_lesion.pigments, matrix, (w, h), flags=cv2.INTER_LINEAR)
    mask = cv2.warpAffine(rendered_lesion.mask.astype(np.uint8), matrix, (w, h), flags=cv2.INTER_NEAREST) > 0
    bits = cv2.warpAffine(rendered_lesion.structure_bits, matrix, (w, h), flags=cv2.INTER_NEAREST)
    rgb = apply_illumination(params.camera, _pigments_to_rgb(lesion, pigments))
    bare, artifacts = rgb.copy(), np.zeros(size, bool)
    for name, render_artifact in ARTIFACT_RENDERERS.items():
        artifact_rng = np.random.default_rng(rng.integers(2**32))
        if name == "dark_corners":  # the last one; not an object on the skin
            artifacts = visible_mask(bare, rgb)
        if name in params.artifacts:
            rgb = render_artifact(rgb, artifact_rng, scale)
    return RenderedImage(
        apply_camera(params.camera, rgb, scale=scale), mask, bits.astype(np.uint16), artifacts
    )


def _pigments_to_rgb(lesion: Lesion, pigments: FloatField) -> FloatField:
    return render_pigments(np.array(lesion.skin.base_color, np.float32), pigments, warmth=lesion.skin.warmth)


def _canvas_to_image_matrix(
    params: CaptureParams, canvas_shape: tuple[int, ...], size: ImageSize
) -> npt.NDArray[np.float64]:
    """Return the affine matrix from the lesion's canvas to the image."""
    c, s = params.scale * np.cos(params.rotation), params.scale * np.sin(params.rotation)
    linear = np.array([[c, -s], [s, c]])
    if params.mirrored:
        linear[:, 0] *= -1
    target = np.array([size[1] / 2, size[0] / 2]) + np.array(params.translation) * size[0]
    offset = target - linear @ (np.array(canvas_shape[::-1]) / 2)
    return np.concatenate([linear, offset[:, None]], 1)
