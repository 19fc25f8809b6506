"""Artifacts as they look: hair, ruler, gel bubbles, ink, coloured sticker, dark corners."""

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

ArtifactRenderer = Callable[[FloatField, np.random.Generator, float], FloatField]
VISIBLE_DELTA = 0.04  # of full scale, ten grey levels: less is hardly seen on skin


def render_hair(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Hairs: thin curved tapered strokes, mostly dark, sometimes fair."""
    size = _image_size(image)
    dark, fair = DrawSurface(size), DrawSurface(size)
    count = 1 + int(rng.gamma(1.1, 9))
    lie, spread = rng.uniform(0, 2 * np.pi), rng.choice([0.25, 0.7, 2.0])
    pale, width = rng.random() < 0.15, rng.uniform(0.8, 1.9)
    for _ in range(count):
        start = (rng.uniform(-0.1, 1.1) * size[1], rng.uniform(-0.1, 1.1) * size[0])
        length = rng.gamma(4, 85) * scale
        bow = rng.normal(0, 0.035)
        path = random_walk_path(
            rng, start, direction=lie + rng.normal(0, spread), length=length, curvature=0.022, num_steps=18
        )
        path = _bend(path, bow)
        sheet = fair if pale or rng.random() < 0.12 else dark
        sheet.draw_tapered_line(
            path, width=max(0.8, width * rng.uniform(0.6, 1.2) * scale), strength=rng.uniform(0.4, 0.9)
        )
    colour = np.array([0.24, 0.16, 0.14], np.float32) * np.float32(rng.uniform(0.5, 1.6))
    image = _blend_over(image, blur(dark.to_float(), 0.6 * scale), colour)
    return _blend_over(
        image, 0.55 * blur(fair.to_float(), 0.6 * scale), np.array([0.96, 0.9, 0.84], np.float32)
    )


def render_ruler(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Millimetre scale along one side with numbers."""
    h, w = _image_size(image)
    sheet, gap = DrawSurface((h, w)), rng.uniform(9, 17) * scale
    upright, near = rng.random() < 0.5, rng.uniform(3, 26) * scale
    far_side, length = rng.random() < 0.5, h if upright else w
    origin = rng.uniform(0, 10) * gap
    for tick in range(int(length / gap) + 1):
        along = origin % gap + tick * gap
        number = tick + int(origin // gap)
        reach = (17 if number % 10 == 0 else 12 if number % 5 == 0 else 8) * scale
        edge = (w if upright else h) - near if far_side else near
        ends = np.array([[edge, along], [edge + (-reach if far_side else reach), along]])
        sheet.draw_line(ends if upright else ends[:, ::-1], width=1.3 * scale)
        if number % 10 == 0:
            place = ends[1] + (np.array([-16 if far_side else 4, 5]) * scale)
            x, y = (
                place if upright else place[::-1] + np.array([-4, 8 if not far_side else -2]) * scale
            ).round()
            cv2.putText(
                sheet.pixels, str(number // 10), (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX, 0.45 * scale, 255,
                1, cv2.LINE_AA,
            )  # fmt: skip
    ink = blur(sheet.to_float(), 0.7 * scale) * np.float32(rng.uniform(0.6, 0.9))
    return _blend_over(image, ink, np.array([0.14, 0.13, 0.16], np.float32))


def render_gel_bubbles(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Gel bubbles: fine rings, dark outside, bright inside, each with a highlight."""
    h, w = _image_size(image)
    light, shade, shine = DrawSurface((h, w)), DrawSurface((h, w)), DrawSurface((h, w))
    cluster = rng.uniform(0.1, 0.9, 2) * (w, h)
    for _ in range(1 + int(rng.gamma(1.3, 5))):
        x, y = np.clip(rng.normal(cluster, 0.25 * h), 2, (w - 2, h - 2))
        radius = (2 + rng.gamma(1.3, 5)) * scale
        turns = np.linspace(0, 2 * np.pi, 26)
        ring = np.stack([np.cos(turns), np.sin(turns) * rng.uniform(0.85, 1)], 1)
        shade.draw_line((x, y) + ring * (radius + 1.2 * scale), width=1.6 * scale, strength=0.7)
        light.draw_line((x, y) + ring * radius, width=1.2 * scale, strength=rng.uniform(0.4, 0.9))
        shine.draw_dots([(x - 0.4 * radius, y - 0.4 * radius, max(0.8, 0.16 * radius))])
    image = image * (1 - 0.22 * blur(shade.to_float(), 1.2 * scale)[..., None])
    glow = 0.5 * blur(light.to_float(), 0.7 * scale) + 0.85 * blur(shine.to_float(), 0.6 * scale)
    return _blend_over(image, np.minimum(glow, 1), np.array([0.99, 0.96, 0.98], np.float32))


def render_ink_markings(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Surgeon's marker: blue or violet strokes that soak into the furrows."""
    h, w = _image_size(image)
    sheet = DrawSurface((h, w))
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
        sheet.draw_line(path, width=rng.uniform(9, 22) * scale)
    rough = fractal_noise(rng, (h, w), scale=9 * scale, octaves=3, gain=0.8)
    soaked = (
        blur(sheet.to_float(), 3 * scale) * smoothstep(-2.6, 0.2, rough) * np.float32(rng.uniform(0.5, 0.9))
    )
    tint = np.array([0.38, 0.36, 0.78], np.float32) + rng.normal(0, 0.05, 3).astype(np.float32)
    return np.asarray(image * (1 - soaked[..., None] * (1 - tint)), np.float32)


def render_color_patch(image: FloatField, rng: np.random.Generator, scale: float) -> FloatField:
    """Round coloured calibration sticker, cut by the edge of the picture."""
    h, w = _image_size(image)
    sheet, radius = DrawSurface((h, w)), rng.uniform(60, 130) * scale
    x = rng.choice([rng.uniform(-0.05, 0.08), rng.uniform(0.92, 1.05)]) * w
    sheet.draw_dots([(x, rng.uniform(0, 1) * h, radius)])
    disc = sheet.to_float()
    shadow = np.maximum(blur(disc, 5 * scale) - disc, 0) * 0.5
    colours = [[0.93, 0.76, 0.2], [0.25, 0.55, 0.75], [0.4, 0.68, 0.35], [0.88, 0.45, 0.2], [0.75, 0.25, 0.3]]
    colour = np.array(colours[rng.integers(5)], np.float32)
    paper = 1 + 0.03 * fractal_noise(rng, (h, w), scale=40 * scale, octaves=5, gain=0.8)[..., None]
    return _blend_over(image * (1 - shadow[..., None]), blur(disc, 0.9 * scale), colour * paper)


def render_dark_corners(image: FloatField, rng: np.random.Generator, _scale: float) -> FloatField:
    """Close the dermatoscope's round field of view: black corners with a soft edge."""
    h, w = _image_size(image)
    y, x = np.arange(h, dtype=np.float32)[:, None], np.arange(w, dtype=np.float32)
    centre = np.array([w, h]) / 2 + rng.normal(0, 0.02, 2) * w
    reach = np.hypot(x - np.float32(centre[0]), y - np.float32(centre[1])) / np.float32(np.hypot(w, h) / 2)
    edge, soft = rng.uniform(0.78, 0.96), rng.choice([0.012, 0.04, 0.09])
    open_field = 1 - smoothstep(edge - soft, edge + soft, reach)
    open_field = 0.03 + 0.97 * open_field
    return np.asarray(cv2.multiply(image, cv2.merge([open_field] * 3)), np.float32)


ARTIFACT_RENDERERS: dict[str, ArtifactRenderer] = {
    "ink_markings": render_ink_markings,
    "hair": render_hair,
    "gel_bubbles": render_gel_bubbles,
    "ruler": render_ruler,
    "color_patch": render_color_patch,
    "dark_corners": render_dark_corners,
}
"""Painted in this order, from the skin to the lens."""


def visible_mask(before: FloatField, after: FloatField) -> BinaryMask:
    """Where an overlay can be seen, (h, w): some channel changed by more than ``VISIBLE_DELTA``."""
    return np.asarray((np.abs(after - before) > VISIBLE_DELTA).any(axis=2))


def _blend_over(image: FloatField, alpha: FloatField, color: npt.NDArray[np.float32]) -> FloatField:
    alpha_blend(image, alpha, color)
    return image


def _bend(path: npt.NDArray[np.floating], curvature: float) -> npt.NDArray[np.floating]:
    """Turn a path steadily while it runs."""
    steps = np.diff(path, axis=0)
    turns = curvature * np.arange(len(steps))
    c, s = np.cos(turns), np.sin(turns)
    turned = np.stack([c * steps[:, 0] - s * steps[:, 1], s * steps[:, 0] + c * steps[:, 1]], 1)
    return np.concatenate([path[:1], path[0] + np.cumsum(turned, 0)])


def _image_size(image: FloatField) -> ImageSize:
    h, w = image.shape[:2]
    return h, w


ARTIFACTS = ("hair", "ruler", "gel_bubbles", "ink_markings", "color_patch", "dark_corners")
_BASE_RATES = {
    "hair": 0.45,
    "ruler": 0.10,
    "gel_bubbles": 0.14,
    "ink_markings": 0.04,
    "color_patch": 0.03,
    "dark_corners": 0.12,
}


@dataclass(frozen=True)
class ArtifactRates:
    """How often each artifact occurs, in 0…1; a rate by class takes the place of the base rate.

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
    """artifact -> class code -> rate"""

    def __post_init__(self) -> None:
        """Refuse names that do not exist and rates outside 0…1."""
        given = {name: getattr(self, name) for name in ARTIFACTS}
        for artifact, row in self.by_class.items():
            if artifact not in ARTIFACTS:
                raise DataError(unknown_name_message("artifact", artifact, ARTIFACTS))
            for code in row:
                if code not in CLASS_CODES:
                    raise DataError(unknown_name_message("class", code, CLASS_CODES))
            given |= {f"{artifact} of {code}": rate for code, rate in row.items()}
        for name, rate in given.items():
            if not 0 <= rate <= 1:
                raise DataError(
                    f"the rate of {name} is {rate}; allowed is 0 to 1. Give a share of the images."
                )

    def rate(self, artifact: str, code: str) -> float:
        """Share of the images of class ``code`` that show ``artifact``."""
        return float(self.by_class.get(artifact, {}).get(code, getattr(self, artifact)))

    def excluding(self, names: Iterable[str]) -> "ArtifactRates":
        """Give the same rates but for these artifacts, which no image shows."""
        never = {name: dict.fromkeys(CLASS_CODES, 0.0) for name in names}
        return replace(self, by_class={**self.by_class, **never})


def sample_artifacts(rng: np.random.Generator, code: str, rates: ArtifactRates) -> tuple[str, ...]:
    """Draw the artifacts of one image of class ``code``."""
    chances = rng.random(len(ARTIFACTS))
    return tuple(
        name for name, chance in zip(ARTIFACTS, chances, strict=True) if chance < rates.rate(name, code)
    )


INJECTABLE = ("ruler", "color_patch", "ink_markings", "hair", "gel_bubbles")
_REFERENCE_HEIGHT = 450  # pixels of height for which overlays are drawn
_FINE_ARTIFACTS = ("ruler", "hair", "gel_bubbles")
_MIN_FINE_SCALE = 0.6  # of that height: finer lines would vanish in small images
_MAX_TRIES = 10


def overlay_artifact(
    rgb: npt.NDArray[np.uint8], artifact: str, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], BinaryMask]:
    """Paint an artifact over an image (h, w, 3); give the picture, and where it changed, (h, w).

    One that misses the picture is drawn again; where it cannot be seen, on black, the mask is empty.
    """
    before = rgb.astype(np.float32) / np.float32(255)
    scale = min(rgb.shape[:2]) / _REFERENCE_HEIGHT
    scale = max(_MIN_FINE_SCALE, scale) if artifact in _FINE_ARTIFACTS else scale
    for _ in range(_MAX_TRIES):
        after = ARTIFACT_RENDERERS[artifact](before.copy(), rng, scale).clip(0, 1)
        if (mask := visible_mask(before, after)).any():
            break
    return np.asarray(np.round(after * 255), np.uint8), mask
