"""Artifacts of dermoscopic images: renderers and frequencies of hair, ruler, gel bubbles, ink and others."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.imaging.masks import BinaryMask, ImageSize
from lesionlens.synthesis.class_priors import CLASS_CODES
from lesionlens.synthesis.pigment import alpha_blend
from lesionlens.synthesis.procedural_noise import (
    DrawSurface,
    FloatField,
    blur,
    fractal_noise,
    random_walk_path,
    smoothstep,
)

ARTIFACTS = ("hair", "ruler", "gel_bubbles", "ink_markings", "color_patch", "dark_corners")
INJECTABLE = ("ruler", "color_patch", "ink_markings", "hair", "gel_bubbles")
VISIBLE_DELTA = 0.04  # fraction of full scale (ten gray levels); less is hardly visible on skin
_BASE_RATES = {
    "hair": 0.45,
    "ruler": 0.10,
    "gel_bubbles": 0.14,
    "ink_markings": 0.04,
    "color_patch": 0.03,
    "dark_corners": 0.12,
}
_FINE_ARTIFACTS = ("ruler", "hair", "gel_bubbles")
_REFERENCE_HEIGHT = 450  # image height in pixels for which artifacts are designed
_MIN_FINE_SCALE = 0.6  # minimum scale of fine artifacts: thinner lines would vanish in small images
_MAX_TRIES = 10
ArtifactRenderer = Callable[[FloatField, np.random.Generator, float], FloatField]
"""Function of an image (h, w, 3) in 0 to 1, a random generator and the scale (image height / 450)."""


@dataclass(frozen=True)
class ArtifactRates:
    """Probability of each artifact, 0 to 1; a rate by class replaces the base rate for that class.

    Examples
    --------
    >>> rates = ArtifactRates(by_class={"ruler": {"mel": 0.9}})
    >>> rates.rate("ruler", "mel"), rates.rate("ruler", "nv")
    (0.9, 0.1)
    """

    hair: float = _BASE_RATES["hair"]
    ruler: float = _BASE_RATES["ruler"]
    gel_bubbles: float = _BASE_RATES["gel_bubbles"]
    ink_markings: float = _BASE_RATES["ink_markings"]
    color_patch: float = _BASE_RATES["color_patch"]
    dark_corners: float = _BASE_RATES["dark_corners"]
    by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Artifact -> class code -> rate."""

    def __post_init__(self) -> None:
        """Raise an error for unknown names and rates outside 0 to 1."""
        rates = {name: getattr(self, name) for name in ARTIFACTS}
        for artifact, row in self.by_class.items():
            if artifact not in ARTIFACTS:
                raise DataError(unknown_name_message("artifact", artifact, ARTIFACTS))
            for code in row:
                if code not in CLASS_CODES:
                    raise DataError(unknown_name_message("class", code, CLASS_CODES))
            rates |= {f"{artifact} of {code}": rate for code, rate in row.items()}
        for name, rate in rates.items():
            if not 0 <= rate <= 1:
                raise DataError(
                    f"the rate of {name} is {rate}; allowed is 0 to 1. Use a fraction of the images."
                )

    def rate(self, artifact: str, code: str) -> float:
        """Return the fraction of images of class ``code`` that show ``artifact``."""
        return float(self.by_class.get(artifact, {}).get(code, getattr(self, artifact)))

    def excluding(self, names: Iterable[str]) -> "ArtifactRates":
        """Return these rates with the rates of some artifacts set to 0."""
        zero_rates = {name: dict.fromkeys(CLASS_CODES, 0.0) for name in names}
        return replace(self, by_class={**self.by_class, **zero_rates})


def sample_artifacts(rng: np.random.Generator, code: str, rates: ArtifactRates) -> tuple[str, ...]:
    """Sample the artifacts of one image of class ``code``."""
    values = rng.random(len(ARTIFACTS))
    return tuple(
        name for name, value in zip(ARTIFACTS, values, strict=True) if value < rates.rate(name, code)
    )


def overlay_artifact(
    rgb: npt.NDArray[np.uint8], artifact: str, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], BinaryMask]:
    """Render an artifact on an image (h, w, 3); return the image and the mask of visible changes, (h, w).

    An artifact that misses the image is sampled again. The mask is empty if it is not visible, as on a black image.
    """
    before = rgb.astype(np.float32) / np.float32(255)
    scale = min(rgb.shape[:2]) / _REFERENCE_HEIGHT
    scale = max(_MIN_FINE_SCALE, scale) if artifact in _FINE_ARTIFACTS else scale
    for _ in range(_MAX_TRIES):
        after = ARTIFACT_RENDERERS[artifact](before.copy(), rng, scale).clip(0, 1)
        if (mask := visible_mask(before, after)).any():
            break
    return np.asarray(np.round(after * 255), np.uint8), mask


