"""The individual typology angle, against scikit-image and the tones of synthetic skin."""

import math

import numpy as np
import pytest
from scipy import stats
from skimage.color import rgb2lab

from lesionlens.imaging.skin_color import ITA_GROUPS, ita_group, measure_ita
from lesionlens.synthesis.sampling import render_images, sample_dataset
from lesionlens.synthesis.skin import SKIN_TONES

LIGHT, BROWN, BLUE = (232, 200, 180), (120, 82, 60), (180, 200, 240)


def uniform(color: tuple[int, int, int], size: tuple[int, int] = (60, 80)) -> np.ndarray:
    return np.full((*size, 3), color, np.uint8)


@pytest.mark.parametrize("color", [LIGHT, BROWN, (200, 150, 120), (70, 45, 35)])
def test_angle_equals_that_of_scikit_image(color: tuple[int, int, int]) -> None:
    lightness, _, yellow = rgb2lab(np.array(color, np.uint8)[None, None])[0, 0]
    expected = math.degrees(math.atan((lightness - 50) / yellow))
    assert measure_ita(uniform(color)) == pytest.approx(expected, abs=0.5)  # OpenCV rounds the white point


def test_lesion_hair_and_corners_are_excluded() -> None:
    image = uniform(LIGHT, (120, 160))
    expected = measure_ita(image)
    image[30:90, 40:120] = BROWN  # a lesion in the center
    image[:14, :14] = image[-14:, -14:] = 2
    image[50:53] = (40, 30, 25)
    assert measure_ita(image) == pytest.approx(expected, abs=0.01)
    mask = np.zeros((120, 160), np.bool_)
    mask[:, :100] = True
    image[mask] = BROWN
    assert measure_ita(image) < expected - 20
    assert measure_ita(image, lesion_mask=mask) == pytest.approx(expected, abs=0.01)


def test_angle_is_unknown_without_skin() -> None:
    assert math.isnan(measure_ita(uniform(BLUE)))
    assert math.isnan(measure_ita(uniform(LIGHT), lesion_mask=np.ones((60, 80), np.bool_)))
    assert math.isnan(measure_ita(uniform((0, 0, 0))))


def test_groups_are_those_of_chardon() -> None:
    angles = [55.1, 55, 41, 28, 10, -30, -80]
    assert [[group.name for group in ITA_GROUPS].index(ita_group(angle)) for angle in angles] == [
        0, 1, 2, 3, 4, 5, 5
    ]  # fmt: skip


def angles_by_tone(per_tone: int, size: tuple[int, int]) -> dict[str, list[float]]:
    """Measure images of each skin tone of the generator."""
    angles: dict[str, list[float]] = {tone: [] for tone in SKIN_TONES}
    for plan in sample_dataset(120 * per_tone, seed=5):
        measured = angles[plan.lesion.skin.tone]
        if len(measured) < per_tone:
            measured.append(measure_ita(next(render_images(plan, size)).rgb))
    return angles


def test_angle_is_lower_for_dark_synthetic_skin() -> None:
    angles = angles_by_tone(4, (60, 80))
    dark = np.array(angles["V"] + angles["VI"])
    light = np.array(angles["I"] + angles["II"] + angles["III"])
    light = light[~np.isnan(light)]
    statistic = stats.mannwhitneyu(light, dark[~np.isnan(dark)]).statistic
    assert statistic / (len(light) * np.isfinite(dark).sum()) > 0.9


@pytest.mark.slow
def test_angle_follows_the_six_synthetic_tones() -> None:
    """Spearman's ρ of tone and angle is below −0.7, and the medians of the tones descend from II on."""
    angles = angles_by_tone(30, (150, 200))
    pairs = [(index, angle) for index, tone in enumerate(SKIN_TONES) for angle in angles[tone]]
    known = np.array([pair for pair in pairs if not math.isnan(pair[1])])
    assert len(known) > 0.75 * len(pairs)
    assert stats.spearmanr(*known.T).statistic < -0.7
    medians = [float(np.nanmedian(angles[tone])) for tone in SKIN_TONES]
    assert medians[1:] == sorted(medians[1:], reverse=True)
