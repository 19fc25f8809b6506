"""What an augmentation draws, and that each preset is torchvision's operations."""

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
def test_draws_keep_to_their_ranges(seed: int) -> None:
    change = Augmentation(rotation=10, scale=0.1, brightness=0.2).make_params(np.random.default_rng(seed))
    assert abs(change.rotation) <= 10
    assert all(0.9 <= zoom <= 1.1 for zoom in change.scale)
    assert 0.8 <= change.brightness <= 1.2
    assert change.contrast == change.saturation == 1


@given(seed=st.integers(0, 2**32), name=st.sampled_from(get_args(Preset)))
def test_draws_of_presets_keep_to_their_ranges(seed: int, name: Preset) -> None:
    asked = Augmentation(preset=name)
    change = asked.make_params(np.random.default_rng(seed))
    assert abs(change.rotation) <= asked.rotation
    assert all(abs(zoom - 1) <= asked.scale for zoom in change.scale)
    assert all(abs(shift) <= asked.translate for shift in change.translation)
    assert change.rot90 in (range(4) if asked.rot90 else [0])
    assert abs(change.hue) <= asked.hue
    assert change.cutout[2] <= asked.cutout
    assert change.padding_mode == asked.padding_mode


def test_nothing_is_nothing() -> None:
    drawn = [Augmentation(preset="none").make_params(np.random.default_rng(seed)) for seed in range(20)]
    image = np.random.default_rng(0).integers(0, 256, (8, 9, 3), dtype=np.uint8)
    assert all(np.array_equal(augment(change, image), image) for change in drawn)


def test_what_is_said_wins_over_the_preset() -> None:
    asked = Augmentation.model_validate({"preset": "arl", "rotation": 5, "vertical_flip": 0})
    assert (asked.rotation, asked.scale, asked.horizontal_flip, asked.vertical_flip) == (5, 0.1, 0.5, 0)
    assert Augmentation.model_validate(asked.model_dump()) == asked  # a recipe written down means the same
    assert Augmentation(preset="gessert").saturation == 0.5
    assert Augmentation().horizontal_flip == 0.5
    with pytest.raises(ValidationError, match="'none', 'arl', 'attnmel'"):
        Augmentation.model_validate({"preset": "zhang"})


def test_quarter_turns_are_as_likely() -> None:
    rng = np.random.default_rng(0)
    turns = [Augmentation(preset="attnmel").make_params(rng).rot90 for _ in range(4000)]
    np.testing.assert_allclose(np.bincount(turns) / 4000, 0.25, atol=0.03)


def by_torchvision(change: AugmentParams, image: Tensor) -> Tensor:
    """Do the same step by step; zoom of both sides alike."""
    height, width = image.shape[-2:]
    shift = [change.translation[1] * width, change.translation[0] * height]
    if change.rotation or change.scale[0] != 1 or any(shift):
        bilinear: Any = tv.InterpolationMode.BILINEAR
        image = tv.affine(image, -change.rotation, shift, change.scale[0], [0, 0], bilinear, fill=0)
    image = torch.rot90(image, change.rot90, (-2, -1))
    for flip, function in zip(change.flips, (tv.horizontal_flip, tv.vertical_flip), strict=True):
        image = function(image) if flip else image
    return image


@pytest.mark.parametrize("name", get_args(Preset))
def test_a_preset_is_torchvisions_steps(name: Preset) -> None:
    y, x = np.mgrid[0:96, 0:96]
    bands = [np.sin(x / 9 + y / 17), np.cos(x / 13), np.sin(y / 11)]
    picture = np.stack([140 + 40 * band for band in bands], axis=2).astype(np.uint8)
    rng = np.random.default_rng(0)
    for _ in range(12):
        drawn = Augmentation.model_validate({"preset": name, "cutout": 0, "hue": 0}).make_params(rng)
        change = AugmentParams(**{**vars(drawn), "scale": (drawn.scale[0], drawn.scale[0])})
        image = (
            torch.from_numpy(np.dstack([picture, np.full((96, 96), 255, np.uint8)])).permute(2, 0, 1).float()
        )
        *moved, inside = by_torchvision(change, image)
        seen = inside.numpy() > 254.9  # what came in from outside is not compared
        assert seen.mean() > 0.4
        wanted = change.brightness * torch.stack(moved)
        mean = (
            tv.rgb_to_grayscale(torch.from_numpy(apply_geometric(change, picture)).permute(2, 0, 1))
            .float()
            .mean()
        )
        wanted = change.contrast * wanted + (1 - change.contrast) * change.brightness * mean
        wanted = tv.adjust_saturation(wanted.clamp(0, 255) / 255, change.saturation) * 255
        apart = np.abs(augment(change, picture).astype(float) - wanted.permute(1, 2, 0).numpy())
        assert apart[seen].max() < 3
    assert set(PRESETS[name]) <= set(Augmentation.model_fields)
