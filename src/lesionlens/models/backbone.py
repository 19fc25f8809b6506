"""timm backbones: building them by name, their stages and feature maps, and their classifiers.

This is the only module that handles the loose types of timm's attributes.
"""

import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from fnmatch import fnmatch
from functools import cache
from typing import Any, NamedTuple, cast, no_type_check

import timm
import torch
import torch.nn.functional as F
from timm.models.densenet import DenseNet
from timm.models.efficientnet import EfficientNet
from timm.models.vgg import VGG
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from lesionlens.core.errors import ModelError, unknown_name_message
from lesionlens.models.types import Images

SUPPORTED_RESIDUAL_BACKBONES = (
    "It works on timm's resnet*, resnext*, wide_resnet*, seresnet*, seresnext* and their -D variants, for example "
    "resnet18, resnet50, resnext50_32x4d"
)
NO_FEATURE_MAP_MESSAGE = (
    "Gates, soft attention and maps need one spatial feature map, which backbones of the ResNet, ResNeXt, SE, "
    "DenseNet, VGG, Inception, MobileNet, EfficientNet, ConvNeXt, ViT and Swin families have. Without attention and "
    "maps the backbone can be trained"
)


def create_backbone(name: str, *, num_classes: int, last_relu: bool = True, **kwargs: Any) -> nn.Module:
    """Build a timm model without pretrained weights; its head is initialized near zero.

    Parameters
    ----------
    name
        Name of a timm model.
    num_classes
        Number of classes k.
    last_relu
        Whether a DenseNet ends with the ReLU after its last batch norm; the backbone of Gessert et al. 2019 does not.
    kwargs
        Further options of the timm model.

    Raises
    ------
    ModelError
        The backbone does not exist, or does not accept one of the options.
    """
    check_backbone_name(name)
    _check_no_files(kwargs)
    _check_dropout(kwargs)
    try:
        # timm uses a pretrained tag ("resnet50.tv_in1k") only to select the weights
        model: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes, **kwargs)
    except BUILD_ERRORS as error:
        raise ModelError(_build_error_message(name, kwargs, error)) from error
    init_head_near_zero(model.get_classifier())  # type: ignore[operator]
    if not last_relu:
        _remove_final_relu(model, name)
    return model


BUILD_ERRORS = (
    TypeError, ValueError, RuntimeError, AssertionError, AttributeError, LookupError, ArithmeticError
)  # fmt: skip
"""Errors of timm and torch for options that do not fit a network."""
_FILE_OPTIONS = re.compile(
    r"pretrained\w*|checkpoint_path|cache_dir|load_\w+"
)  # timm would read or download files


def _check_no_files(kwargs: Mapping[str, Any]) -> None:
    if files := [key for key in kwargs if _FILE_OPTIONS.fullmatch(key)]:
        raise ModelError(
            f"{', '.join(files)} is not an option of a network, because it reads files. Pass weights with "
            "model.weights: none, imagenet, or the path of a file"
        )


def _check_dropout(kwargs: Mapping[str, Any]) -> None:
    """Raise an error for rates that torch would reject in the first training step."""
    for key, rate in kwargs.items():
        if re.fullmatch(r"(\w+_)?drop(_path|_block)?_rate", key) and not _is_fraction(rate):
            raise ModelError(f"{key}={rate!r} is not a rate; use a number from 0 to below 1")


