"""Export a saved model to a directory that works without LesionLens: network, card and README, verified first."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.core.errors import BackendError, unknown_name_message
from lesionlens.core.fileio import atomic_directory, check_new_dir, sha256_of_file, write_text
from lesionlens.core.optional_packages import require
from lesionlens.export.readme import format_readme
from lesionlens.export.verification import verify_on_images
from lesionlens.inference.backends import SessionFn, import_openvino
from lesionlens.inference.inputs import collect_inputs, map_labels_to_model_classes
from lesionlens.inference.session_engine import load_session
from lesionlens.inference.tracing import (
    OUTPUT_TOLERANCE,
    ExportedModel,
    example_input,
    max_abs_errors,
    reference_outputs,
    trace_model,
    write_onnx,
)
from lesionlens.models.export_card import EXPORT_CARD_FILE, ExportCard, ExportFormat, NumericCheck, TensorSpec
from lesionlens.models.saved_model import LoadedModel, load_saved_model
from lesionlens.report.model_card import CARD_README
from lesionlens.uncertainty.calibration import load_calibration, save_calibration

EXPORT_FILENAMES: dict[ExportFormat, str] = {
    "onnx": "model.onnx",
    "openvino": "model.xml",
    "torch-export": "model.pt2",
}
REQUIRED_PACKAGES: dict[ExportFormat, tuple[str, ...]] = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "torch-export": (),
}


def save_exported(exported: ExportedModel, export_format: ExportFormat, folder: Path) -> Path:
    """Write a traced network; OpenVINO stores the weights in a second file next to the graph.

    Raises
    ------
    BackendError
        A package is not installed, or the format cannot express the network.
    """
    require(*REQUIRED_PACKAGES[export_format])
    file = folder / EXPORT_FILENAMES[export_format]
    if export_format == "torch-export":
        torch.export.save(exported.program, file)
    elif export_format == "onnx":
        write_onnx(exported, file)
    else:
        _save_openvino(exported, file)
    return file


def load_exported(file: Path, export_format: ExportFormat) -> SessionFn:
    """Load a file written by ``save_exported`` for inference in float32."""
    if export_format == "torch-export":
        return _torch_session(file)
    return load_session(file, "onnxruntime" if export_format == "onnx" else "openvino", precision="fp32")


def _save_openvino(exported: ExportedModel, file: Path) -> None:
    openvino = import_openvino()
    onnx_file = file.with_suffix(".onnx")
    write_onnx(exported, onnx_file)
    openvino.save_model(openvino.Core().read_model(onnx_file), file, compress_to_fp16=False)
    onnx_file.unlink()


def _torch_session(file: Path) -> SessionFn:
    network = torch.export.load(file).module()

    def run(x: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            return [output.numpy() for output in network(torch.from_numpy(x))]

    return run


CHECK_BATCH_SIZES = (1, 3)  # neither is 2, the batch size of the trace


def export(
    model_dir: Path | str,
    export_format: ExportFormat,
    out: Path,
    *,
    verify_on: Sequence[str] = (),
    within_root: bool = False,
) -> ExportCard:
    """Export a trained network for use without LesionLens; the directory is created only if verification succeeds.

    The calibration of the model, if it has one, is exported with it.

    Parameters
    ----------
    model_dir
        Directory of a saved model or of a run.
    export_format
        ``onnx``, ``openvino`` or ``torch-export``.
    out
        New directory to create.
    verify_on
        Images (as for ``predict``, labels optional) on which the export is additionally compared with PyTorch.
    within_root
        As for ``predict``.

    Raises
    ------
    BackendError
        The format is unknown, its packages are not installed, it cannot express the network, or the outputs differ
        from PyTorch's.
    LesionLensError
        The model or the images cannot be used, or the directory is not empty.
    """
    if export_format not in get_args(ExportFormat):
        raise BackendError(unknown_name_message("format", export_format, get_args(ExportFormat)))
    check_new_dir(out)
    loaded = load_saved_model(model_dir)
    images = None
    if verify_on:
        inputs = collect_inputs(verify_on, within_root=within_root)
        images = map_labels_to_model_classes(inputs, loaded.card)
    with atomic_directory(out) as folder:
        traced = trace_model(loaded, maps=True)
        file = save_exported(traced, export_format, folder)
        session = load_exported(file, export_format)
        card = _build_card(loaded, export_format, traced, verify(loaded, session), file)
        if images is not None:
            card = card.model_copy(
                update={"verification": verify_on_images(loaded, file, export_format, session, images)}
            )
        write_text(folder / EXPORT_CARD_FILE, card.model_dump_json(indent=2) + "\n")
        fitted = load_calibration(loaded.directory, weights_sha256=loaded.card.weights_sha256)
        if fitted is not None:
            save_calibration(folder, fitted)
        write_text(folder / "README.md", format_readme(card, fitted))
        _copy_model_card(loaded.directory, folder)
    return card


def _copy_model_card(model_dir: Path, folder: Path) -> None:
    """Copy the model card that the run wrote with the weights, if it did."""
    if (model_dir / CARD_README).is_file():
        write_text(folder / "MODEL_CARD.md", (model_dir / CARD_README).read_text(encoding="utf-8"))


def verify(loaded: LoadedModel, session: SessionFn) -> tuple[NumericCheck, ...]:
    """Compare an export with PyTorch on random batches of one and of several images.

    Raises
    ------
    BackendError
        An output differs by more than ``OUTPUT_TOLERANCE``.
    """
    checks = tuple(_max_errors(loaded, session, example_input(loaded, size)) for size in CHECK_BATCH_SIZES)
    for check in checks:
        name, largest = max(check.max_errors.items(), key=lambda item: item[1])
        if largest > OUTPUT_TOLERANCE:
            raise BackendError(
                f"Export discarded: for a batch of {check.batch_size} its {name} differ by {largest:.2g} from "
                f"PyTorch's, more than {OUTPUT_TOLERANCE:g}. Try another format"
            )
    return checks


def _max_errors(loaded: LoadedModel, session: SessionFn, x: Tensor) -> NumericCheck:
    reference = reference_outputs(loaded, x, maps=True)
    errors = max_abs_errors(session(np.ascontiguousarray(x)), reference, multilabel=loaded.card.multilabel)
    return NumericCheck(batch_size=len(x), max_errors=errors)


def _build_card(
    loaded: LoadedModel,
    export_format: ExportFormat,
    traced: ExportedModel,
    numeric_checks: tuple[NumericCheck, ...],
    file: Path,
) -> ExportCard:
    x = example_input(loaded, 1)
    outputs = reference_outputs(loaded, x, maps=True)
    return ExportCard(
        export_format=export_format,
        file=file.name,
        file_sha256=sha256_of_file(file),
        versions={package: version(package) for package in ("torch", *REQUIRED_PACKAGES[export_format])},
        model=loaded.card,
        input=_tensor_spec(traced.input_name, x),
        outputs=tuple(_tensor_spec(name, outputs[name]) for name in traced.output_names),
        numeric_checks=numeric_checks,
    )


def _tensor_spec(name: str, values: Tensor) -> TensorSpec:
    return TensorSpec(name=name, shape=("batch", *values.shape[1:]))
