"""Images that a model of dermoscopic images was not trained on, by kind: rendered, or made from a dermoscopic image.

Rendered kinds show no dermoscopy. Changed kinds keep the lesion of an image, and change how it was recorded by more
than the generator's own cameras vary. The sample images of scikit-image are read from its installation.
"""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.masks import ImageSize
from lesionlens.synthesis.pigment import render_pigments
from lesionlens.synthesis.procedural_noise import (
    FloatField,
    blur,
    fractal_noise,
    ridge_lines,
    smoothstep,
    voronoi_cells,
    white_noise,
)
from lesionlens.synthesis.skin import render_skin, sample_skin

RGBImage = npt.NDArray[np.uint8]

SKIMAGE_FILES = {
    "cat": ("chelsea.png",),
    "coffee": ("coffee.png",),
    "photographed_texture": ("brick.png", "grass.png", "gravel.png"),
    "photographed_text": ("page.png", "text.png"),
    "photographed_object": ("astronaut.png", "rocket.jpg", "motorcycle_left.png", "coins.png"),
}
_WORD_LETTERS = "abcdefghiklmnoprstuvw"


def render_unknown(kind: str, size: ImageSize, *, seed: int) -> RGBImage:
    """Render an image of a kind of ``RENDERED_KINDS``, (h, w, 3).

    Raises
    ------
    DataError
        The kind is unknown.
    """
    if kind not in RENDERED_KINDS:
        raise DataError(unknown_name_message("kind of image", kind, RENDERED_KINDS))
    return _to_bytes(RENDERED_KINDS[kind](np.random.default_rng(seed), size))


def change_dermoscopic(kind: str, image: RGBImage, *, seed: int) -> RGBImage:
    """Return an image (h, w, 3) as a kind of ``CHANGED_KINDS`` would have recorded it.

    Raises
    ------
    DataError
        The kind is unknown.
    """
    if kind not in CHANGED_KINDS:
        raise DataError(unknown_name_message("kind of change", kind, CHANGED_KINDS))
    light = np.asarray(image / 255, np.float32)
    return _to_bytes(CHANGED_KINDS[kind](np.random.default_rng(seed), light))


def crop_skimage_sample(kind: str, size: ImageSize, *, seed: int) -> RGBImage:
    """Return a random crop, flipped at random, of a sample image of scikit-image, (h, w, 3).

    Parameters
    ----------
    kind
        One of ``SKIMAGE_FILES``.

    Raises
    ------
    DataError
        The kind is unknown, or scikit-image or its file is not installed.
    """
    if kind not in SKIMAGE_FILES:
        raise DataError(unknown_name_message("kind of sample image", kind, SKIMAGE_FILES))
    rng = np.random.default_rng(seed)
    image = read_rgb(_skimage_folder() / str(rng.choice(SKIMAGE_FILES[kind])))
    h, w = image.shape[:2]
    scale = rng.uniform(0.5, 1) * min(h / size[0], w / size[1])
    height, width = int(size[0] * scale), int(size[1] * scale)
    top, left = rng.integers(h - height + 1), rng.integers(w - width + 1)
    crop = cv2.resize(
        image[top : top + height, left : left + width], size[::-1], interpolation=cv2.INTER_AREA
    )
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop)


def _skimage_folder() -> Path:
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise DataError(
            "The sample images are part of scikit-image, which is not installed: pip install scikit-image"
        )
    return Path(spec.origin).parent / "data"


def _to_bytes(image: npt.NDArray[np.floating[Any]]) -> RGBImage:
    return np.asarray(np.round(255 * np.clip(image, 0, 1)), np.uint8)


def _clinical(rng: np.random.Generator, size: ImageSize) -> FloatField:
    """Render an overview of a limb in front of a cloth, with a lesion of a few pixels and its shadow."""
    skin = sample_skin(rng, sun_damage=rng.uniform(0, 0.5))
    h, w = size
    pigments = render_skin(skin, size, seed=int(rng.integers(2**32)), scale=h / 1800)
    y, x = np.mgrid[:h, :w].astype(np.float32) / h
    angle = rng.uniform(0, np.pi)
    across = (x - w / h * rng.uniform(0.4, 0.6)) * np.cos(angle) + (y - rng.uniform(0.4, 0.6)) * np.sin(angle)
    half_width = rng.uniform(0.18, 0.4)
    radius = rng.uniform(0.008, 0.025)
    lesion_y, lesion_x = rng.uniform(0.3, 0.7), w / h * rng.uniform(0.3, 0.7)
    pigments[..., 0] += smoothstep(-radius, 0, -np.hypot(x - np.float32(lesion_x), y - np.float32(lesion_y)))
    limb = render_pigments(np.array(skin.base_color, np.float32), pigments, warmth=skin.warmth)
    round_shade = np.sqrt(np.clip(1 - np.square(across / half_width), 0, 1)) * 0.6 + 0.4
    cloth = rng.uniform(0.05, 0.8, 3).astype(np.float32) * (
        1 + 0.06 * fractal_noise(rng, size, scale=h / 8)[..., None]
    )
    inside = smoothstep(-half_width - 0.01, -half_width + 0.01, -np.abs(across))[..., None]
    return np.asarray(inside * limb * round_shade[..., None] + (1 - inside) * cloth, np.float32)


