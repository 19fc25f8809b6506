"""Sampled augmentation parameters are in range, and each preset equals torchvision's operations."""

from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import Tensor
from torchvision.transforms.v2 import functional as tv

from lesionlens.data.augmentation import PRESETS, Augmentation, Preset
from lesionlens.data.transforms import AugmentParams, apply_geometric, augment


@given(seed=st.integers(0, 2**32))
def test_params_are_in_range(seed: int) -> None:
    params = Augmentation(rotation=10, scale=0.1, brightness=0.2).make_params(np.random.default_rng(seed))
    assert abs(params.rotation) <= 10
    assert all(0.9 <= zoom <= 1.1 for zoom in params.scale)
    assert 0.8 <= params.brightness <= 1.2
    assert params.contrast == params.saturation == 1


@given(seed=st.integers(0, 2**32), name=st.sampled_from(get_args(Preset)))
def test_preset_params_are_in_range(seed: int, name: Preset) -> None:
    augmentation = Augmentation(preset=name)
    params = augmentation.make_params(np.random.default_rng(seed))
    assert abs(params.rotation) <= augmentation.rotation
    assert all(abs(zoom - 1) <= augmentation.scale for zoom in params.scale)
    assert all(abs(shift) <= augmentation.translate for shift in params.translation)
    assert params.rot90 in (range(4) if augmentation.rot90 else [0])
    assert abs(params.hue) <= augmentation.hue
    assert params.cutout[2] <= augmentation.cutout
    assert params.padding_mode == augmentation.padding_mode


def test_preset_none_is_the_identity() -> None:
    sampled = [Augmentation(preset="none").make_params(np.random.default_rng(seed)) for seed in range(20)]
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    assert all(np.array_equal(augment(params, image), image) for params in sampled)


def test_explicit_keys_override_the_preset() -> None:
    augmentation = Augmentation.model_validate({"preset": "arl", "rotation": 5, "vertical_flip": 0})
    assert (
        augmentation.rotation,
        augmentation.scale,
        augmentation.horizontal_flip,
        augmentation.vertical_flip,
    ) == (5, 0.1, 0.5, 0)
    assert (
        Augmentation.model_validate(augmentation.model_dump()) == augmentation
    )  # round trip through a recipe
    assert Augmentation(preset="gessert").saturation == 0.5
    assert Augmentation().horizontal_flip == 0.5
    with pytest.raises(ValidationError, match="'none', 'arl', 'attnmel'"):
        Augmentation.model_validate({"preset": "zhang"})


def test_rot90_is_uniform() -> None:
    rng = np.random.default_rng(0)
    turns = [Augmentation(preset="attnmel").make_params(rng).rot90 for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(turns) / 4000, 0.25, atol=0.03)


def torchvision_geometric(params: AugmentParams, image: Tensor) -> Tensor:
    """Apply the same geometric transforms one after another; the scale of both sides must be equal."""
    height, width = image.shape[-2:]
    shift = [params.translation[1] * width, params.translation[0] * height]
    if params.rotation or params.scale[0] != 1 or any(shift):
        bilinear: Any = tv.InterpolationMode.BILINEAR
        image = tv.affine(image, -params.rotation, shift, params.scale[0], [0, 0], bilinear, fill=0)
    image = torch.rot90(image, params.rot90, (-2, -1))
    for flip, function in zip(params.flips, (tv.horizontal_flip, tv.vertical_flip), strict=True):
        image = function(image) if flip else image
    return image


@pytest.mark.parametrize("name", get_args(Preset))
def test_presets_equal_torchvision(name: Preset) -> None:
    y, x = np.mgrid[0:96, 0:96]
    bands = [np.sin(x / 9 + y / 17), np.cos(x / 13), np.sin(y / 11)]
    image = np.stack([140 + 40 * band for band in bands], axis=2).astype(np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(12):
        sampled = Augmentation.model_validate({"preset": name, "cutout": 0, "hue": 0}).make_params(rng)
        params = AugmentParams(**{**vars(sampled), "scale": (sampled.scale[0], sampled.scale[0])})
        tensor = (
            torch.from_numpy(np.dstack([image, np.full((96, 96), 255, np.uint8)])).permute(2, 0, 1).float()
        )
        *warped, inside = torchvision_geometric(params, tensor)
        valid = inside.numpy() > 254.9  # padding is not compared
        assert valid.mean() > 0.4
        expected = params.brightness * torch.stack(warped)
        mean = (
            tv.rgb_to_grayscale(torch.from_numpy(apply_geometric(params, image)).permute(2, 0, 1))
            .float()
            .mean()
        )
        expected = params.contrast * expected + (1 - params.contrast) * params.brightness * mean
        expected = tv.adjust_saturation(expected.clamp(0, 255) / 255, params.saturation) * 255
        difference = np.abs(augment(params, image).astype(float) - expected.permute(1, 2, 0).numpy())
        assert difference[valid].max() < 3
    assert set(PRESETS[name]) <= set(Augmentation.model_fields)
