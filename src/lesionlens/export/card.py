"""What stands beside an exported network: all that a stranger needs to use it, and how it was checked."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lesionlens import __version__
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.models.saved_model import ModelCard

ExportFormat = Literal["onnx", "openvino", "torch-export"]


class TensorSpec(BaseModel):
    """A named input or output; ``batch`` stands for any number of images."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shape: tuple[int | str, ...]


class NumericCheck(BaseModel):
    """The largest differences from torch on one batch, by name; ``scores`` are what the logits come to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int
    max_errors: dict[str, float]


class VerificationResult(BaseModel):
    """Scores of images by the export against torch in float32.

    Attributes
    ----------
    class_agreement
        Share of the images whose highest score is of the same class.
    max_score_difference
        The largest difference of a score.
    auc, torch_auc
        Mean over the classes that have images; None without labels.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str
    precision: str
    num_images: int
    class_agreement: float
    max_score_difference: float
    auc: float | None = None
    torch_auc: float | None = None


class ExportCard(BaseModel):
    """``card.json`` of an export.

    Attributes
    ----------
    versions
        Versions of what made the file.
    model
        The card of the saved model: classes, pre-processing, what it was trained on.
    numeric_checks
        Against torch, on batches of several sizes.
    verification
        On the images that were given to check it, in float32 and bf16.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["export"] = "export"
    format: int = 1
    lesionlens: str = __version__
    intended_use: str = RESEARCH_USE_NOTICE
    export_format: ExportFormat
    file: str
    versions: dict[str, str]
    model: ModelCard
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    numeric_checks: tuple[NumericCheck, ...]
    verification: tuple[VerificationResult, ...] = ()