def _texture(rng: np.random.Generator, size: ImageSize) -> FloatField:
    """Render cells, veins or stripes in two random colors."""
    scale = size[0] * rng.uniform(0.03, 0.15)
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    angle = rng.uniform(0, np.pi)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * 2 * np.pi / scale)
    pattern = (
        voronoi_cells(rng, size, spacing=scale, jitter=rng.random()).edges,
        ridge_lines(rng, size, scale=scale, width=0.3),
        0.5 + 0.5 * wave,
    )[int(rng.integers(3))]
    return _mix(rng, np.clip(pattern, 0, 1) + 0.08 * white_noise(rng, size))


def _text(rng: np.random.Generator, size: ImageSize) -> FloatField:
    """Render lines of random words on paper."""
    page = np.full((*size, 3), rng.integers(205, 256), np.uint8)
    font = size[0] * rng.uniform(0.0012, 0.003)
    spacing = int(30 * font) + 2
    ink = (int(rng.integers(64)),) * 3
    for row in range(spacing, size[0], spacing):
        words = ("".join(rng.choice(list(_WORD_LETTERS), size=rng.integers(2, 9))) for _ in range(30))
        cv2.putText(
            page, " ".join(words), (4, row), cv2.FONT_HERSHEY_COMPLEX, font, ink, 1, lineType=cv2.LINE_AA
        )
    return np.asarray(page / 255, np.float32)


def _noise(rng: np.random.Generator, size: ImageSize) -> FloatField:
    return rng.random((*size, 3), dtype=np.float32)


def _empty_frame(rng: np.random.Generator, size: ImageSize) -> FloatField:
    """Render a frame of one random color with sensor noise."""
    color = rng.choice([rng.uniform(0, 0.08), rng.uniform(0.92, 1), rng.random()])
    return np.asarray(np.full((*size, 3), color) + 0.01 * white_noise(rng, size)[..., None], np.float32)


def _mix(rng: np.random.Generator, pattern: FloatField) -> FloatField:
    """Return a pattern in 0 to 1 between two random colors."""
    first, second = rng.random((2, 3), dtype=np.float32)
    return np.asarray(first + pattern[..., None] * (second - first), np.float32)


def _other_camera(rng: np.random.Generator, image: FloatField) -> FloatField:
    """Zoom, mix the color channels, change the tone curve and darken a round border."""
    h, w = image.shape[:2]
    zoom = cv2.getRotationMatrix2D((w / 2, h / 2), 0, float(rng.choice([0.6, 1.8])))
    zoomed = cv2.warpAffine(image, zoom, (w, h), borderMode=cv2.BORDER_REFLECT)
    mix = np.eye(3) + rng.uniform(-0.15, 0.15, (3, 3))
    toned = np.clip(cv2.transform(zoomed, mix), 0, 1) ** rng.choice([0.6, 1.6])
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j].astype(np.float32)
    return np.asarray(toned * (1 - 0.9 * smoothstep(0.75, 1.0, np.hypot(x, y)))[..., None], np.float32)


def _heavy_blur(rng: np.random.Generator, image: FloatField) -> FloatField:
    return blur(image, image.shape[0] * rng.uniform(0.03, 0.06))


def _wrong_white_balance(rng: np.random.Generator, image: FloatField) -> FloatField:
    """Multiply one channel by 0.35 to 0.6 and another by 1.2 to 1.5: green, blue or violet skin."""
    gains = np.array([rng.uniform(0.35, 0.6), rng.uniform(1.2, 1.5), 1.0], np.float32)
    return np.asarray(image * rng.permutation(gains), np.float32)


def _inverted(_rng: np.random.Generator, image: FloatField) -> FloatField:
    return 1 - image


def _broken_jpeg(rng: np.random.Generator, image: FloatField) -> FloatField:
    """Store the image at JPEG quality 1 to 4, and shift a band of rows as a damaged file does."""
    encoded = cv2.imencode(".jpg", _to_bytes(image), [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(1, 5))])[1]
    decoded = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.float32) / 255
    start = int(len(decoded) * rng.uniform(0.3, 0.7))
    decoded[start:] = np.roll(decoded[start:], int(rng.integers(8, image.shape[1] - 8)), axis=1)
    return np.asarray(decoded, np.float32)


RENDERED_KINDS: dict[str, Callable[[np.random.Generator, ImageSize], FloatField]] = {
    "clinical": _clinical,
    "texture": _texture,
    "text": _text,
    "noise": _noise,
    "empty_frame": _empty_frame,
}
CHANGED_KINDS: dict[str, Callable[[np.random.Generator, FloatField], FloatField]] = {
    "other_camera": _other_camera,
    "heavy_blur": _heavy_blur,
    "wrong_white_balance": _wrong_white_balance,
    "inverted": _inverted,
    "broken_jpeg": _broken_jpeg,
}