def visible_mask(before: FloatField, after: FloatField) -> BinaryMask:
    """Return where some channel changed by more than ``VISIBLE_DELTA``, (h, w)."""
    return np.asarray((np.abs(after - before) > VISIBLE_DELTA).any(axis=2))


def render_hair(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Render hairs: thin, curved, tapered strokes, mostly dark, sometimes fair."""
    size = _image_size(image)
    dark, fair = DrawSurface(size), DrawSurface(size)
    count = 1 + int(rng.gamma(1.1, 9))
    mean_direction, spread = rng.uniform(0, 2 * np.pi), rng.choice([0.25, 0.7, 2.0])
    all_fair, width = rng.random() < 0.15, rng.uniform(0.8, 1.9)
    for _ in range(count):
        start = (rng.uniform(-0.1, 1.1) * size[1], rng.uniform(-0.1, 1.1) * size[0])
        length = rng.gamma(4, 85) * scale
        bend = rng.normal(0, 0.035)
        direction = mean_direction + rng.normal(0, spread)
        path = random_walk_path(rng, start, direction=direction, length=length, curvature=0.022, num_steps=18)
        surface = fair if all_fair or rng.random() < 0.12 else dark
        hair_width = max(0.8, width * rng.uniform(0.6, 1.2) * scale)
        surface.draw_tapered_line(_bend(path, bend), width=hair_width, strength=rng.uniform(0.4, 0.9))
    dark_color = np.array([0.24, 0.16, 0.14], np.float32) * np.float32(rng.uniform(0.5, 1.6))
    fair_color = np.array([0.96, 0.9, 0.84], np.float32)
    image = _blend_over(image, blur(dark.to_float(), 0.6 * scale), dark_color)
    return _blend_over(image, 0.55 * blur(fair.to_float(), 0.6 * scale), fair_color)


def render_ruler(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Render a millimeter ruler with numbers along one side."""
    h, w = _image_size(image)
    surface, spacing = DrawSurface((h, w)), rng.uniform(9, 17) * scale
    vertical, margin = rng.random() < 0.5, rng.uniform(3, 26) * scale
    far_side, length = rng.random() < 0.5, h if vertical else w
    origin = rng.uniform(0, 10) * spacing
    for tick in range(int(length / spacing) + 1):
        position = origin % spacing + tick * spacing
        number = tick + int(origin // spacing)
        tick_length = (17 if number % 10 == 0 else 12 if number % 5 == 0 else 8) * scale
        edge = (w if vertical else h) - margin if far_side else margin
        ends = np.array([[edge, position], [edge + (-tick_length if far_side else tick_length), position]])
        surface.draw_line(ends if vertical else ends[:, ::-1], width=1.3 * scale)
        if number % 10 == 0:
            corner = ends[1] + (np.array([-16 if far_side else 4, 5]) * scale)
            x, y = (
                corner if vertical else corner[::-1] + np.array([-4, 8 if not far_side else -2]) * scale
            ).round()
            cv2.putText(
                surface.pixels, str(number // 10), (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX, 0.45 * scale, 255,
                1, cv2.LINE_AA,
            )  # fmt: skip
    ink = blur(surface.to_float(), 0.7 * scale) * np.float32(rng.uniform(0.6, 0.9))
    return _blend_over(image, ink, np.array([0.14, 0.13, 0.16], np.float32))


def render_gel_bubbles(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Render gel bubbles: fine rings, dark outside and bright inside, each with a highlight."""
    h, w = _image_size(image)
    light, shade, shine = DrawSurface((h, w)), DrawSurface((h, w)), DrawSurface((h, w))
    cluster = rng.uniform(0.1, 0.9, 2) * (w, h)
    for _ in range(1 + int(rng.gamma(1.3, 5))):
        x, y = np.clip(rng.normal(cluster, 0.25 * h), 2, (w - 2, h - 2))
        radius = (2 + rng.gamma(1.3, 5)) * scale
        angles = np.linspace(0, 2 * np.pi, 26)
        ring = np.stack([np.cos(angles), np.sin(angles) * rng.uniform(0.85, 1)], 1)
        shade.draw_line((x, y) + ring * (radius + 1.2 * scale), width=1.6 * scale, strength=0.7)
        light.draw_line((x, y) + ring * radius, width=1.2 * scale, strength=rng.uniform(0.4, 0.9))
        shine.draw_dots([(x - 0.4 * radius, y - 0.4 * radius, max(0.8, 0.16 * radius))])
    image = image * (1 - 0.22 * blur(shade.to_float(), 1.2 * scale)[..., None])
    glow = 0.5 * blur(light.to_float(), 0.7 * scale) + 0.85 * blur(shine.to_float(), 0.6 * scale)
    return _blend_over(image, np.minimum(glow, 1), np.array([0.99, 0.96, 0.98], np.float32))


def render_ink_markings(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Render surgical marker ink: blue or violet strokes that soak into the skin's furrows."""
    h, w = _image_size(image)
    surface = DrawSurface((h, w))
    for _ in range(int(rng.integers(1, 4))):
        side = rng.integers(4)
        x, y = [(0.05, None), (0.95, None), (None, 0.06), (None, 0.94)][side]
        start = (w * (rng.random() if x is None else x), h * (rng.random() if y is None else y))
        path = random_walk_path(
            rng,
            start,
            direction=rng.uniform(0, 2 * np.pi),
            length=rng.uniform(80, 260) * scale,
            curvature=0.12,
            num_steps=9,
        )
        surface.draw_line(path, width=rng.uniform(9, 22) * scale)
    rough = fractal_noise(rng, (h, w), scale=9 * scale, octaves=3, gain=0.8)
    ink = (
        blur(surface.to_float(), 3 * scale) * smoothstep(-2.6, 0.2, rough) * np.float32(rng.uniform(0.5, 0.9))
    )
    tint = np.array([0.38, 0.36, 0.78], np.float32) + rng.normal(0, 0.05, 3).astype(np.float32)
    return np.asarray(image * (1 - ink[..., None] * (1 - tint)), np.float32)


def render_color_patch(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Render a round colored calibration sticker that extends beyond the image edge."""
    h, w = _image_size(image)
    surface, radius = DrawSurface((h, w)), rng.uniform(60, 130) * scale
    x = rng.choice([rng.uniform(-0.05, 0.08), rng.uniform(0.92, 1.05)]) * w
    surface.draw_dots([(x, rng.uniform(0, 1) * h, radius)])
    disc = surface.to_float()
    shadow = np.maximum(blur(disc, 5 * scale) - disc, 0) * 0.5
    colors = [[0.93, 0.76, 0.2], [0.25, 0.55, 0.75], [0.4, 0.68, 0.35], [0.88, 0.45, 0.2], [0.75, 0.25, 0.3]]
    color = np.array(colors[rng.integers(5)], np.float32)
    paper = 1 + 0.03 * fractal_noise(rng, (h, w), scale=40 * scale, octaves=5, gain=0.8)[..., None]
    return _blend_over(image * (1 - shadow[..., None]), blur(disc, 0.9 * scale), color * paper)


def render_dark_corners(image: FloatField, rng: np.random.Generator, _scale: float) -> FloatField:
    """Render the border of a round field of view: black corners with a soft edge."""
    h, w = _image_size(image)
    y, x = np.arange(h, dtype=np.float32)[:, None], np.arange(w, dtype=np.float32)
    center = np.array([w, h]) / 2 + rng.normal(0, 0.02, 2) * w
    distance = np.hypot(x - np.float32(center[0]), y - np.float32(center[1])) / np.float32(np.hypot(w, h) / 2)
    edge, softness = rng.uniform(0.78, 0.96), rng.choice([0.012, 0.04, 0.09])
    brightness = 0.03 + 0.97 * (1 - smoothstep(edge - softness, edge + softness, distance))
    return np.asarray(cv2.multiply(image, cv2.merge([brightness] * 3)), np.float32)


ARTIFACT_RENDERERS: dict[str, ArtifactRenderer] = {
    "ink_markings": render_ink_markings,
    "hair": render_hair,
    "gel_bubbles": render_gel_bubbles,
    "ruler": render_ruler,
    "color_patch": render_color_patch,
    "dark_corners": render_dark_corners,
}
"""Renderer of each artifact, in rendering order: from the skin to the lens."""


def _blend_over(image: FloatField, alpha: FloatField, color: npt.NDArray[np.float32]) -> FloatField:
    alpha_blend(image, alpha, color)
    return image


def _bend(path: npt.NDArray[np.floating], curvature: float) -> npt.NDArray[np.floating]:
    """Bend a path: its direction changes by ``curvature`` radians per step."""
    steps = np.diff(path, axis=0)
    angles = curvature * np.arange(len(steps))
    c, s = np.cos(angles), np.sin(angles)
    rotated = np.stack([c * steps[:, 0] - s * steps[:, 1], s * steps[:, 0] + c * steps[:, 1]], 1)
    return np.concatenate([path[:1], path[0] + np.cumsum(rotated, 0)])


def _image_size(image: FloatField) -> ImageSize:
    h, w = image.shape[:2]
    return h, w
