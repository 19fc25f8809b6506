"""Saved models: a directory with ``model.safetensors`` and ``model_card.json``, without pickled objects."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from lesionlens import __version__
from lesionlens.core.errors import ModelError, RecipeError, SavedModelError, shorten_repr
from lesionlens.core.fileio import atomic_write, sha256_of_file, write_text
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.core.runtime import retain_freed_memory
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.base import Classifier
from lesionlens.models.factory import ModelSpec
from lesionlens.models.model_names import installed_models, named_model_dir

ClassName = Annotated[str, Field(min_length=1)]
WEIGHTS_FILE, CARD_FILE = "model.safetensors", "model_card.json"
FORMAT = 1  # of the files
Card = TypeVar("Card", bound="BaseModelCard")
Model = TypeVar("Model", bound=nn.Module)


class BaseModelCard(BaseModel):
    """Fields of every model card: how to use the weights, and where they come from.

    Attributes
    ----------
    format
        Version of the file format.
    lesionlens
        Version of LesionLens that wrote the model.
    intended_use
        Notice about the intended use.
    preprocessing
        Conversion of an image to the network's input.
    weights_sha256
        SHA-256 of the file of the weights; "" in models of earlier versions.
    training_data
        Data source, fingerprint, seed, epoch and the validation metric by which these weights were selected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind_name: ClassVar[str]
    written_by: ClassVar[str]  # the command

    format: Literal[1] = 1
    lesionlens: str = __version__
    intended_use: str = RESEARCH_USE_NOTICE
    preprocessing: Preprocessing
    weights_sha256: str = ""
    training_data: dict[str, Any] = {}


class ModelCard(BaseModelCard):
    """Everything that is needed to use the weights of a classifier: the fields of ``BaseModelCard``, and its network.

    Attributes
    ----------
    name
        Name in the zoo, if the network is one of it.
    architecture
        Specification (backbone, attention, kwargs) from which the network can be built.
    classes
        Names of the k classes, in the order of the scores.
    multilabel
        Whether each score is an independent sigmoid of one class against all others; these need not sum to one.
    """

    kind_name = "a classifier"
    written_by = "lesionlens train"

    name: str | None = None
    architecture: ModelSpec
    classes: tuple[ClassName, ...] = Field(min_length=1)
    multilabel: bool = False

    @field_validator("classes")
    @classmethod
    def _check_unique(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) < len(classes):
            raise ValueError(f"classes {list(classes)} contain a duplicate")
        return classes

    @property
    def known_labels(self) -> tuple[str, ...]:
        """The classes, and the diagnoses of the training data that belong to none of them."""
        return tuple(dict.fromkeys((*self.classes, *map(str, self.training_data.get("diagnoses", ())))))


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
    model = card.architecture.build(len(card.classes))
    return LoadedModel(load_weights(model, folder, device=device), card, folder)


def read_model_card(folder: Path, card_type: type[Card]) -> Card:
    """Read the card of a saved model.

    Raises
    ------
    SavedModelError
        The card is missing or damaged, or that of another kind of model.
    """
    text = ""
    try:
        text = (folder / CARD_FILE).read_text(encoding="utf-8")
        return card_type.model_validate_json(text)
    except (OSError, UnicodeDecodeError, ValidationError, RecipeError) as error:
        card = _readable_card(text)
        if isinstance(card.get("format"), int) and card["format"] > FORMAT:
            raise SavedModelError(
                f"{folder} has the file format {card['format']} of a newer version (LesionLens "
                f"{card.get('lesionlens', 'unknown')}); LesionLens {__version__} reads format {FORMAT}. Update "
                "LesionLens"
            ) from error
        if (kind := _kind_on_card(card)) not in ("", card_type.kind_name):
            raise SavedModelError(
                f"{folder} is {kind}, and {card_type.kind_name} is needed here: the model that {card_type.written_by} "
                "writes"
            ) from error
        raise SavedModelError(
            f"{folder} is not a model that {card_type.written_by} of this version wrote, or its {CARD_FILE} is "
            f"damaged: {_first_reason(error)}"
        ) from error


def _readable_card(text: str) -> dict[str, Any]:
    """Return the values of a card, valid or not; none if it is not a JSON object."""
    try:
        card = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return card if isinstance(card, dict) else {}


def _kind_on_card(card: Mapping[str, Any]) -> str:
    """Return the kind of model that a card describes, else ""."""
    if "architecture" not in card:
        return ""
    return "a segmentation model" if "kind" in card else "a classifier" if "classes" in card else ""


def _first_reason(error: Exception) -> str:
    """Return the first reason of an error on one line, with the key of the card."""
    if not isinstance(error, ValidationError):
        return str(error)
    details = error.errors()[0]
    key = ".".join(map(str, details["loc"]))
    got = "" if isinstance(details["input"], dict) else f" (got {shorten_repr(details['input'])})"
    return f"{f'{key}: ' if key else ''}{details['msg']}{got}"


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


def find_model_dir(name: Path | str) -> Path:
    """Return the directory of a model.

    Parameters
    ----------
    name
        Directory of the model, or of a run that contains it in ``model/``; else a name as for ``named_model_dir``.

    Raises
    ------
    SavedModelError
        There is no model.
    """
    folder = Path(name)
    if not folder.exists() and (named := named_model_dir(str(name))) is not None:
        folder = named
    for candidate in (folder, folder / "model"):
        if (candidate / CARD_FILE).is_file():
            return candidate
    if folder.is_file():
        raise SavedModelError(
            f"{folder} is a file; pass the directory that contains model.safetensors and {CARD_FILE}"
        )
    if not folder.exists():
        installed = ", ".join(sorted(installed_models())) or "none"
        raise SavedModelError(
            f"there is no model {name}: it is not a folder here. Installed models: {installed}; models of the Hugging "
            "Face Hub are named hf:OWNER/NAME@REVISION"
        )
    runs = sorted(path.name for path in folder.iterdir() if (path / "model" / CARD_FILE).is_file())
    if runs:
        raise SavedModelError(
            f"no model in {folder}, but in its folders: {', '.join(runs)}. Pass one of these"
        )
    raise SavedModelError(
        f"no model in {folder}: expected a directory with model.safetensors and model_card.json, "
        "or the directory of a run with model/"
    )
