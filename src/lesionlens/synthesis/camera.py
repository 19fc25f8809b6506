"""From light to file: illumination, white balance, saturation, softness, sensor noise."""

from dataclasses import dataclass

import cv2
import numpy as np

from lesionlens.synthesis.noise import Field, blur, smoothstep


@dataclass(frozen=True)
class Camera:
    """One photograph's settings."""

    gains: tuple[float, float, float]
    exposure: float
    contrast: float
    saturation: float
    softness: float
    """blur, pixels in an image 450 high"""
    noise: float
    """deviation in grey levels"""
    vignette: float
    slope: tuple[float, float]
    quality: int
    seed: int


def draw_camera(rng: np.random.Generator) -> Camera:
    """Draw the settings: half the cameras are pink and saturated, half neutral to bluish."""
    pink = rng.random() < 0.5
    low, high = ((0.99, 0.84, 0.86), (1.03, 0.95, 1.02)) if pink else ((0.88, 0.88, 0.86), (1.0, 1.0, 1.08))
    return Camera(
        gains=tuple(float(g) for g in rng.uniform(low, high)),  # type: ignore[arg-type]  # three of them
        exposure=rng.uniform(0.9, 1.08),
        contrast=rng.uniform(0.9, 1.15),
        saturation=rng.uniform(0.9, 1.2) if pink else rng.uniform(0.65, 1.1),
        softness=rng.choice([0.0, 0.6, 1.0, 1.6], p=[0.25, 0.4, 0.25, 0.1]),
        noise=rng.uniform(1.2, 4.0),
        vignette=rng.beta(1.5, 3) * 0.45,
        slope=(float(rng.normal(0, 0.045)), float(rng.normal(0, 0.045))),
        quality=int(rng.integers(84, 95)),
        seed=int(rng.integers(2**32)),
    )


def light(camera: Camera, image: Field) -> Field:
    """Uneven illumination on ``image`` (h, w, 3): a slope and a soft fall towards the corners."""
    h, w = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : h * 1j, -1 : 1 : w * 1j].astype(np.float32)
    fall = smoothstep(0.55, 1.6, np.hypot(x, y)) * np.float32(camera.vignette)
    shade = 1 - fall + np.float32(camera.slope[0]) * x + np.float32(camera.slope[1]) * y
    return image * shade[..., None]


def shoot(camera: Camera, image: Field, *, scale: float) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Turn light (h, w, 3) in 0…1 into the camera's 8-bit RGB picture."""
    rng = np.random.default_rng(camera.seed)
    mix = np.float32(camera.saturation) * np.eye(3, dtype=np.float32)
    mix += np.float32(1 - camera.saturation) * np.array([0.3, 0.59, 0.11], np.float32)
    mix = mix * np.float32(camera.exposure) @ np.diag(np.array(camera.gains, np.float32))
    image = blur(image, camera.softness * scale)
    image = (cv2.transform(image, mix) - 0.5) * np.float32(camera.contrast) + 0.5
    # tone curve of a camera: a soft shoulder keeps bright skin from clipping flat
    image = np.where(image > 0.8, 0.8 + 0.2 * np.tanh((image - 0.8) * 5), image)
    h, w = image.shape[:2]
    grain = cv2.resize(rng.standard_normal((h * 2 // 3, w * 2 // 3), dtype=np.float32), (w, h))
    image = image * 255 + (np.float32(camera.noise * 1.5) * grain)[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)
