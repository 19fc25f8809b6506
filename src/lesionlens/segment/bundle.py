"""A trained segmentation network as a folder: ``model.safetensors`` and ``card.json``; nothing pickled."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch import nn

from lesionlens import __version__
from lesionlens.errors import SavedModelError
from lesionlens.models.bundle import RESEARCH_USE_NOTICE, find_model_dir, resolve_device
from lesionlens.preprocessing import Preprocessing
from lesionlens.segment.network import SegmentationModelSpec


class SegmentationModelCard(BaseModel):
    """What a stranger must know to use the weights, and to know what they are.

    Attributes
    ----------
    kind
        Tells these bundles from those of classifiers.
    preprocessing
        How an image becomes the network's input: resized whole.
    keep_largest_component
        Whether only the largest region of a mask is kept, its holes filled.
    training_data
        Data sources, fingerprints, seed, epoch and the validation metric that chose these weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["segmentation"] = "segmentation"
    format: int = 1
    lesionlens: str = __version__
    intended_use: str = RESEARCH_USE_NOTICE
    architecture: SegmentationModelSpec
    preprocessing: Preprocessing
    keep_largest_component: bool
    training_data: dict[str, Any] = {}


@dataclass(frozen=True)
class LoadedSegmentationModel:
    """A network in eval mode, its card, and the SHA-256 digest of its weights' file."""

    model: nn.Module
    card: SegmentationModelCard
    digest: str


def load_segmentation_model(model_dir: Path | str, *, device: str | torch.device = "cpu") -> LoadedSegmentationModel:
    """Read a bundle (or the ``best`` bundle of a run's folder).

    Raises
    ------
    BundleError
        A file is missing or damaged, it is a classifier's, or the weights are not those of the network on the card.
    ModelError
        The device does not exist here, or the extra ``segment`` is not installed.
    """
    where = resolve_device(device)
    model_dir = find_model_dir(Path(model_dir))
    try:
        card = SegmentationModelCard.model_validate_json((model_dir / "card.json").read_text(encoding="utf-8"))
        content = (model_dir / "model.safetensors").read_bytes()
        state = load(content)
    except ValidationError as error:
        raise SavedModelError(
            f"{model_dir} holds no segmentation network; give what lesionlens segment train wrote"
        ) from error
    except (OSError, UnicodeDecodeError, SafetensorError) as error:
        raise SavedModelError(f"{model_dir} is no bundle of LesionLens that can be read: {error}") from error
    model = card.architecture.build()
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise SavedModelError(
            f"the weights in {model_dir} are not those of the network on its card: {error}"
        ) from error
    return LoadedSegmentationModel(model=model.to(where).eval(), card=card, digest=hashlib.sha256(content).hexdigest())
