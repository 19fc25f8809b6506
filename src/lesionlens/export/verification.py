"""Whether an exported network says of real images what torch says: classes, scores and the area under the ROC curve."""

from pathlib import Path

import numpy as np

from lesionlens.core.optional_packages import missing_packages
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.predictions import Predictions
from lesionlens.export.card import ExportFormat, VerificationResult
from lesionlens.inference.backends import SessionFn, openvino_supports_bf16
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engine import InferenceEngine
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs
from lesionlens.inference.onnx_engine import engine_from_session, load_session
from lesionlens.models.saved_model import LoadedModel


def verify_on_images(
    loaded: LoadedModel, file: Path, export_format: ExportFormat, session: SessionFn, inputs: InferenceInputs
) -> tuple[VerificationResult, ...]:
    """Score images by torch and by the export in float32, and in bf16 by what can.

    Parameters
    ----------
    inputs
        The images; labels give the areas under the curve.

    Raises
    ------
    LesionLensError
        Not one image can be read.
    """
    by_torch = run_inference(loaded, inputs, engine=open_engine(loaded, "torch", num_images=1)).predictions
    exact = engine_from_session(export_format, session, multi_crop=loaded.model.num_crops is not None)
    found = [("fp32", export_format, exact), *_bf16_engines(loaded, file, export_format)]
    return tuple(
        compare_with_torch(run_inference(loaded, inputs, engine=engine).predictions, by_torch, precision, by)
        for precision, by, engine in found
    )


def compare_with_torch(
    predictions: Predictions, reference: Predictions, precision: str, engine: str
) -> VerificationResult:
    """Compare scores of the same images."""
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
    """Average the areas over the classes that have images and others beside them; None where there are none."""
    if not (predictions.label != "").any():
        return None
    measured = evaluate(predictions, n_resamples=0)
    areas = [measured.value("auc", name) for name in measured.curves]
    return float(np.mean(areas)) if areas else None


def _bf16_engines(
    loaded: LoadedModel, file: Path, export_format: ExportFormat
) -> list[tuple[str, str, InferenceEngine]]:
    """ONNX Runtime has no bf16 on processors: there OpenVINO reads the same file, where the processor has it."""
    if export_format == "torch-export":
        return [("bf16", "torch", open_engine(loaded, "torch", precision="bf16", num_images=1))]
    if missing_packages("openvino") or not openvino_supports_bf16():
        return []
    run = load_session(file, "openvino", precision="bf16")
    made = engine_from_session("openvino", run, multi_crop=loaded.model.num_crops is not None)
    return [("bf16", "openvino", made)]
