"""A bundle as a folder that works without LesionLens: network, card and README, checked before it is kept."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import numpy as np
from torch import Tensor

from lesionlens.atomic import atomic_directory, write_text
from lesionlens.engines.onnxruntime_engine import SessionFn
from lesionlens.errors import BackendError, unknown_name_message
from lesionlens.export.agreement import verify_on_images
from lesionlens.export.card import NumericCheck, ExportCard, ExportFormat, TensorSpec
from lesionlens.export.difference import OUTPUT_TOLERANCE, max_abs_errors, reference_outputs
from lesionlens.export.formats import REQUIRED_PACKAGES, load_exported, save_exported
from lesionlens.export.program import ExportedModel, example_input, trace_model
from lesionlens.export.readme import format_readme
from lesionlens.models.bundle import LoadedModel, load_model
from lesionlens.subjects import map_labels_to_model_classes, collect_inputs

CHECK_BATCH_SIZES = (1, 3)  # another than the two images that the network is traced with


def export(model_dir: Path | str, export_format: ExportFormat, out: Path, *, verify_on: Sequence[str] = ()) -> ExportCard:
    """Write a trained network for use without LesionLens; a folder that is left is checked and complete.

    Parameters
    ----------
    model_dir
        A bundle's folder, or a run's.
    export_format
        ``onnx``, ``openvino`` or ``torch-export``.
    out
        A new folder.
    verify_on
        Images (as for predictions, with labels or without) on which the export is compared with torch as well.

    Raises
    ------
    EngineError
        The format does not exist or its packages are missing, the network cannot be expressed in it, or its numbers
        differ from torch's.
    LesionLensError
        The bundle or the images cannot be used, or the folder holds something.
    """
    if export_format not in get_args(ExportFormat):
        raise BackendError(unknown_name_message("format", export_format, get_args(ExportFormat)))
    loaded = load_model(model_dir)
    images = map_labels_to_model_classes(collect_inputs(verify_on, classes=loaded.card.classes), loaded.card) if verify_on else None
    with atomic_directory(out) as folder:
        traced = trace_model(loaded, maps=True)
        file = save_exported(traced, export_format, folder)
        run = load_exported(file, export_format)
        card = _build_card(loaded, export_format, traced, verify(loaded, run), file)
        if images is not None:
            card = card.model_copy(update={"verification": verify_on_images(loaded, file, export_format, run, images)})
        write_text(folder / "card.json", card.model_dump_json(indent=2) + "\n")
        write_text(folder / "README.md", format_readme(card))
    return card


def verify(loaded: LoadedModel, session: SessionFn) -> tuple[NumericCheck, ...]:
    """Compare with torch, on one image and on several.

    Raises
    ------
    EngineError
        Something differs by more than 1e-4.
    """
    found = tuple(_max_errors(loaded, session, example_input(loaded, batch)) for batch in CHECK_BATCH_SIZES)
    for each in found:
        name, largest = max(each.max_errors.items(), key=lambda item: item[1])
        if largest > OUTPUT_TOLERANCE:
            raise BackendError(
                f"the export is not kept: with {each.batch_size} images its {name} differ by {largest:.2g} from torch's, "
                f"more than {OUTPUT_TOLERANCE:g}. Try another format"
            )
    return found


def _max_errors(loaded: LoadedModel, session: SessionFn, x: Tensor) -> NumericCheck:
    wanted = reference_outputs(loaded, x, maps=True)
    largest = max_abs_errors(session(np.ascontiguousarray(x)), wanted, multilabel=loaded.card.multilabel)
    return NumericCheck(batch_size=len(x), max_errors=largest)


def _build_card(
    loaded: LoadedModel, export_format: ExportFormat, traced: ExportedModel, numeric_checks: tuple[NumericCheck, ...], file: Path
) -> ExportCard:
    x = example_input(loaded, 1)
    found = reference_outputs(loaded, x, maps=True)
    return ExportCard(
        export_format=export_format,
        file=file.name,
        versions={package: version(package) for package in ("torch", *REQUIRED_PACKAGES[export_format])},
        model=loaded.card,
        input=_tensor_spec(traced.input_name, x),
        outputs=tuple(_tensor_spec(name, found[name]) for name in traced.output_names),
        numeric_checks=numeric_checks,
    )


def _tensor_spec(name: str, values: Tensor) -> TensorSpec:
    return TensorSpec(name=name, shape=("batch", *values.shape[1:]))
