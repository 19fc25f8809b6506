"""ImageNet weights for a backbone: from the hub, from a file, or none; whatever does not fit is an error."""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor

from lesionlens.core.errors import WeightsError
from lesionlens.models import backbone as backbones
from lesionlens.models.base import Classifier

StateDict = Mapping[str, Tensor]
IGNORED_KEYS = "AuxLogits."  # Inception's second head, in the files of torchvision


def load_backbone_weights(model: Classifier, weights: str, *, backbone: str) -> tuple[str, ...]:
    """Put weights into a model's backbone and give the keys that stay new: the head, and a mechanism's own.

    Parameters
    ----------
    model
        Changed in place.
    weights
        ``none``, ``imagenet``, or the path of a .pth or .safetensors file with timm's keys.
    backbone
        timm's name, whose tag says which weights ``imagenet`` means.

    Raises
    ------
    WeightsError
        The weights cannot be had or read, or keys or shapes other than those of the new parts differ.
    """
    if weights == "none":
        return tuple(model.state_dict())
    state = download_pretrained(backbone) if weights == "imagenet" else load_state_dict_file(Path(weights))
    return _load_into_backbone(model, state, origin=weights)


def load_state_dict_file(path: Path) -> StateDict:
    """Read tensors from a .safetensors or .pth file; nothing pickled but tensors is accepted.

    Raises
    ------
    WeightsError
        The file is missing, or is not such a file.
    """
    if not path.is_file():
        raise WeightsError(
            f"no weights file {path}. Allowed: none, imagenet, or the path of a .pth or .safetensors file"
        )
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    except Exception as error:  # torch and safetensors raise many kinds for a damaged or foreign file
        raise WeightsError(
            f"{path} is not a file of tensors that can be read safely; give a .safetensors file, or a .pth that "
            "holds a state dict and nothing else"
        ) from error
    return _unwrap_state_dict(state, path)


def _unwrap_state_dict(state: Any, path: Path) -> StateDict:
    """Take the tensors out of the usual wrappings: ``state_dict``, ``model``, a ``module.`` or ``backbone.`` prefix."""
    for wrapping in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapping), dict):
            state = state[wrapping]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} holds no table of tensors; expected a state dict with timm's keys")
    for prefix in ("module.", "backbone."):
        if state and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return cast(StateDict, state)


def download_pretrained(name: str, *, option: str = "model.weights=") -> StateDict:
    """Fetch ImageNet weights of a timm model, or take them from the hub's cache.

    Parameters
    ----------
    option
        How a user names other weights, for the message.

    Raises
    ------
    WeightsError
        There are none, or they cannot be had.
    """
    try:
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # each retry would be a warning
        return timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # each version of the hub client raises its own kinds
        config = timm.get_pretrained_cfg(name)
        where = getattr(config, "hf_hub_id", None) or getattr(config, "url", None)
        if where is None:
            raise WeightsError(f"there are no ImageNet weights of {name!r}; use {option}none") from error
        raise WeightsError(
            f"cannot get the ImageNet weights of {name!r} from the hub ({type(error).__name__}). On a machine with "
            f"a network, download model.safetensors of https://huggingface.co/{where}, copy it here "
            f"and give {option}PATH/model.safetensors; or train from scratch with {option}none"
        ) from error


def _load_into_backbone(model: Classifier, state: StateDict, *, origin: str) -> tuple[str, ...]:
    own = model.backbone.state_dict()
    prefix = next(f"{name}." for name, module in model.named_modules() if module is model.backbone)
    head = backbones.classifier_keys(model.backbone)
    added = {name.removeprefix(prefix) for name in model.attention_scales}
    counters = {key for key in own if key.endswith("num_batches_tracked")}
    left_out = head | model.discarded_keys
    taken = {k: v for k, v in state.items() if k not in left_out and not k.startswith(IGNORED_KEYS)}
    missing = set(own) - set(taken) - head - added - counters
    surplus = set(taken) - set(own)
    reshaped = {key for key in set(taken) & set(own) if taken[key].shape != own[key].shape}
    if missing or surplus or reshaped:
        raise WeightsError(
            f"the weights {origin!r} do not fit this network: missing {_summarize_keys(missing)}; "
            f"unknown {_summarize_keys(surplus)}; other shape {_summarize_keys(reshaped)}. "
            "Give the weights of the same backbone, or weights=none"
        )
    model.backbone.load_state_dict({**own, **taken})
    loaded = {prefix + key for key in taken} | {prefix + key for key in counters}
    return tuple(sorted(set(model.state_dict()) - loaded))


def _summarize_keys(keys: Iterable[str], limit: int = 5) -> str:
    listed = sorted(keys)
    if not listed:
        return "none"
    return f"{len(listed)} ({', '.join(listed[:limit])}{', …' if len(listed) > limit else ''})"
