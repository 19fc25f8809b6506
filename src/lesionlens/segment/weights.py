"""ImageNet weights for the encoder of a segmentation network: every tensor finds its place, or it is an error."""

from pathlib import Path

from torch import Tensor, nn

from lesionlens.errors import WeightsError
from lesionlens.models.weights import StateDict, download_pretrained, load_state_dict_file


def load_encoder_weights(model: nn.Module, weights: str, *, encoder: str) -> None:
    """Put weights into the encoder, in place; the decoder starts fresh.

    Parameters
    ----------
    weights
        ``none``, ``imagenet``, or the path of a .pth or .safetensors file with timm's keys.
    encoder
        timm's name, whose tag says which weights ``imagenet`` means.

    Raises
    ------
    WeightsError
        The weights cannot be had or read, or a tensor of the encoder is missing or of another shape.
    """
    if weights == "none":
        return
    state = download_pretrained(encoder, option="--weights ") if weights == "imagenet" else load_state_dict_file(Path(weights))
    trunk: nn.Module = model.encoder.model  # type: ignore[assignment, union-attr]
    by_name = {_normalize_key(key): value for key, value in state.items()}
    own = trunk.state_dict()
    fitting = {key: by_name[_normalize_key(key)] for key, value in own.items() if _matches(by_name, key, value)}
    lacking = sorted(key for key in set(own) - set(fitting) if not key.endswith("num_batches_tracked"))
    if lacking:
        raise WeightsError(
            f"the weights {weights!r} do not fit the encoder {encoder!r}: {len(lacking)} of its {len(own)} tensors "
            f"are missing or of another shape, for example {lacking[0]}. Give the weights of the same timm model, "
            "or --weights none"
        )
    trunk.load_state_dict({**own, **fitting})


def _normalize_key(key: str) -> str:
    """Name a tensor alike in a whole network and in one whose stages timm has taken apart (``stages_0.`` there)."""
    return key.replace("_", ".")


def _matches(by_name: StateDict, key: str, value: Tensor) -> bool:
    found = by_name.get(_normalize_key(key))
    return found is not None and found.shape == value.shape
