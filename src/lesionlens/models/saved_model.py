"""Saved models: a directory with ``model.safetensors`` and ``model_card.json``, without pickled objects."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from lesionlens.core.errors import ModelError, SavedModelError
from lesionlens.core.fileio import atomic_write, sha256_of_file, write_text
from lesionlens.core.runtime import retain_freed_memory
from lesionlens.models.base import Classifier
from lesionlens.models.factory import build_network
from lesionlens.models.model_card import CARD_FILE, WEIGHTS_FILE, BaseModelCard, ModelCard, read_model_card
from lesionlens.models.model_names import find_model_dir

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class LoadedModel:
    """Model in evaluation mode, its card, and the directory that it was loaded from, if any."""

    model: Classifier
    card: ModelCard
    path: Path | None = None

    @property
    def directory(self) -> Path:
        """Directory that the model was loaded from; a ``SavedModelError`` if there is none."""
        if self.path is None:
            raise SavedModelError(
                "the model was not loaded from a directory. Save it with save_model, and load it"
            )
        return self.path


def save_model(folder: Path, model: nn.Module, card: BaseModelCard) -> None:
    """Write any network with its card; each file is replaced atomically, the weights first.

    Raises
    ------
    RunError
        The directory cannot be written; a model that it contained before is intact.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    # one entry, because the order of several is not deterministic
    content = save(state, metadata={"format": "pt"})
    with atomic_write(folder / WEIGHTS_FILE) as file:
        file.write_bytes(content)
    card = card.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
    write_text(folder / CARD_FILE, card.model_dump_json(indent=2) + "\n")


def load_saved_model(name: Path | str, *, device: str | torch.device = "cpu") -> LoadedModel:
    """Load a saved model.

    Parameters
    ----------
    name
        Directory or name of the model, as for ``find_model_dir``.
    device
        Device of the model, as for ``resolve_device``; default ``cpu``.

    Raises
    ------
    SavedModelError
        A file is missing or damaged, or the weights do not match the network on the card.
    ModelError
        The device is not available.
    """
    folder = find_model_dir(name)
    card = read_model_card(folder, ModelCard)
    verify_weights(folder, card)
    model = build_network(card.architecture, len(card.classes))
    return LoadedModel(load_weights(model, folder, device=device), card, folder)


def verify_weights(folder: Path, card: BaseModelCard) -> None:
    """Raise a ``SavedModelError`` if the weights are missing, or differ from the checksum on their card."""
    try:
        digest = sha256_of_file(folder / WEIGHTS_FILE)
    except OSError as error:
        raise SavedModelError(f"the weights in {folder} cannot be read: {error.strerror}") from error
    if card.weights_sha256 not in ("", digest):
        raise SavedModelError(
            f"the weights in {folder} differ from the checksum on the model card: the file is damaged, or belongs to "
            "another card. Restore it, or resume or repeat the training"
        )


def load_weights(model: Model, folder: Path, *, device: str | torch.device) -> Model:
    """Load the weights of a saved model into its network, and return it on the device in evaluation mode.

    Raises
    ------
    SavedModelError
        The file is missing or damaged, or the weights do not match the network.
    ModelError
        The device is not available.
    """
    retain_freed_memory()
    torch_device = resolve_device(device)
    try:
        model.load_state_dict(load_file(folder / WEIGHTS_FILE))
    except (OSError, SafetensorError) as error:
        raise SavedModelError(f"the weights in {folder} cannot be read: {error}") from error
    except RuntimeError as error:
        raise SavedModelError(f"the weights in {folder} do not match the model card: {error}") from error
    return model.to(torch_device).eval()


def resolve_device(name: str | torch.device) -> torch.device:
    """Return the torch device for ``auto``, ``gpu`` or a name of torch's.

    Raises
    ------
    ModelError
        The device is not available.
    """
    available = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device({"auto": available, "gpu": "cuda"}.get(str(name), name))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"device {str(name)!r} is not available to torch. Use auto or cpu") from error
    return device
