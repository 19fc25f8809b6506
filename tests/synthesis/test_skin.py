"""Skin texture is isotropic, skin colors are pale to brown and reddish."""

import numpy as np

from lesionlens.synthesis.pigment import render_pigments
from lesionlens.synthesis.procedural_noise import ridge_lines, white_noise
from lesionlens.synthesis.skin import Skin, render_skin, sample_skin

SIDE = 192


def rendered_skin(seed: int, *, sun_damage: float = 0.3) -> tuple[Skin, np.ndarray]:
    skin = sample_skin(np.random.default_rng(seed), sun_damage=sun_damage)
    pigments = render_skin(skin, (SIDE, SIDE), seed=seed)
    return skin, render_pigments(np.array(skin.base_color, np.float32), pigments, warmth=skin.warmth)


def directionality(gray: np.ndarray) -> float:
    """Return the ratio of the power of fine structure along the axes to that along the diagonals."""
    window = np.outer(np.hanning(SIDE), np.hanning(SIDE))
    power = np.abs(np.fft.fft2((gray - gray.mean()) * window)) ** 2
    fy, fx = np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE), indexing="ij")
    frequency, angle = np.hypot(fx, fy), np.degrees(np.arctan2(fy, fx)) % 90
    fine = (frequency > 1 / 14) & (frequency < 1 / 3)
    axial, diagonal = (angle < 15) | (angle > 75), (angle > 30) & (angle < 60)
    return float(power[fine & axial].mean() / power[fine & diagonal].mean())


def test_skin_texture_is_isotropic() -> None:
    ratios = [directionality(rendered_skin(seed)[1].mean(2)) for seed in range(12)]
    assert 0.8 < np.exp(np.mean(np.log(ratios))) < 1.25
    hatching = np.sin(np.arange(SIDE) * 2 * np.pi / 6)[:, None] + np.zeros(SIDE)
    assert directionality(hatching) > 10  # the measure detects hatching


def test_skin_is_reddish_and_darker_with_the_tone() -> None:
    green_by_tone: dict[str, list[float]] = {}
    for seed in range(80):
        skin = sample_skin(np.random.default_rng(seed), sun_damage=0.2)
        assert skin.base_color[0] > max(skin.base_color[1:])
        green_by_tone.setdefault(skin.tone, []).append(skin.base_color[1])
    means = [np.mean(green_by_tone[tone]) for tone in sorted(green_by_tone)]
    assert means == sorted(means, reverse=True)


def test_sun_damage_adds_freckles_and_vessels() -> None:
    def marks(sun_damage: float) -> float:
        skins = [sample_skin(np.random.default_rng(seed), sun_damage=sun_damage) for seed in range(60)]
        return float(np.mean([skin.freckles + skin.vessels for skin in skins]))

    assert marks(0.9) > 3 * marks(0.1)


def test_white_noise_is_uncorrelated_with_unit_deviation() -> None:
    noise = white_noise(np.random.default_rng(0), (200, 300))
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert abs((noise[:, 1:] * noise[:, :-1]).mean()) < 0.02


def test_ridge_lines_have_their_width() -> None:
    thin, wide = (
        float(ridge_lines(np.random.default_rng(1), (160, 160), scale=20, width=width).mean())
        for width in (0.1, 0.4)
    )
    assert 0 < thin < 0.1
    assert wide > 2 * thin
