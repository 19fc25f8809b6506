"""Segmentation networks of segmentation-models-pytorch by name, on any of timm's encoders.

U-Net: Ronneberger et al. 2015, arXiv:1505.04597; DeepLabV3+: Chen et al. 2018, arXiv:1802.02611.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Literal, get_args

import torch
from pydantic import BaseModel, ConfigDict
from torch import nn

from lesionlens.errors import ModelError, unknown_name_message
from lesionlens.models.backbone import check_backbone_name

SegmentationArch = Literal["unet", "deeplabv3plus"]
SEGMENTATION_ARCHS: tuple[SegmentationArch, ...] = get_args(SegmentationArch)
_SMP_CLASSES: Mapping[SegmentationArch, str] = {"unet": "Unet", "deeplabv3plus": "DeepLabV3Plus"}


class SegmentationModelSpec(BaseModel):
    """Enough to build a network.

    Attributes
    ----------
    arch
        ``unet`` or ``deeplabv3plus``.
    encoder
        A timm model whose grids halve from stage to stage.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    arch: SegmentationArch = "unet"
    encoder: str = "resnet34"

    def build(self) -> nn.Module:
        """Build the network without weights: images (b, 3, h, w) to logits (b, 1, h, w).

        Raises
        ------
        ModelError
            The extra is not installed, or the network cannot stand on this encoder.
        """
        library = _import_smp()
        check_backbone_name(self.encoder)
        make = getattr(library, _SMP_CLASSES[self.arch])
        try:
            # "tu-": timm's own networks, so that names and weights are those of all other models here
            model: nn.Module = make(f"tu-{self.encoder}", encoder_weights=None)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise ModelError(
                f"{self.arch} cannot stand on the encoder {self.encoder!r}: {error}. "
                "Encoders that work: resnet*, mobilenetv2*, efficientnet*, convnext*"
            ) from error
        return model


def make_segmentation_spec(arch: str, encoder: str) -> SegmentationModelSpec:
    """Name a network and its encoder.

    Raises
    ------
    ModelError
        There is no such network.
    """
    for name in SEGMENTATION_ARCHS:
        if name == arch:
            return SegmentationModelSpec(arch=name, encoder=encoder)
    raise ModelError(unknown_name_message("network", arch, SEGMENTATION_ARCHS))


def check_input_size(model: nn.Module, size: tuple[int, int]) -> None:
    """Try one image of this height and width, before anything costly.

    Raises
    ------
    ModelError
        The network cannot take it: its grids must halve five times without a rest.
    """
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, 3, *size))
    except (RuntimeError, AssertionError, ValueError) as error:
        reason = " ".join(str(error).split()) or "an assertion failed"
        raise ModelError(
            f"the network cannot take images of {size[0]} × {size[1]} pixels: {reason}. "
            "Give height and width as multiples of 32, for example --size 192 256"
        ) from error


def _import_smp() -> ModuleType:
    try:
        import segmentation_models_pytorch as library
    except ImportError as error:
        raise ModelError(
            "segmentation needs the package segmentation-models-pytorch. "
            "Install it with: pip install 'lesionlens[segment]'"
        ) from error
    return library  # type: ignore[no-any-return]
