"""Backbones of timm by name, with errors that help; the one place where timm's types are narrowed."""

from difflib import get_close_matches
from functools import cache
from typing import Any, NamedTuple, cast

import timm
import torch
import torch.nn.functional as F
from timm.models.densenet import DenseNet
from timm.models.efficientnet import EfficientNet
from timm.models.vgg import VGG
from torch import Tensor, nn

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models.types import Images

SUPPORTED_RESIDUAL_BACKBONES = (
    "It works on timm's resnet*, resnext*, wide_resnet*, seresnet*, seresnext* and their -D variants, for example "
    "resnet18, resnet50, resnext50_32x4d"
)
NO_FEATURE_MAP_MESSAGE = (
    "Gates, soft attention and maps need one grid of places; the ResNet, ResNeXt, SE, DenseNet, VGG, Inception, "
    "MobileNet, EfficientNet, ConvNeXt, ViT and Swin families have one. Without them the network can be trained"
)


def check_backbone_name(name: str) -> None:
    """Refuse a backbone that timm does not have.

    Raises
    ------
    ModelError
        Names the nearest backbones.
    """
    if timm.is_model(name.split(".")[0]):
        return
    near = get_close_matches(name, timm.list_models(), n=6, cutoff=0.4) or ["resnet50", "mobilenetv2_100"]
    raise ModelError(
        unknown_name_message("backbone", name, near)
        + ", … (the whole list: python -c 'import timm; print(timm.list_models())')"
    )


def create_backbone(name: str, *, num_classes: int, last_relu: bool = True, **kwargs: Any) -> nn.Module:
    """Build a timm model without weights; its head starts near zero.

    Parameters
    ----------
    name
        A timm model.
    num_classes
        Number of classes k.
    last_relu
        False leaves out the ReLU after a DenseNet's last batch norm, as the backbone of Gessert et al. 2019 does.
    kwargs
        Further options of that timm model.

    Raises
    ------
    ModelError
        The backbone does not exist, or it does not take one of the options.
    """
    check_backbone_name(name)
    try:
        # timm reads a pretrained tag ("resnet50.tv_in1k") only to know which weights belong to it
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes, **kwargs)
    except (TypeError, RuntimeError, ValueError, AssertionError) as error:
        given = ", ".join(f"{key}={value!r}" for key, value in kwargs.items()) or "none"
        raise ModelError(f"backbone {name!r} cannot be built with options {given}: {error}") from error
    init_head_near_zero(model.get_classifier())  # type: ignore[operator]
    if not last_relu:
        _remove_final_relu(model, name)
    return model


def _remove_final_relu(model: nn.Module, name: str) -> None:
    if not isinstance(model, DenseNet):
        raise ModelError(
            f"last_relu=False is for DenseNets, which end with a ReLU after the last batch norm; {name!r} is none. "
            "Leave last_relu out, or take for example densenet121"
        )
    cast(Any, model.features).norm5.act = nn.Identity()


def init_head_near_zero(head: nn.Module | tuple[nn.Module, ...]) -> None:
    """Let first scores be near even: some of timm's heads start with logits of ten and more for a few classes."""
    if isinstance(head, nn.Linear):
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)


def check_input(model: nn.Module, size: tuple[int, int], *, num_crops: int | None = None) -> None:
    """Try one image of this size, before anything costly.

    Raises
    ------
    ModelError
        The network cannot take it: too small, or not the size that its position embedding was built for.
    """
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, *([num_crops] if num_crops else []), 3, *size))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ModelError(
            f"the network cannot take images of {size[0]} × {size[1]} pixels: {error}. Give another model.input_size"
            ", or model.kwargs={img_size: …} for a transformer"
        ) from error
    model.train()


