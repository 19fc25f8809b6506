"""Verify an exported network on real images: predicted classes, scores and AUC compared with PyTorch."""

from pathlib import Path

import numpy as np

from lesionlens.core.optional_packages import missing_packages
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.inference.backends import SessionFn, openvino_supports_bf16
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engine import InferenceEngine
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs
from lesionlens.inference.session_engine import engine_from_session, load_session
from lesionlens.models.export_card import ExportFormat, VerificationResult
from lesionlens.models.saved_model import LoadedModel


def verify_on_images(
    loaded: LoadedModel, file: Path, export_format: ExportFormat, session: SessionFn, inputs: InferenceInputs
) -> tuple[VerificationResult, ...]:
    """Score images with PyTorch and with the export in float32, and in bf16 where an engine supports it.

    Parameters
    ----------
    inputs
        Images; their labels, if any, are used for the AUC.

    Raises
    ------
    LesionLensError
        No image can be read.
    """
    reference = run_inference(open_engine(loaded, "torch", num_images=1), loaded.card, inputs).predictions
    exact = _engine(loaded, export_format, session)
    engines = [("fp32", export_format, exact), *_bf16_engines(loaded, file, export_format)]
    return tuple(
        compare_with_torch(run_inference(engine, loaded.card, inputs).predictions, reference, precision, name)
        for precision, name, engine in engines
    )


def _engine(loaded: LoadedModel, name: str, session: SessionFn) -> InferenceEngine:
    multi_crop = loaded.model.num_crops is not None
    return engine_from_session(name, session, loaded.card.preprocessing, multi_crop=multi_crop)


def compare_with_torch(
    predictions: Predictions, reference: Predictions, precision: str, engine: str
) -> VerificationResult:
    """Compare the scores of an engine with PyTorch's scores of the same images."""
    same = predictions.scores.argmax(axis=1) == reference.scores.argmax(axis=1)
    return VerificationResult(
        engine=engine,
        precision=precision,
        num_images=len(same),
        class_agreement=float(same.mean()),
        max_score_difference=float(np.abs(predictions.scores - reference.scores).max()),
        auc=macro_auc(predictions),
        torch_auc=macro_auc(reference),
    )


def macro_auc(predictions: Predictions) -> float | None:
    """Return the AUC averaged over the classes for which it is defined; None without labels."""
    if not (predictions.label != "").any():
        return None
    result = evaluate(predictions, n_resamples=0)
    aucs = [result.value("auc", name) for name in result.curves]
    return float(np.mean(aucs)) if aucs else None


def _bf16_engines(
    loaded: LoadedModel, file: Path, export_format: ExportFormat
) -> list[tuple[str, str, InferenceEngine]]:
    """Open engines for bf16: torch, or OpenVINO on the same file, as ONNX Runtime has no bf16 on the CPU."""
    if export_format == "torch-export":
        return [("bf16", "torch", open_engine(loaded, "torch", precision="bf16", num_images=1))]
    if missing_packages("openvino") or not openvino_supports_bf16():
        return []
    session = load_session(file, "openvino", precision="bf16")
    engine = _engine(loaded, "openvino", session)
    return [("bf16", "openvino", engine)]
