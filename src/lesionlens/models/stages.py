"""The stages of a timm backbone: their names, widths and grids, for mechanisms that look inside."""

from functools import cache
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from timm.models.efficientnet import EfficientNet
from timm.models.vgg import VGG
from torch import Tensor, nn

from lesionlens.errors import ModelError, unknown_name_message
from lesionlens.models import backbone
from lesionlens.types import Images


class Stage(NamedTuple):
    """One place to look.

    Attributes
    ----------
    name
        timm's name of the layers that end it (``layer3``), or ``pool3`` in a VGG.
    channels
        Channels of its grid.
    reduction
        Input pixels that one place of the grid stands for, along a side.
    """

    name: str
    channels: int
    reduction: int


def list_stages(model: nn.Module) -> tuple[Stage, ...]:
    """List what can be tapped, from input to output.

    Raises
    ------
    ModelError
        timm cannot give this backbone's intermediate grids.
    """
    if not hasattr(model, "forward_intermediates"):
        raise ModelError(
            f"timm gives no intermediate features of {type(model).__name__}. {backbone.NO_FEATURE_MAP_MESSAGE}"
        )
    info = cast(Any, model).feature_info
    listed = [Stage(d["module"], d["num_chs"], d["reduction"]) for d in getattr(info, "info", info)]
    if isinstance(model, VGG):
        return tuple(Stage(f"pool{n}", s.channels, 2 * s.reduction) for n, s in enumerate(listed[:-1], 1))
    return tuple(listed)


def forward_stages(model: nn.Module, x: Images, stage_indices: tuple[int, ...]) -> tuple[Tensor, list[Tensor]]:
    """Give the last feature grid and those of the wanted stages, all (b, c, h, w).

    A VGG's stage ends with its pooling, as in the papers that use it; timm's ends before.
    """
    size = (x.shape[2], x.shape[3])
    if not stage_indices:
        return backbone.to_nchw(cast(Any, model).forward_features(x), model, image_size=size), []
    last, grids = cast(Any, model).forward_intermediates(x, indices=list(stage_indices))
    if isinstance(model, VGG):
        grids = [F.max_pool2d(grid, 2, 2) for grid in grids]
    return backbone.to_nchw(last, model, image_size=size), list(grids)


def truncated_backbone(name: str, *, last_stage: str | None = None, **kwargs: Any) -> tuple[nn.Module, frozenset[str]]:
    """Build a backbone that ends with its last feature grid, or with a stage, and name the keys that it lost.

    Raises
    ------
    ModelError
        It does not exist, does not take the options, gives no grid or has no such stage.
    """
    trunk = backbone.create_backbone(name, num_classes=1, **kwargs)
    if refused := _unsupported_reason(name.split(".")[0]):
        raise ModelError(refused)
    before = set(trunk.state_dict())
    _truncate(trunk, last_stage)
    return trunk, frozenset(before - set(trunk.state_dict()))


def _truncate(model: nn.Module, last_stage: str | None) -> None:
    """Take away the head, and what follows the stage."""
    last = len(list_stages(model)) - 1
    if last_stage is None and isinstance(model, EfficientNet):
        model.reset_classifier(0, "")  # pruning would take the convolution after the last stage, too
        return
    wanted = last if last_stage is None else stage_index(model, last_stage)
    # timm counts a VGG's last pooling as a stage of its own
    index = wanted + 1 if wanted == last and isinstance(model, VGG) else wanted
    cast(Any, model).prune_intermediate_layers([index], prune_norm=wanted < last, prune_head=True)


@cache
def _unsupported_reason(name: str) -> str:
    """Say why a backbone gives no grid, without weights or memory; nothing where it does."""
    trunk = backbone.meta_model(name).eval()
    height, width = cast(Any, trunk).default_cfg["input_size"][1:]
    try:
        _truncate(trunk, None)
        forward_stages(trunk, torch.zeros(1, 3, height, width, device="meta"), default_taps(trunk))
    except ModelError as error:
        return str(error)
    return ""


def stage_index(model: nn.Module, name: str) -> int:
    """Give the number of a stage.

    Raises
    ------
    ModelError
        The backbone has no stage of that name: lists those that it has.
    """
    names = [stage.name for stage in list_stages(model)]
    if name not in names:
        raise ModelError(unknown_name_message("stage", name, names))
    return names.index(name)


def default_taps(model: nn.Module) -> tuple[int, ...]:
    """Choose the two stages at a quarter and a half of the last reduction: pool3 and pool4 in a VGG.

    A transformer of one grid size gives those after half and three quarters of its blocks.
    """
    listed = list_stages(model)
    last = listed[-1].reduction
    found = [
        max(n for n, stage in enumerate(listed) if stage.reduction == last // part)
        for part in (4, 2)
        if any(stage.reduction == last // part for stage in listed)
    ]
    return tuple(found) if found else (len(listed) // 2 - 1, 3 * len(listed) // 4 - 1)