def _is_fraction(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value < 1


def _build_error_message(name: str, kwargs: Mapping[str, Any], error: Exception) -> str:
    unexpected = re.search(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if unexpected is None:
        options = ", ".join(f"{key}={value!r}" for key, value in kwargs.items()) or "none"
        return f"backbone {name!r} cannot be built with options {options}: {error}"
    cls = getattr(sys.modules[timm.model_entrypoint(name.split(".")[0]).__module__], unexpected[1], None)
    known = sorted(set(inspect.signature(cls).parameters) - {"num_classes", "kwargs"}) if cls else []
    near = get_close_matches(unexpected[2], known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return (
        f"neither the attention mechanism nor the backbone {name!r} has an option {unexpected[2]!r}: {hint}Options of "
        f"the backbone: {', '.join(known)}"
    )


def check_backbone_name(name: str) -> None:
    """Raise an error unless timm has a backbone of that name.

    Raises
    ------
    ModelError
        The backbone does not exist: lists similar names.
    """
    if timm.is_model(name.split(".")[0]):
        return
    similar = similar_backbones(name)
    raise ModelError(
        unknown_name_message(
            "backbone",
            name,
            similar or ["resnet50", "mobilenetv2_100"],
            suggestion=similar[0] if similar else "",
        )
        + ", … (full list: lesionlens models --backbones '*')"
    )


def list_backbones(pattern: str) -> list[str]:
    """Return timm's names that match a pattern such as ``mobilenet*``."""
    return [name for name in timm.list_models() if fnmatch(name, pattern)]


def similar_backbones(name: str) -> list[str]:
    """Return up to six of timm's names that are spelled like a name, the most similar first.

    Examples
    --------
    >>> similar_backbones("mobilenet_v2")[0], similar_backbones("ResNet-50")[0], similar_backbones("resnt50")[0]
    ('mobilenetv2_100', 'resnet50', 'resnet50')
    """
    by_letters: dict[str, list[str]] = {}
    for model in timm.list_models():
        by_letters.setdefault(_letters(model), []).append(model)
    letters = _letters(name)
    begins = sorted(
        (key for key in by_letters if key.startswith(letters)),
        key=lambda key: (len(key), not key.endswith("100"), key),  # the usual width first
    )
    near = get_close_matches(letters, by_letters, n=6, cutoff=0.6)
    keys = dict.fromkeys([*(begins if letters else []), *near])
    return [model for key in keys for model in by_letters[key]][:6]


def _letters(name: str) -> str:
    """Return the letters and digits of a name, and of a pretrained tag only the name before it."""
    return re.sub(r"[\W_]+", "", name.split(".")[0].casefold())


def _remove_final_relu(model: nn.Module, name: str) -> None:
    if not isinstance(model, DenseNet):
        raise ModelError(
            f"last_relu=False is only for DenseNets, which end with a ReLU after the last batch norm; {name!r} is not "
            "one. Remove last_relu, or use for example densenet121"
        )
    cast(Any, model.features).norm5.act = nn.Identity()


def init_head_near_zero(head: nn.Module | tuple[nn.Module, ...]) -> None:
    """Initialize a linear head so that the first scores are nearly uniform.

    Some of timm's heads start with logits of ten and more for a few classes.
    """
    if isinstance(head, nn.Linear):
        nn.init.normal_(head.weight, std=0.01)
        nn.init.zeros_(head.bias)


class _WithoutInitialization(TorchFunctionMode):
    """Skips the functions that initialize weights, and returns these as they are."""

    _SKIPPED = frozenset(
        (
            *(getattr(nn.init, name) for name in ("constant_", "kaiming_uniform_", "normal_", "uniform_")),
            *(getattr(Tensor, name) for name in ("uniform_", "normal_", "erfinv_", "clamp_", "mul_", "add_")),
            *(getattr(Tensor, name) for name in ("fill_", "zero_")),
        )
    )

    @no_type_check  # called for every operation, which shape checks in tests would make slow
    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in self._SKIPPED:
            return args[0] if args else kwargs["tensor"]
        return func(*args, **(kwargs or {}))


@contextmanager
def meta_device() -> Iterator[None]:
    """Build networks without memory for their weights: to count them, to inspect layers or to assign other weights.

    Initialization is skipped, too: on the meta device it changes nothing and takes most of the time.
    """
    with torch.device("meta"), _WithoutInitialization():
        yield


def meta_model(name: str, **kwargs: Any) -> nn.Module:
    """Build a backbone on the meta device, to inspect its layers."""
    with meta_device():
        return create_backbone(name, num_classes=2, **kwargs)


def count_parameters(model: nn.Module) -> int:
    """Return the number of parameters."""
    return sum(parameter.numel() for parameter in model.parameters())


def check_input(model: nn.Module, size: tuple[int, int], *, num_crops: int | None = None) -> None:
    """Run a network on one image of zeros, to detect an invalid size early.

    Parameters
    ----------
    size
        Height and width in pixels.
    num_crops
        Number of crops, for a network of crops.

    Raises
    ------
    ModelError
        The size is too small, or not the one that the position embedding was built for.
    """
    try:
        with torch.inference_mode():
            model.eval()(torch.zeros(1, *([num_crops] if num_crops else []), 3, *size))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ModelError(
            f"the network cannot process images of {size[0]} × {size[1]} pixels: {error}. Change model.input_size, "
            "or set model.kwargs={img_size: …} for a transformer"
        ) from error
    model.train()


class Stage(NamedTuple):
    """Stage of a backbone whose feature map can be tapped.

    Attributes
    ----------
    name
        timm's name of its last layer (``layer3``), or ``pool3`` in a VGG.
    channels
        Number of channels of its feature map.
    reduction
        Ratio of the side lengths of input and feature map.
    """

    name: str
    channels: int
    reduction: int


def list_stages(model: nn.Module) -> tuple[Stage, ...]:
    """Return the stages of a backbone, from input to output.

    Raises
    ------
    ModelError
        timm does not support intermediate features of this backbone.
    """
    if not hasattr(model, "forward_intermediates"):
        raise ModelError(
            f"timm does not provide intermediate features of {type(model).__name__}. {NO_FEATURE_MAP_MESSAGE}"
        )
    info = cast(Any, model).feature_info
    stages = [Stage(d["module"], d["num_chs"], d["reduction"]) for d in getattr(info, "info", info)]
    if isinstance(model, VGG):
        return tuple(Stage(f"pool{n}", s.channels, 2 * s.reduction) for n, s in enumerate(stages[:-1], 1))
    return tuple(stages)


def stage_index(model: nn.Module, name: str) -> int:
    """Return the index of a stage.

    Raises
    ------
    ModelError
        The backbone has no stage of that name: lists the existing ones.
    """
    names = [stage.name for stage in list_stages(model)]
    if name not in names:
        raise ModelError(unknown_name_message("stage", name, names))
    return names.index(name)


def default_taps(model: nn.Module) -> tuple[int, ...]:
    """Return the indices of the stages at a quarter and a half of the last reduction: pool3 and pool4 of a VGG.

    For a transformer of constant resolution: the stages after half and three quarters of its blocks.
    """
    stages = list_stages(model)
    last = stages[-1].reduction
    taps = [
        max(n for n, stage in enumerate(stages) if stage.reduction == last // divisor)
        for divisor in (4, 2)
        if any(stage.reduction == last // divisor for stage in stages)
    ]
    return tuple(taps) if taps else (len(stages) // 2 - 1, 3 * len(stages) // 4 - 1)


def forward_stages(
    model: nn.Module, x: Images, stage_indices: tuple[int, ...]
) -> tuple[Tensor, list[Tensor]]:
    """Return the last feature map and those of the requested stages, all (b, c, h, w).

    A VGG's stage ends with its pooling, as in the papers that use it; timm's ends before.
    """
    size = (x.shape[2], x.shape[3])
    if not stage_indices:
        return to_nchw(cast(Any, model).forward_features(x), model, image_size=size), []
    last, tapped = cast(Any, model).forward_intermediates(x, indices=list(stage_indices))
    if isinstance(model, VGG):
        tapped = [F.max_pool2d(features, 2, 2) for features in tapped]
    return to_nchw(last, model, image_size=size), list(tapped)


def truncated_backbone(
    name: str, *, last_stage: str | None = None, **kwargs: Any
) -> tuple[nn.Module, frozenset[str]]:
    """Build a backbone that ends with its last feature map or a stage; return it and the state-dict keys it lacks.

    Raises
    ------
    ModelError
        The backbone does not exist, does not accept the options, has no feature map or no such stage.
    """
    model = create_backbone(name, num_classes=1, **kwargs)
    if reason := _unsupported_reason(name.split(".")[0]):
        raise ModelError(reason)
    keys = set(model.state_dict())
    _truncate(model, last_stage)
    return model, frozenset(keys - set(model.state_dict()))


def _truncate(model: nn.Module, last_stage: str | None) -> None:
    """Remove the head and all layers after a stage."""
    last = len(list_stages(model)) - 1
    if last_stage is None and isinstance(model, EfficientNet):
        model.reset_classifier(0, "")  # pruning would remove the convolution after the last stage, too
        return
    stage = last if last_stage is None else stage_index(model, last_stage)
    # timm counts a VGG's last pooling as a separate stage
    index = stage + 1 if stage == last and isinstance(model, VGG) else stage
    cast(Any, model).prune_intermediate_layers([index], prune_norm=stage < last, prune_head=True)


@cache
def _unsupported_reason(name: str) -> str:
    """Return why a backbone has no feature map, without allocating weights; empty if it has one."""
    model = meta_model(name).eval()
    height, width = cast(Any, model).default_cfg["input_size"][1:]
    try:
        _truncate(model, None)
        forward_stages(model, torch.zeros(1, 3, height, width, device="meta"), default_taps(model))
    except ModelError as error:
        return str(error)
    return ""


def to_nchw(features: Any, model: nn.Module, *, image_size: tuple[int, int]) -> Tensor:
    """Convert timm features to a feature map (b, c, h, w), also channels-last ones (Swin) and tokens (ViT).

    Parameters
    ----------
    features
        Output of the model's ``forward_features``.
    image_size
        Height and width of the input images, in pixels.

    Raises
    ------
    ModelError
        There are several feature maps, or the tokens do not form one.
    """
    if not isinstance(features, Tensor):
        raise ModelError(
            f"{type(model).__name__} ends with {len(features)} feature maps instead of one. {NO_FEATURE_MAP_MESSAGE}"
        )
    channels = int(model.num_features)  # type: ignore[arg-type]
    if features.ndim == 4:
        return features if features.shape[1] == channels else features.permute(0, 3, 1, 2)
    tokens = features[:, int(getattr(model, "num_prefix_tokens", 0)) :]
    embed: Any = getattr(model, "patch_embed", None)
    size = embed.dynamic_feat_size(image_size) if hasattr(embed, "dynamic_feat_size") else (0, 0)
    if size[0] * size[1] != tokens.shape[1]:
        raise ModelError(
            f"{type(model).__name__} returns {tokens.shape[1]} tokens that do not form a feature map. "
            f"{NO_FEATURE_MAP_MESSAGE}"
        )
    return tokens.transpose(1, 2).reshape(features.shape[0], channels, size[0], size[1])


def classifier_keys(model: nn.Module) -> frozenset[str]:
    """Return the state-dict keys of the classifier, which is not pretrained."""
    names = getattr(model, "default_cfg", {}).get("classifier")
    layers = (names,) if isinstance(names, str) else tuple(names or ())
    return frozenset(f"{layer}.{parameter}" for layer in layers for parameter in ("weight", "bias"))


def linear_head_weight(model: nn.Module) -> Tensor | None:
    """Return the weight (k, c) of a classifier that is one linear layer on averaged features, otherwise None."""
    head = model.get_classifier()  # type: ignore[operator]
    pooling = str(getattr(getattr(model, "global_pool", None), "pool_type", ""))
    same_width = isinstance(head, nn.Linear) and head.in_features == model.num_features
    hidden = int(getattr(model, "head_hidden_size", 0) or 0)
    if isinstance(head, nn.Linear) and same_width and pooling == "avg" and hidden in {0, head.in_features}:
        return head.weight
    return None
