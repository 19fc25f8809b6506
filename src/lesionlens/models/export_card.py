"""The card of an exported network: everything that is needed to use it, and how it was verified."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from lesionlens import __version__
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.models.model_card import ModelCard

EXPORT_CARD_FILE = "card.json"
ExportFormat = Literal["onnx", "openvino", "torch-export"]


class TensorSpec(BaseModel):
    """Name and shape of an input or output; the dimension ``batch`` may have any size."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shape: tuple[int | str, ...]


class NumericCheck(BaseModel):
    """Largest absolute differences from PyTorch on one batch: of ``scores``, ``logits`` and each attention map."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_size: int
    max_errors: dict[str, float]


class VerificationResult(BaseModel):
    """Agreement between the export and PyTorch in float32 on images.

    Attributes
    ----------
    class_agreement
        Fraction of images with the same highest-scoring class.
    max_score_difference
        Largest absolute difference of a score.
    auc, torch_auc
        Macro-averaged AUC of the export and of PyTorch, over classes that have images; None without labels.
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
    file, file_sha256
        Name of the file of the network, and its SHA-256; "" in exports of earlier versions.
    versions
        Versions of the packages that wrote the file.
    model
        Model card of the saved model: classes, preprocessing, training data.
    numeric_checks
        Differences from PyTorch on random batches of several sizes.
    verification
        Agreement with PyTorch on the images passed as ``verify_on``, in float32 and bf16.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["export"] = "export"
    format: int = 1
    lesionlens: str = __version__
    intended_use: str = RESEARCH_USE_NOTICE
    export_format: ExportFormat
    file: str
    file_sha256: str = ""
    versions: dict[str, str]
    model: ModelCard
    input: TensorSpec
    outputs: tuple[TensorSpec, ...]
    numeric_checks: tuple[NumericCheck, ...]
    verification: tuple[VerificationResult, ...] = ()
