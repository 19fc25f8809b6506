"""A trained model as a folder: ``model.safetensors`` and ``model_card.json``; nothing pickled."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from lesionlens import __version__
from lesionlens.core.errors import ModelError, SavedModelError
from lesionlens.core.fileio import atomic_write, write_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.core.runtime import retain_freed_memory
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.base import Classifier
from lesionlens.models.factory import ModelSpec


class ModelCard(BaseModel):
    """What a stranger must know to use the weights, and to know what they are.

    Attributes
    ----------
    architecture
        backbone, attention and kwargs: enough to build the network.
    name
        Of the zoo, if it has one.
    classes
        Names of the k scores, in order.
    multilabel
        Each score is a sigmoid of its own, of its class against everything else; they need not sum to one.
    preprocessing
        How an image becomes the network's input.
    training_data
        Data source, fingerprint, task, seed, epoch and the validation metric that chose these weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 1
    lesionlens: str = __version__
    intended_use: str = RESEARCH_USE_NOTICE
    name: str | None = None
    architecture: ModelSpec
    classes: tuple[str, ...]
    multilabel: bool = False
    preprocessing: Preprocessing
    training_data: dict[str, Any] = {}


@dataclass(frozen=True)
class LoadedModel:
    """A model in eval mode, and its card."""

    model: Classifier
    card: ModelCard


def save_model(folder: Path, model: nn.Module, card: BaseModel) -> None:
    """Write a model of any network with its card; each file is replaced in one step, the weights first.

    Raises
    ------
    RunError
        The folder cannot be written; a model that was there before is intact.
    """
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    content = save(state, metadata={"format": "pt"})  # one entry: more come in any order
    with atomic_write(folder / "model.safetensors") as file:
        file.write_bytes(content)
    write_text(folder / "model_card.json", card.model_dump_json(indent=2) + "\n")


def load_model(folder: Path | str, *, device: str | torch.device = "cpu") -> LoadedModel:
    """Read a saved model (or that in the folder ``model`` of a run).

    Raises
    ------
    SavedModelError
        A file is missing or damaged, or the weights are not those of the network on the card.
    ModelError
        The device does not exist here.
    """
    retain_freed_memory()
    where = resolve_device(device)
    folder = find_model_dir(Path(folder))
    try:
        card = ModelCard.model_validate_json((folder / "model_card.json").read_text(encoding="utf-8"))
        state = load_file(folder / "model.safetensors")
    except (OSError, UnicodeDecodeError, ValidationError, SafetensorError) as error:
        raise SavedModelError(f"{folder} is no model of LesionLens that can be read: {error}") from error
    model = card.architecture.build(len(card.classes))
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise SavedModelError(
            f"the weights in {folder} are not those of the network on its card: {error}"
        ) from error
    return LoadedModel(model=model.to(where).eval(), card=card)


def resolve_device(name: str | torch.device) -> torch.device:
    """Understand the words of a recipe, auto and gpu, and torch's own.

    Raises
    ------
    ModelError
        Torch has no such device here.
    """
    there = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device({"auto": there, "gpu": "cuda"}.get(str(name), name))
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"there is no device {str(name)!r} that torch can use; give auto or cpu") from error
    return device


def find_model_dir(folder: Path) -> Path:
    """Find the model: the folder itself, or the one of a run.

    Raises
    ------
    SavedModelError
        There is none.
    """
    for candidate in (folder, folder / "model"):
        if (candidate / "model_card.json").is_file():
            return candidate
    raise SavedModelError(
        f"no model in {folder}: expected a folder with model.safetensors and model_card.json, "
        "or a run's folder with model/"
    )
