"""Configuration of a segmentation training run."""

from pydantic import BaseModel, ConfigDict, Field

from lesionlens.data.augmentation import Augmentation
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.segmentation.models import DEFAULT_ENCODER, SegmentationArch, SegmentationModelSpec

DEFAULT_AUGMENTATION = Augmentation(rotation=180, scale=0.2, brightness=0.2, contrast=0.2, saturation=0.2)


class SegmentationConfig(BaseModel):
    """Settings of a segmentation training run.

    Attributes
    ----------
    arch, encoder, width, weights
        Architecture, encoder and width (see ``SegmentationModelSpec``), and initial encoder weights: ``none``,
        ``imagenet``, or a file with timm's keys.
    input_size
        Height and width of the network's input in pixels; images are resized to it, ignoring their aspect ratio. The
        default has the aspect ratio of most dermoscopic images and is the input size of the winners of ISIC 2017
        (Yuan & Lo 2017, arXiv:1709.09780).
    split
        ``auto`` uses the official splits if the dataset has any and otherwise holds out lesions; or a strategy of
        ``make_splits``, or a CSV file with the columns ``image_id`` and ``split``.
    max_images
        Number of images with masks of each table that are used, as ``data.max_images`` of a recipe; None: all.
    val_fraction, test_fraction
        Fractions of lesions held out where there are no official splits.
    lr
        Initial learning rate of AdamW; a cosine schedule decreases it to 0 over all steps.
    keep_largest_component
        Whether to keep only the largest connected component of a predicted mask and to fill its holes.
    within_root
        Whether a table that names a file outside its folder is an error, also if a link leads there.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arch: SegmentationArch = "unet"
    encoder: str = DEFAULT_ENCODER
    width: int = Field(default=64, ge=1)
    weights: str = "none"
    input_size: tuple[int, int] = (192, 256)
    split: str = "auto"
    max_images: int | None = Field(default=None, ge=2)
    val_fraction: float = Field(default=0.15, gt=0, lt=0.5)
    test_fraction: float = Field(default=0.15, ge=0, lt=0.5)
    epochs: int = Field(default=30, ge=1)
    # at least 2, because DeepLabV3+ has a batch norm after global pooling
    batch_size: int = Field(default=16, ge=2)
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    augment: Augmentation = DEFAULT_AUGMENTATION
    keep_largest_component: bool = True
    seed: int = Field(default=0, ge=0)
    device: str = "auto"
    num_workers: int = Field(default=0, ge=0)
    within_root: bool = False

    @property
    def architecture(self) -> SegmentationModelSpec:
        """Specification of the network."""
        return SegmentationModelSpec(arch=self.arch, encoder=self.encoder, width=self.width)

    @property
    def preprocessing(self) -> Preprocessing:
        """Preprocessing of an image: resized to the input size, not cropped."""
        return Preprocessing(input_size=self.input_size, max_short_side=None)
