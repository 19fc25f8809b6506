"""Skin has no direction of its own and the colour of skin: pale to brown, redder than green."""

import numpy as np

from lesionlens.synthesis.pigment import render_pigments
from lesionlens.synthesis.procedural_noise import ridge_lines, white_noise
from lesionlens.synthesis.skin import Skin, render_skin, sample_skin

SIDE = 192


def painted(seed: int, *, sun: float = 0.3) -> tuple[Skin, np.ndarray]:
    skin = sample_skin(np.random.default_rng(seed), sun_damage=sun)
    pigments = render_skin(skin, (SIDE, SIDE), seed=seed)
    return skin, render_pigments(np.array(skin.base_color, np.float32), pigments, warmth=skin.warmth)


def lean(grey: np.ndarray) -> float:
    """Power of fine structure along the axes over that along the diagonals."""
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    power = np.abs(np.fft.fft2((grey - grey.mean()) * window)) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    reach, turn = np.hypot(fx, fy), np.degrees(np.arctan2(fy, fx)) % 90
    fine = (reach > 1 / 14) & (reach < 1 / 3)
    along, across = (turn < 15) | (turn > 75), (turn > 30) & (turn < 60)
    return float(power[fine & along].mean() / power[fine & across].mean())


def test_skin_is_not_hatched_like_cloth() -> None:
    leans = [lean(painted(seed)[1].mean(2)) for seed in range(12)]
    assert 0.8 < np.exp(np.mean(np.log(leans))) < 1.25
    cloth = np.sin(np.arange(SIDE) * 2 * np.pi / 6)[:, None] + np.zeros(SIDE)
    assert lean(cloth) > 10  # the witness sees hatching where there is some


def test_skin_is_redder_than_green_and_darker_with_the_tone() -> None:
    light: dict[str, list[float]] = {}
    for seed in range(80):
        skin = sample_skin(np.random.default_rng(seed), sun_damage=0.2)
        assert skin.base_color[0] > max(skin.base_color[1:])
        light.setdefault(skin.tone, []).append(skin.base_color[1])
    means = [np.mean(light[tone]) for tone in sorted(light)]
    assert means == sorted(means, reverse=True)


def test_sun_leaves_its_marks() -> None:
    def marks(sun: float) -> float:
        skins = [sample_skin(np.random.default_rng(seed), sun_damage=sun) for seed in range(60)]
        return float(np.mean([skin.freckles + skin.vessels for skin in skins]))

    assert marks(0.9) > 3 * marks(0.1)


def test_white_noise_has_unit_deviation_and_no_memory() -> None:
    noise = white_noise(np.random.default_rng(0), (200, 300))
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 0.02


def test_threads_are_thin_and_wider_when_asked() -> None:
    thin, wide = (
        float(ridge_lines(np.random.default_rng(1), (160, 160), scale=20, width=width).mean())
        for width in (0.1, 0.4)
    )
    assert 0 < thin < 0.1
    assert wide > 2 * thin
