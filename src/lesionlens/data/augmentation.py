"""Augmentation as data: how far images may be changed, and the draw of one change."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lesionlens.data.transforms import AugmentParams, PaddingMode

Preset = Literal["none", "arl", "attnmel", "gessert", "datta", "strong"]

_FLIPS = {"horizontal_flip": 0.5, "vertical_flip": 0.5}
_NO_FLIPS = {"horizontal_flip": 0.0, "vertical_flip": 0.0}

PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    # nothing at all
    "none": _NO_FLIPS,
    # Zhang et al. 2019, section IV.B: rotation by up to 10 degrees, 90 to 110 % of width and of height, flips
    "arl": {**_FLIPS, "rotation": 10.0, "scale": 0.1},
    # Yan 2020, section 3.1, and the authors' code: rotation by 0, 90, 180 or 270 degrees, flips
    "attnmel": {**_FLIPS, "rot90": True},
    # Gessert et al. 2019, section II.G, with the authors' code: brightness by 32 of 255, saturation by half, flips
    "gessert": {**_FLIPS, "brightness": 32 / 255, "saturation": 0.5},
    # Datta et al. 2021, the public notebook: Keras' generator with rotation, shifts, zoom, flips, nearest fill
    "datta": {**_FLIPS, "rotation": 180.0, "translate": 0.1, "scale": 0.1, "padding_mode": "replicate"},
    # What won SIIM-ISIC 2020 (Ha, Liu and Liu 2020, arXiv:2010.05351), as far as one warp and one colour matrix go:
    # without its blur, noise, distortions and CLAHE; each step always, where it was left out now and then
    "strong": {
        **_FLIPS,
        "rot90": True,
        "rotation": 15.0,
        "translate": 0.1,
        "scale": 0.1,
        "brightness": 0.2,
        "contrast": 0.2,
        "saturation": 20 / 255,
        "hue": 10 / 180,
        "cutout": 0.375,
    },
}


class Augmentation(BaseModel):
    """How far an image may be changed; but where said otherwise a value is a half-width around no change.

    Attributes
    ----------
    preset
        ``none``, ``arl``, ``attnmel``, ``gessert``, ``datta`` or ``strong`` give all other keys; those given beside it
        win. Null: flips alone.
    rotation
        Degrees to either side.
    rot90
        Quarter turns too, each as likely; of a picture that is not square only half turns.
    scale
        Share of the width and, drawn apart, of the height.
    translate
        Share of the width and, drawn apart, of the height.
    padding_mode
        What comes in from outside: the image mirrored at its border (``reflect``), or its border drawn out
        (``replicate``).
    horizontal_flip, vertical_flip
        Probabilities.
    brightness, contrast, saturation
        Shares, as in torchvision's ColorJitter.
    hue
        Share of a full turn of all colours about the grey ones; a linear map, which HSV's hue is not.
    cutout
        Greatest side of a square painted over in the image's mean colour, as a share of the shorter side; its side
        is drawn from 0 to this, its middle anywhere. The mask of an image is not painted over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset | None = None
    rotation: float = Field(default=0.0, ge=0, le=180)
    rot90: bool = False
    scale: float = Field(default=0.0, ge=0, lt=1)
    translate: float = Field(default=0.0, ge=0, lt=1)
    padding_mode: PaddingMode = "reflect"
    horizontal_flip: float = Field(default=0.5, ge=0, le=1)
    vertical_flip: float = Field(default=0.5, ge=0, le=1)
    brightness: float = Field(default=0.0, ge=0, lt=1)
    contrast: float = Field(default=0.0, ge=0, lt=1)
    saturation: float = Field(default=0.0, ge=0, lt=1)
    hue: float = Field(default=0.0, ge=0, le=0.5)
    cutout: float = Field(default=0.0, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("preset") in PRESETS:
            return {**PRESETS[values["preset"]], **values}
        return values

    def make_params(self, rng: np.random.Generator) -> AugmentParams:
        """Draw one change."""

        def around(centre: float, width: float) -> float:
            return float(rng.uniform(centre - width, centre + width))

        return AugmentParams(
            rotation=around(0, self.rotation),
            scale=(around(1, self.scale), around(1, self.scale)),
            translation=(around(0, self.translate), around(0, self.translate)),
            padding_mode=self.padding_mode,
            rot90=int(rng.integers(4)) if self.rot90 else 0,
            flips=(bool(rng.random() < self.horizontal_flip), bool(rng.random() < self.vertical_flip)),
            brightness=around(1, self.brightness),
            contrast=around(1, self.contrast),
            saturation=around(1, self.saturation),
            hue=around(0, self.hue),
            cutout=(rng.random(), rng.random(), float(rng.uniform(0, self.cutout))),
        )
