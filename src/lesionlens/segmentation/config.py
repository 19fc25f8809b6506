"""Every choice of a training run for lesion masks."""

from pydantic import BaseModel, ConfigDict, Field

from lesionlens.data.augmentation import Augmentation
from lesionlens.segmentation.models import SegmentationArch

DEFAULT_AUGMENTATION = Augmentation(rotation=180, scale=0.2, brightness=0.2, contrast=0.2, saturation=0.2)


class SegmentationConfig(BaseModel):
    """How masks are learnt.

    Attributes
    ----------
    arch, encoder, weights
        See ``SegmentationModelSpec``; weights of the encoder: ``none``, ``imagenet``, or a file with timm's keys.
    input_size
        Height and width of the network's input; images are resized to it whatever their shape. The default has
        the shape of most dermoscopic images, and is what Yuan & Lo 2017 (arXiv:1709.09780) won the challenge with.
    split
        ``auto`` takes the official parts where the data have any, else holds out by lesion; or a name of
        ``make_splits``, or a file ``image_id,split``.
    val_fraction, test_fraction
        Shares that are held out by lesion where there are no such parts.
    lr
        Of AdamW, at the start; it falls to 0 by a cosine over all steps.
    keep_largest_component
        Keep only the largest region of a predicted mask, and fill its holes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arch: SegmentationArch = "unet"
    encoder: str = "resnet34"
    weights: str = "none"
    input_size: tuple[int, int] = (192, 256)
    split: str = "auto"
    val_fraction: float = Field(default=0.15, gt=0, lt=0.5)
    test_fraction: float = Field(default=0.15, ge=0, lt=0.5)
    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(
        default=16, ge=2
    )  # DeepLabV3+ normalises over the batch what it has pooled to one place
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    augment: Augmentation = DEFAULT_AUGMENTATION
    keep_largest_component: bool = True
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    num_workers: int = Field(default=0, ge=0)
