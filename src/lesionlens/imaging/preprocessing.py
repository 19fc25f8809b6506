"""An image as a network sees it: decoded, cropped, resized, normalised. The same for training, use and maps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from lesionlens.core.errors import RecipeError
from lesionlens.imaging.boxes import CropBox, lesion_bounding_box
from lesionlens.imaging.crops import CropName, make_crop_strategy
from lesionlens.imaging.load import ColorConstancy, load_image
from lesionlens.imaging.masks import load_mask
from lesionlens.imaging.resize import resized_crops


def missing_mask_warning(image_ids: Sequence[str], *, num_images: int) -> str:
    """Say that a model that looks at the box around the lesion saw whole images, for want of a mask."""
    return (
        f"{len(image_ids):,} of {num_images:,} images are seen whole, though the model looks at the box around the "
        f"lesion: they have no lesion mask or an empty one, for example {', '.join(image_ids[:3])}. Make masks with "
        "lesionlens segment predict and give their folder (--masks)"
    )


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

TTA = Literal["none", "flips", "dihedral"]
Aggregation = Literal["probabilities", "logits"]


class Preprocessing(BaseModel):
    """How one image becomes the network's input; written on every model card.

    Attributes
    ----------
    input_size
        Height and width of the network's input, in pixels.
    max_short_side
        Larger images are brought down to this many pixels when decoded; None keeps every pixel.
    color_constancy, hair_removal
        What is done to a decoded image, as in ``load_image``.
    roi_margin
        Crops lie in the box around the image's lesion mask, widened by this share of its sides; None: in the image.
    crops, crop_count
        Strategy and number of the crops that make an image's score.
    seed
        Of random crops at test time.
    tta
        Each crop is also seen ``flips`` (4 ways) or in all eight orientations (``dihedral``).
    aggregate
        What is averaged over crops and turns: ``probabilities`` or ``logits``.
    mean, std
        Of the three channels, on values from 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    input_size: tuple[int, int] = (224, 224)
    max_short_side: int | None = 512
    color_constancy: ColorConstancy = "none"
    hair_removal: bool = False
    roi_margin: float | None = Field(default=None, ge=0, le=2)
    crops: CropName = "full"
    crop_count: int = Field(default=1, ge=1)
    seed: int = 0
    tta: TTA = "none"
    aggregate: Aggregation = "probabilities"
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD

    @model_validator(mode="after")
    def _check_square_for_dihedral(self) -> "Preprocessing":
        height, width = self.input_size
        if self.tta == "dihedral" and height != width:
            raise RecipeError(
                f"crops.tta=dihedral needs a square input, but model.input_size is {height} × {width}; "
                "give crops.tta=flips or a square size"
            )
        return self

    def load_image(self, path: Path) -> NDArray[np.uint8]:
        """Read a file as RGB (h, w, 3), no larger than ``max_short_side`` asks, hairs and light as on the card."""
        return load_image(
            path,
            max_short_side=self.max_short_side,
            color_constancy=self.color_constancy,
            hair_removal=self.hair_removal,
        )

    def lesion_roi(self, image: NDArray[np.uint8], mask: Path | None, *, path: Path) -> CropBox | None:
        """Give the box around an image's lesion in which its crops lie.

        Parameters
        ----------
        image
            Decoded, (h, w, 3).
        mask
            File of its lesion mask.
        path
            The image's file, for an error.

        Returns
        -------
        CropBox or None
            None, for the whole image, where ``roi_margin`` is None, there is no mask, or it is empty.

        Raises
        ------
        DataError
            The mask cannot be read, or has not the image's proportions.
        """
        if self.roi_margin is None or mask is None:
            return None
        return lesion_bounding_box(
            load_mask(mask, (image.shape[0], image.shape[1]), image_path=path), self.roi_margin
        )

    def crop_boxes(self, image_height: int, image_width: int, roi: CropBox | None = None) -> list[CropBox]:
        """Say where the n test crops of an image of this size lie, in its pixels: the same for the same seed.

        Parameters
        ----------
        roi
            The box in which they lie, as if it were the image; None: the image.
        """
        rng, draw = np.random.default_rng(self.seed), make_crop_strategy(self.crops, self.crop_count)
        top, left, height, width, _ = roi or CropBox(0, 0, image_height, image_width)
        boxes = [draw(round(height), round(width), number, rng) for number in range(self.crop_count)]
        return [box.shifted(top, left) for box in boxes]

    def extract_crops(self, image: NDArray[np.uint8], roi: CropBox | None = None) -> NDArray[np.uint8]:
        """Cut the test crops, (n, h, w, 3), at their boxes."""
        return resized_crops(image, self.crop_boxes(image.shape[0], image.shape[1], roi), self.input_size)

    def normalize(self, crops: UInt8[Tensor, "n h w 3"]) -> Float[Tensor, "n 3 h w"]:
        """Scale bytes to the network's range, channels first (in channels-last memory)."""
        width = crops.shape[2]
        mean, std = (255 * torch.tensor(each, device=crops.device) for each in (self.mean, self.std))
        rows = crops.flatten(2).to(torch.float32, copy=True)  # by rows, as loops over three channels are slow
        rows.sub_(mean.repeat(width)).div_(std.repeat(width))
        return rows.reshape(crops.shape).permute(0, 3, 1, 2)

    def prepare_input(self, image: NDArray[np.uint8], roi: CropBox | None = None) -> Float[Tensor, "n 3 h w"]:
        """Give the test crops of one decoded image as a batch."""
        return self.normalize(torch.from_numpy(self.extract_crops(image, roi)))