def to_nchw(features: Any, model: nn.Module, *, image_size: tuple[int, int]) -> Tensor:
    """Bring timm features to (b, c, h, w): also channels-last maps (Swin) and tokens (ViT).

    Parameters
    ----------
    features
        What ``forward_features`` gave for images of that height and width.

    Raises
    ------
    ModelError
        Several grids, or tokens that do not form one.
    """
    if not isinstance(features, Tensor):
        raise ModelError(
            f"{type(model).__name__} ends with {len(features)} grids, not with one. {NO_FEATURE_MAP_MESSAGE}"
        )
    width = int(model.num_features)  # type: ignore[arg-type]
    if features.ndim == 4:
        return features if features.shape[1] == width else features.permute(0, 3, 1, 2)
    tokens = features[:, int(getattr(model, "num_prefix_tokens", 0)) :]
    embed: Any = getattr(model, "patch_embed", None)
    size = embed.dynamic_feat_size(image_size) if hasattr(embed, "dynamic_feat_size") else (0, 0)
    if size[0] * size[1] != tokens.shape[1]:
        raise ModelError(
            f"{type(model).__name__} gives {tokens.shape[1]} tokens that are no grid. {NO_FEATURE_MAP_MESSAGE}"
        )
    return tokens.transpose(1, 2).reshape(features.shape[0], width, size[0], size[1])


def classifier_keys(model: nn.Module) -> frozenset[str]:
    """Give the state-dict keys of the classifier: the part that is new for every task."""
    names = getattr(model, "default_cfg", {}).get("classifier")
    heads = (names,) if isinstance(names, str) else tuple(names or ())
    return frozenset(f"{head}.{part}" for head in heads for part in ("weight", "bias"))


def linear_head_weight(model: nn.Module) -> Tensor | None:
    """Weight (k, c) of a classifier that is one linear layer on averaged features, else None."""
    head = model.get_classifier()  # type: ignore[operator]
    pooled = str(getattr(getattr(model, "global_pool", None), "pool_type", ""))
    width_kept = isinstance(head, nn.Linear) and head.in_features == model.num_features
    hidden = int(getattr(model, "head_hidden_size", 0) or 0)
    if isinstance(head, nn.Linear) and width_kept and pooled == "avg" and hidden in {0, head.in_features}:
        return head.weight
    return None


def count_parameters(model: nn.Module) -> int:
    """Count the learnable numbers."""
    return sum(parameter.numel() for parameter in model.parameters())


def meta_model(name: str, **kwargs: Any) -> nn.Module:
    """Build the layers without memory for them: to look at what a backbone is made of."""
    with torch.device("meta"):
        return create_backbone(name, num_classes=2, **kwargs)


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
            f"timm gives no intermediate features of {type(model).__name__}. {NO_FEATURE_MAP_MESSAGE}"
        )
    info = cast(Any, model).feature_info
    listed = [Stage(d["module"], d["num_chs"], d["reduction"]) for d in getattr(info, "info", info)]
    if isinstance(model, VGG):
        return tuple(Stage(f"pool{n}", s.channels, 2 * s.reduction) for n, s in enumerate(listed[:-1], 1))
    return tuple(listed)


def forward_stages(
    model: nn.Module, x: Images, stage_indices: tuple[int, ...]
) -> tuple[Tensor, list[Tensor]]:
    """Give the last feature grid and those of the wanted stages, all (b, c, h, w).

    A VGG's stage ends with its pooling, as in the papers that use it; timm's ends before.
    """
    size = (x.shape[2], x.shape[3])
    if not stage_indices:
        return to_nchw(cast(Any, model).forward_features(x), model, image_size=size), []
    last, grids = cast(Any, model).forward_intermediates(x, indices=list(stage_indices))
    if isinstance(model, VGG):
        grids = [F.max_pool2d(grid, 2, 2) for grid in grids]
    return to_nchw(last, model, image_size=size), list(grids)


def truncated_backbone(
    name: str, *, last_stage: str | None = None, **kwargs: Any
) -> tuple[nn.Module, frozenset[str]]:
    """Build a backbone that ends with its last feature grid, or with a stage, and name the keys that it lost.

    Raises
    ------
    ModelError
        It does not exist, does not take the options, gives no grid or has no such stage.
    """
    trunk = create_backbone(name, num_classes=1, **kwargs)
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
    trunk = meta_model(name).eval()
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
