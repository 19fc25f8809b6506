"""Images of unknown kinds: size, seed, what each change does, bad names, missing packages."""

from collections.abc import Callable

import numpy as np
import pytest

from lesionlens.core.errors import DataError
from lesionlens.synthesis.sampling import render_images, sample_dataset
from lesionlens.synthesis.unknown_images import (
    CHANGED_KINDS,
    RENDERED_KINDS,
    SKIMAGE_FILES,
    RGBImage,
    change_dermoscopic,
    crop_skimage_sample,
    render_unknown,
)

SIZE = (48, 64)


@pytest.fixture(scope="module")
def image() -> RGBImage:
    plan = next(iter(sample_dataset(1, seed=0)))
    return next(render_images(plan, SIZE)).rgb


def generators(image: RGBImage) -> dict[str, Callable[[int], RGBImage]]:
    return {
        **{kind: lambda seed, kind=kind: render_unknown(kind, SIZE, seed=seed) for kind in RENDERED_KINDS},
        **{
            kind: lambda seed, kind=kind: change_dermoscopic(kind, image, seed=seed) for kind in CHANGED_KINDS
        },
        **{
            kind: lambda seed, kind=kind: crop_skimage_sample(kind, SIZE, seed=seed) for kind in SKIMAGE_FILES
        },
    }


@pytest.mark.parametrize("kind", [*RENDERED_KINDS, *CHANGED_KINDS, *SKIMAGE_FILES])
def test_images_depend_on_kind_and_seed(kind: str, image: RGBImage) -> None:
    generate = generators(image)[kind]
    first = generate(1)
    assert (first.shape, first.dtype) == ((*SIZE, 3), np.uint8)
    np.testing.assert_array_equal(first, generate(1))
    assert kind == "inverted" or any((generate(seed) != first).any() for seed in (2, 3))


def test_inverted_twice_is_the_image(image: RGBImage) -> None:
    inverted = change_dermoscopic("inverted", image, seed=0)
    np.testing.assert_array_equal(change_dermoscopic("inverted", inverted, seed=1), image)


def test_blur_removes_detail_and_keeps_the_mean(image: RGBImage) -> None:
    blurred = change_dermoscopic("heavy_blur", image, seed=0).astype(float)
    assert np.abs(np.diff(blurred, axis=0)).mean() < 0.6 * np.abs(np.diff(image.astype(float), axis=0)).mean()
    assert blurred.mean() == pytest.approx(image.mean(), rel=0.05)


def test_white_balance_scales_channels(image: RGBImage) -> None:
    changed = change_dermoscopic("wrong_white_balance", image, seed=0).astype(float)
    ratios = sorted(changed.mean(axis=(0, 1)) / image.mean(axis=(0, 1)))
    assert 0.34 < ratios[0] < 0.61
    assert 0.95 < ratios[1] < 1.51


def test_unknown_kinds_are_rejected(image: RGBImage) -> None:
    with pytest.raises(DataError, match="did you mean 'texture'"):
        render_unknown("textures", SIZE, seed=0)
    with pytest.raises(DataError, match="did you mean 'heavy_blur'"):
        change_dermoscopic("heavyblur", image, seed=0)
    with pytest.raises(DataError, match="did you mean 'cat'"):
        crop_skimage_sample("cats", SIZE, seed=0)


def test_samples_need_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lesionlens.synthesis.unknown_images.find_spec", lambda name: None)
    with pytest.raises(DataError, match="pip install scikit-image"):
        crop_skimage_sample("cat", SIZE, seed=0)
