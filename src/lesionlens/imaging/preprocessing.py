"""Preprocessing of an image to the input of a model: decode, crop, resize and normalize."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lesionlens.core.errors import RecipeError
from lesionlens.core.types import RGBValues
from lesionlens.imaging.boxes import CropBox, lesion_bounding_box
from lesionlens.imaging.crops import CropName, make_crop_strategy
from lesionlens.imaging.load import ColorConstancy, load_image
from lesionlens.imaging.masks import load_mask
from lesionlens.imaging.resize import resized_crops
from lesionlens.imaging.sources import ImageSource, source_name

if TYPE_CHECKING:
    from torch import Tensor


def missing_mask_warning(image_ids: Sequence[str], *, num_images: int) -> str:
    """Return a warning that images without a lesion mask were used uncropped by a model that crops to the lesion."""
    return (
        f"{len(image_ids):,} of {num_images:,} images are used uncropped, although the model crops images to the "
        f"lesion: they have no lesion mask or an empty one, for example {', '.join(image_ids[:3])}. Predict masks with "
        "lesionlens segment predict and pass their folder (--masks)"
    )


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

SideLength = Annotated[int, Field(ge=1, le=8192)]  # pixels
PositiveNumber = Annotated[float, Field(gt=0)]
PositiveRGBValues = tuple[PositiveNumber, PositiveNumber, PositiveNumber]
TTA = Literal["none", "flips", "dihedral"]
Aggregation = Literal["probabilities", "logits", "vote"]


class Preprocessing(BaseModel):
    """Preprocessing options of a model; part of every model card.

    Attributes
    ----------
    input_size
        Height and width of the model input, in pixels.
    max_short_side
        Maximum length of the shorter side in pixels, to which larger images are downsampled when decoded; None: the
        full size.
    color_constancy, hair_removal
        Corrections of a decoded image, as in ``load_image``.
    roi_margin
        Margin around the lesion mask to which images are cropped first, as a fraction of the sides of its bounding
        box; None: no such crop.
    crops, crop_count
        Strategy and number of crops per image at test time.
    seed
        Random seed of random crops at test time.
    tta
        Test-time augmentation of each crop: ``flips`` (4 views) or ``dihedral`` (8 views).
    aggregate
        Quantity that is averaged over crops and TTA views: ``probabilities`` or ``logits``; or ``vote``: the scores are
        the fractions of crops and views that vote for each class.
    mean, std
        Mean and standard deviation of the three channels, for values from 0 to 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    input_size: tuple[SideLength, SideLength] = (224, 224)
    max_short_side: int | None = Field(default=512, ge=1, le=100_000)
    color_constancy: ColorConstancy = "none"
    hair_removal: bool = False
    roi_margin: float | None = Field(default=None, ge=0, le=2)
    crops: CropName = "full"
    crop_count: int = Field(default=1, ge=1, le=1000)
    seed: int = Field(default=0, ge=0)
    tta: TTA = "none"
    aggregate: Aggregation = "probabilities"
    mean: RGBValues = IMAGENET_MEAN
    std: PositiveRGBValues = IMAGENET_STD

    @model_validator(mode="after")
    def _check_square_for_dihedral(self) -> "Preprocessing":
        height, width = self.input_size
        if self.tta == "dihedral" and height != width:
            raise RecipeError(
                f"crops.tta=dihedral needs a square input, but model.input_size is {height} × {width}; "
                "use crops.tta=flips or a square size"
            )
        return self

    def load_image(self, source: ImageSource) -> NDArray[np.uint8]:
        """Load an RGB image, (h, w, 3), with the decoding options of this preprocessing."""
        return load_image(
            source,
            max_short_side=self.max_short_side,
            color_constancy=self.color_constancy,
            hair_removal=self.hair_removal,
        )

    def lesion_roi(
        self, image: NDArray[np.uint8], mask: Path | None, *, source: ImageSource
    ) -> CropBox | None:
        """Return the region of interest around the lesion, to which the crops are limited.

        Parameters
        ----------
        image
            Decoded image, (h, w, 3).
        mask
            Lesion mask file, or None.
        source
            What the image was decoded from, for the error message.

        Returns
        -------
        CropBox or None
            None, for the complete image, if ``roi_margin`` is None, there is no mask, or the mask is empty.

        Raises
        ------
        DataError
            The mask cannot be read, or has another aspect ratio than the image.
        """
        if self.roi_margin is None or mask is None:
            return None
        return lesion_bounding_box(
            load_mask(mask, (image.shape[0], image.shape[1]), image_path=source_name(source)), self.roi_margin
        )

    def crop_boxes(self, image_height: int, image_width: int, roi: CropBox | None = None) -> list[CropBox]:
        """Return the boxes of the n test crops, in pixels of the image; they depend only on the sizes and the seed.

        Parameters
        ----------
        image_height, image_width
            Size of the image in pixels.
        roi
            Region of interest that replaces the image. Default: the complete image.
        """
        rng, strategy = np.random.default_rng(self.seed), make_crop_strategy(self.crops, self.crop_count)
        top, left, height, width, _ = roi or CropBox(0, 0, image_height, image_width)
        boxes = [strategy(round(height), round(width), index, rng) for index in range(self.crop_count)]
        return [box.shifted(top, left) for box in boxes]

    def extract_crops(self, image: NDArray[np.uint8], roi: CropBox | None = None) -> NDArray[np.uint8]:
        """Return the test crops of an image, (n, h, w, 3)."""
        return resized_crops(image, self.crop_boxes(image.shape[0], image.shape[1], roi), self.input_size)

    def normalize_array(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Normalize bytes (n, h, w, 3), with mean and standard deviation, to floats (n, 3, h, w), contiguous."""
        mean, std = (np.float32(255) * np.array(values, np.float32) for values in (self.mean, self.std))
        return np.ascontiguousarray(((crops - mean) / std).transpose(0, 3, 1, 2))

    def normalize(self, crops: "Tensor") -> "Tensor":
        """Normalize bytes (n, h, w, 3), with mean and standard deviation, to floats (n, 3, h, w), channels last."""
        import torch

        width = crops.shape[2]
        mean, std = (255 * torch.tensor(values, device=crops.device) for values in (self.mean, self.std))
        rows = crops.flatten(2).to(torch.float32, copy=True)  # by rows: loops over three channels are slow
        rows.sub_(mean.repeat(width)).div_(std.repeat(width))
        return rows.reshape(crops.shape).permute(0, 3, 1, 2)

    def prepare_input(self, image: NDArray[np.uint8], roi: CropBox | None = None) -> "Tensor":
        """Return the normalized test crops of a decoded image as a batch (n, 3, h, w)."""
        import torch

        return self.normalize(torch.from_numpy(self.extract_crops(image, roi)))
