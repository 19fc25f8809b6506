"""Operations of a backbone, from which the time of a network is estimated that was not timed."""

from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lesionlens.imaging.masks import ImageSize
from lesionlens.models.factory import build_network
from lesionlens.models.spec import ModelSpec
from lesionlens.segmentation.models import SegmentationModelSpec


@lru_cache(maxsize=256)
def _count(backbone: str, options: tuple[tuple[str, object], ...], size: ImageSize) -> float:
    return _count_forward(lambda: build_network(ModelSpec(backbone, "none", dict(options)), 2), size)


@lru_cache(maxsize=256)
def count_segmentation_operations(architecture: SegmentationModelSpec, size: ImageSize) -> float:
    """Return the floating-point operations of a forward pass of a segmentation model, counted without computing.

    Examples
    --------
    >>> f"{count_segmentation_operations(SegmentationModelSpec(arch='unet_original', encoder=''), (192, 256)):.2g}"
    '7.2e+10'
    """
    return _count_forward(architecture.build, size)


def _count_forward(build: Callable[[], nn.Module], size: ImageSize) -> float:
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        build().eval()(torch.empty(1, 3, *size))
    return float(counter.get_total_flops())


def count_operations(architecture: ModelSpec, size: ImageSize) -> float:
    """Return the floating-point operations of a forward pass of one input: an image, or all crops of an image.

    They are counted on the backbone, without memory and without computing; the attention mechanism is neglected.

    Parameters
    ----------
    size
        Height and width of an image or crop in pixels.

    Examples
    --------
    >>> f"{count_operations(ModelSpec('resnet50'), (224, 224)):.2g}"
    '8.2e+09'
    """
    options = {key: tuple(value) for key, value in architecture.kwargs.items() if key == "layers"}
    return _count(architecture.backbone, tuple(options.items()), size) * (architecture.num_crops or 1)
