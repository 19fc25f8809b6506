"""Model cards: everything that is needed to use the weights of a saved model. No torch is imported."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from lesionlens import __version__
from lesionlens.core.errors import RecipeError, SavedModelError, shorten_repr
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.spec import ModelSpec

ClassName = Annotated[str, Field(min_length=1)]
WEIGHTS_FILE, CARD_FILE = "model.safetensors", "model_card.json"
FORMAT = 1  # of the files
Card = TypeVar("Card", bound="BaseModelCard")


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
