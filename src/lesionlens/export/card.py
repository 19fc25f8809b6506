"""What stands beside an exported network: all that a stranger needs to use it, and how it was checked."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lesionlens import __version__
from lesionlens.models.bundle import RESEARCH_USE, Card

Target = Literal["onnx", "openvino", "torch-export"]


class Tensors(BaseModel):
    """A named input or output; ``batch`` stands for any number of images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shape: tuple[int | str, ...]


class Difference(BaseModel):
    """The largest differences from torch on one batch, by name; ``scores`` are what the logits come to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: int
    largest: dict[str, float]


class Agreement(BaseModel):
    """Scores of images by the export against torch in float32.

    Attributes
    ----------
    classes
        Share of the images whose highest score is of the same class.
    scores
        The largest difference of a score.
    auc, auc_of_torch
        Mean over the classes that have images; None without labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    computed_by: str
    precision: str
    images: int
    classes: float
    scores: float
    auc: float | None = None
    auc_of_torch: float | None = None


class ExportCard(BaseModel):
    """``card.json`` of an export.

    Attributes
    ----------
    made_with
        Versions of what made the file.
    model
        The card of the bundle: classes, pre-processing, what it was trained on.
    checks
        Against torch, on batches of several sizes.
    agreement
        On the images that were given to check it, in float32 and bf16.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["export"] = "export"
    format: int = 1
    lesionlens: str = __version__
    intended_use: str = RESEARCH_USE
    target: Target
    file: str
    made_with: dict[str, str]
    model: Card
    input: Tensors
    outputs: tuple[Tensors, ...]
    checks: tuple[Difference, ...]
    agreement: tuple[Agreement, ...] = ()
