"""Protocol of the segmentation model that predicts the lesion masks of a table."""

from typing import Literal

from pydantic import Field

from lesionlens.runs.train_schema import ConfigSection


class SegmenterSpec(ConfigSection):
    """Protocol of a segmentation model, whose masks replace ``data.mask_dir`` of the rows that use such a directory.

    Attributes
    ----------
    dataset
        Name of the dataset with masks on which the model is trained.
    arch, encoder, weights
        Architecture and encoder as for ``SegmentationConfig``, and initial weights of the encoder.
    input_size
        Height and width of the model's input in pixels.
    epochs, lr
        Number of epochs, and initial learning rate.
    keep_largest_component
        Whether a predicted mask is reduced to its largest component, with holes filled.
    """

    dataset: str
    arch: Literal["unet", "unet_original", "deeplabv3plus"]
    encoder: str
    weights: Literal["none", "imagenet"]
    input_size: tuple[int, int]
    epochs: int = Field(default=30, ge=1)
    lr: float = Field(default=1e-3, gt=0)
    keep_largest_component: bool
