"""Augmentation settings: ranges of random transforms, presets from the papers, and sampling of parameters."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lesionlens.data.transforms import AugmentParams, PaddingMode

Preset = Literal["none", "arl", "attnmel", "gessert", "datta", "strong"]

_FLIPS = {"horizontal_flip": 0.5, "vertical_flip": 0.5}
_NO_FLIPS = {"horizontal_flip": 0.0, "vertical_flip": 0.0}

PRESETS: Mapping[Preset, Mapping[str, Any]] = {
    # no augmentation
    "none": _NO_FLIPS,
    # Zhang et al. 2019, section IV.B: rotation by up to 10 degrees, 90 to 110 % of width and of height, flips
    "arl": {**_FLIPS, "rotation": 10.0, "scale": 0.1},
    # Yan 2020, section 3.1, and the authors' code: rotation by 0, 90, 180 or 270 degrees, flips
    "attnmel": {**_FLIPS, "rot90": True},
    # Gessert et al. 2019, section II.G, with the authors' code: brightness by 32 of 255, saturation by half, flips
    "gessert": {**_FLIPS, "brightness": 32 / 255, "saturation": 0.5},
    # Datta et al. 2021, the public notebook: Keras' generator with rotation, shifts, zoom, flips, nearest fill
    "datta": {**_FLIPS, "rotation": 180.0, "translate": 0.1, "scale": 0.1, "padding_mode": "replicate"},
    # Winners of SIIM-ISIC 2020 (Ha, Liu and Liu 2020, arXiv:2010.05351), reduced to one warp and one color matrix:
    # no blur, noise, distortion or CLAHE, and every step is always applied, where theirs were applied at random
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
    """Ranges of random augmentation; unless noted otherwise, a value is the half-width of a range around no change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Preset | None = Field(
        default=None,
        description="Preset from the papers and their code that sets all other keys; keys given next to it override "
        "it. `augment=PRESET` is the short form. Null: only flips.",
    )
    rotation: float = Field(default=0.0, ge=0, le=180, description="Rotation in degrees, in both directions.")
    rot90: bool = Field(
        default=False,
        description="Whether to rotate by a random multiple of 90 degrees as well; of 180 degrees for images that are "
        "not square.",
    )
    scale: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Relative change of the width and, sampled independently, of the height.",
    )
    translate: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Shift as a fraction of the width and, sampled independently, of the height.",
    )
    padding_mode: PaddingMode = Field(
        default="reflect",
        description="Pixels outside the image: mirrored at the border, or the border pixel repeated.",
    )
    horizontal_flip: float = Field(default=0.5, ge=0, le=1, description="Probability of a horizontal flip.")
    vertical_flip: float = Field(default=0.5, ge=0, le=1, description="Probability of a vertical flip.")
    brightness: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Relative change of the brightness, as in torchvision's ColorJitter.",
    )
    contrast: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Relative change of the contrast, as in torchvision's ColorJitter.",
    )
    saturation: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Relative change of the saturation, as in torchvision's ColorJitter.",
    )
    hue: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="Rotation of all colors about the gray axis, as a fraction of a full turn; a linear map, unlike "
        "the hue of HSV.",
    )
    cutout: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Maximum side of a square filled with the image's mean color, as a fraction of the shorter side. "
        "The side is sampled from 0 to this value, the center uniformly over the image. Masks are not changed.",
    )

    @model_validator(mode="before")
    @classmethod
    def _with_preset(cls, values: Any) -> Any:
        name = values.get("preset") if isinstance(values, dict) else None
        preset = next((settings for known, settings in PRESETS.items() if known == name), {})
        return {**preset, **values} if preset else values

    def make_params(self, rng: np.random.Generator) -> AugmentParams:
        """Sample the parameters of one augmentation."""

        def uniform(center: float, half_width: float) -> float:
            return float(rng.uniform(center - half_width, center + half_width))

        return AugmentParams(
            rotation=uniform(0, self.rotation),
            scale=(uniform(1, self.scale), uniform(1, self.scale)),
            translation=(uniform(0, self.translate), uniform(0, self.translate)),
            padding_mode=self.padding_mode,
            rot90=int(rng.integers(4)) if self.rot90 else 0,
            flips=(bool(rng.random() < self.horizontal_flip), bool(rng.random() < self.vertical_flip)),
            brightness=uniform(1, self.brightness),
            contrast=uniform(1, self.contrast),
            saturation=uniform(1, self.saturation),
            hue=uniform(0, self.hue),
            cutout=(rng.random(), rng.random(), float(rng.uniform(0, self.cutout))),
        )
