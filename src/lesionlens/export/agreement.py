"""Whether an exported network says of real images what torch says: classes, scores and the area under the ROC curve."""

from pathlib import Path

import numpy as np

from lesionlens.engines.engine import Engine, open_engine
from lesionlens.engines.file_engine import library_run, scorer
from lesionlens.engines.installed import missing
from lesionlens.engines.onnxruntime_engine import Run
from lesionlens.engines.openvino_engine import has_bf16
from lesionlens.evaluation.evaluate import evaluate
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.export.card import Agreement, Target
from lesionlens.models.bundle import Loaded
from lesionlens.scoring.score import score
from lesionlens.subjects import Subjects


def agreements(
    loaded: Loaded, file: Path, target: Target, run: Run, wanted: Subjects
) -> tuple[Agreement, ...]:
    """Score images by torch and by the export in float32, and in bf16 by what can.

    Parameters
    ----------
    wanted
        The images; labels give the areas under the curve.

    Raises
    ------
    LesionLensError
        Not one image can be read.
    """
    by_torch = score(loaded, wanted, engine=open_engine(loaded, "torch", images=1)).predictions
    exact = scorer(target, loaded.card, run, at_once=loaded.model.crops is not None)
    found = [("fp32", target, exact), *_in_bf16(loaded, file, target)]
    return tuple(
        compare(score(loaded, wanted, engine=engine).predictions, by_torch, precision, by)
        for precision, by, engine in found
    )


def compare(found: Predictions, by_torch: Predictions, precision: str, by: str) -> Agreement:
    """Compare scores of the same images."""
    same = found.scores.argmax(axis=1) == by_torch.scores.argmax(axis=1)
    return Agreement(
        computed_by=by,
        precision=precision,
        images=len(same),
        classes=float(same.mean()),
        scores=float(np.abs(found.scores - by_torch.scores).max()),
        auc=mean_auc(found),
        auc_of_torch=mean_auc(by_torch),
    )


def mean_auc(predictions: Predictions) -> float | None:
    """Average the areas over the classes that have images and others beside them; None where there are none."""
    if not (predictions.label != "").any():
        return None
    measured = evaluate(predictions, replicates=0)
    areas = [measured.value("auc", name) for name in measured.curves]
    return float(np.mean(areas)) if areas else None


def _in_bf16(loaded: Loaded, file: Path, target: Target) -> list[tuple[str, str, Engine]]:
    """ONNX Runtime has no bf16 on processors: there OpenVINO reads the same file, where the processor has it."""
    if target == "torch-export":
        return [("bf16", "torch", open_engine(loaded, "torch", precision="bf16", images=1))]
    if missing("openvino") or not has_bf16():
        return []
    run = library_run(file, "openvino", precision="bf16")
    made = scorer("openvino", loaded.card, run, at_once=loaded.model.crops is not None)
    return [("bf16", "openvino", made)]
