"""An image as a network sees it: decoded, cropped, resized, normalised. The same for training, use and maps."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from lesionlens.crops.box import Box
from lesionlens.crops.strategies import CropName, strategy
from lesionlens.data.images import read_rgb
from lesionlens.data.transforms import resized_crop

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

Turns = Literal["none", "flips", "dihedral"]
Average = Literal["probabilities", "logits"]
Colour = Literal["none", "gray-world", "shades-of-gray"]
Hair = Literal["keep", "remove"]


class Preprocessing(BaseModel):
    """How one image becomes the network's input; written on every model card.

    Attributes
    ----------
    input_size
        Height and width of the network's input, in pixels.
    shorter_side
        Larger images are brought down to this many pixels when decoded; None keeps every pixel.
    crops, crop_count
        Strategy and number of the crops that make an image's score.
    seed
        Of random crops at test time.
    mean, std
        Of the three channels, on values from 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_size: tuple[int, int] = (224, 224)
    shorter_side: int | None = 512
    crops: CropName = "whole"
    crop_count: int = Field(default=1, ge=1)
    seed: int = 0
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    def decode(self, path: Path) -> NDArray[np.uint8]:
        """Read a file as RGB (h, w, 3), no larger than ``shorter_side`` asks."""
        return read_rgb(path, shorter_side=self.shorter_side)

    def boxes(self, image_height: int, image_width: int) -> list[Box]:
        """Say where the n test crops of an image of this size lie, in its pixels: the same for the same seed."""
        rng = np.random.default_rng(self.seed)
        draw = strategy(self.crops, self.crop_count)
        return [draw(image_height, image_width, number, rng) for number in range(self.crop_count)]

    def views(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut the test crops, (n, h, w, 3), at their boxes."""
        boxes = self.boxes(image.shape[0], image.shape[1])
        return np.stack([resized_crop(image, box, self.input_size) for box in boxes])

    def normalised(self, views: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        """Scale bytes to the network's range, channels first (in channels-last memory)."""
        mean = torch.tensor(self.mean, device=views.device) * 255
        std = torch.tensor(self.std, device=views.device) * 255
        return ((views.float() - mean) / std).permute(0, 3, 1, 2)

    def prepare(self, image: NDArray[np.uint8]) -> Float[Tensor, "n 3 h w"]:
        """Give the test crops of one decoded image as a batch."""
        return self.normalised(torch.from_numpy(self.views(image)))
