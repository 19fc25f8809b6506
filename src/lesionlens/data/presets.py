"""Augmentation as papers had it, by name: what a preset does not name, it does not do."""

from collections.abc import Mapping
from typing import Any, Literal

Preset = Literal["none", "arl", "attnmel", "gessert", "datta", "strong"]

_FLIPS = {"horizontal_flip": 0.5, "vertical_flip": 0.5}
_NO_FLIPS = {"horizontal_flip": 0.0, "vertical_flip": 0.0}

PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    # nothing at all
    "none": _NO_FLIPS,
    # Zhang et al. 2019, section IV.B: rotation by up to 10 degrees, 90 to 110 % of width and of height, flips
    "arl": {**_FLIPS, "rotation": 10.0, "zoom": 0.1},
    # Yan 2020, section 3.1, and the authors' code: rotation by 0, 90, 180 or 270 degrees, flips
    "attnmel": {**_FLIPS, "right_angles": True},
    # Gessert et al. 2019, section II.G, with the authors' code: brightness by 32 of 255, saturation by half, flips
    "gessert": {**_FLIPS, "brightness": 32 / 255, "saturation": 0.5},
    # Datta et al. 2021, the public notebook: Keras' generator with rotation, shifts, zoom, flips, nearest fill
    "datta": {**_FLIPS, "rotation": 180.0, "shift": 0.1, "zoom": 0.1, "fill": "nearest"},
    # What won SIIM-ISIC 2020 (Ha, Liu and Liu 2020, arXiv:2010.05351), as far as one warp and one colour matrix go:
    # without its blur, noise, distortions and CLAHE; each step always, where it was left out now and then
    "strong": {
        **_FLIPS,
        "right_angles": True,
        "rotation": 15.0,
        "shift": 0.1,
        "zoom": 0.1,
        "brightness": 0.2,
        "contrast": 0.2,
        "saturation": 20 / 255,
        "hue": 10 / 180,
        "cutout": 0.375,
    },
}
