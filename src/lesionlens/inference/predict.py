"""Predict on images with a saved model, resumably; the entry point of the command line and of other programs."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lesionlens.core.errors import DataError, PredictionsError, RunInterrupted, unknown_name_message
from lesionlens.core.fileio import output_lock
from lesionlens.core.tabular import OTHER_TABLE_SUFFIXES, write_csv_columns
from lesionlens.core.types import ProgressCallback
from lesionlens.evaluation.isic_formats import isic2017_columns, isic2018_columns
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import prediction_columns
from lesionlens.imaging.load import decoder_version
from lesionlens.imaging.sources import ImageSource
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engine import EngineName, InferenceEngine, Precision
from lesionlens.inference.inputs import ImageIds, InferenceInputs, collect_inputs, map_labels_to_model_classes
from lesionlens.inference.model_source import ModelSource, open_model
from lesionlens.inference.results import ImageResult, InferenceResult, ResultCollector
from lesionlens.inference.resume import (
    PartialPredictions,
    Provenance,
    hash_model_files,
    partial_path,
    read_provenance,
)
from lesionlens.models.model_card import ModelCard
from lesionlens.uncertainty.apply import DEFAULT_COVERAGE, apply_calibration
from lesionlens.uncertainty.calibration import FittedCalibration, load_calibration

if TYPE_CHECKING:
    from lesionlens.models.saved_model import LoadedModel

OUTPUT_COLUMNS = {
    "lesionlens": prediction_columns,
    "isic2017": isic2017_columns,
    "isic2018": isic2018_columns,
}


def predict(
    model: "LoadedModel | Path | str",
    images: Sequence[ImageSource],
    *,
    labels: Sequence[str] | None = None,
    out: Path | str | None = None,
    output_format: str = "lesionlens",
    mask_dir: Path | str | None = None,
    ids: ImageIds = "name",
    within_root: bool = False,
    device: str = "auto",
    engine: EngineName = "auto",
    precision: Precision = "fp32",
    batch_size: int = 32,
    num_workers: int | None = None,
    num_threads: int | None = None,
    restart: bool = False,
    calibration: bool = True,
    coverage: float = DEFAULT_COVERAGE,
    class_conditional: bool = False,
    on_progress: ProgressCallback | None = None,
) -> InferenceResult:
    """Score images with a saved model and optionally write ``predictions.csv``.

    During the run, ``predictions.csv.partial`` holds the results so far. After an interruption, the same call resumes
    from there and produces the same file as an uninterrupted run.

    Parameters
    ----------
    model
        Directory of a saved model, of a run or of an export, the name of a model, or a model that was loaded.
    images
        Folders, image files, tables (``NAME:ROOT``, a CSV or parquet file), or images in memory as for ``read_image``,
        whose IDs are ``image_1``, ``image_2`` and so on by their position.
    labels
        True class of each image, in the order of the images, for ``evaluate``; replaces the labels of tables.
    out
        File to write; None: write nothing.
    output_format
        ``lesionlens`` (image, lesion, label and all scores), or a submission format of the ISIC challenges:
        ``isic2017`` or ``isic2018``.
    mask_dir
        Folder of lesion masks ``ID.png`` for a model that crops to the lesion; replaces the masks that a table names.
        Images without a mask are used uncropped, and a warning gives their number.
    ids, within_root
        IDs of images from folders, and whether files outside the folder of a table are errors; see ``collect_inputs``.
    device
        Device of a model that is not loaded yet, as for ``resolve_device``; engines other than torch use the CPU.
    engine, precision, num_threads
        Inference engine and its settings; see ``open_engine``.
    batch_size, num_workers, on_progress
        See ``run_inference``.
    restart
        Discard the partial results of an earlier call.
    calibration
        Whether to add calibrated scores, prediction sets, abstentions and the percentile of unknown images, if the
        model is calibrated.
    coverage, class_conditional
        Coverage of the prediction sets; see ``apply_calibration``.

    Raises
    ------
    RunInterrupted
        The user pressed Ctrl-C; the partial results are saved next to ``out``.
    LesionLensError
        The model or the images cannot be used, the file cannot be written, or the partial results next to it belong to
        another model.
    """
    if output_format not in OUTPUT_COLUMNS:
        raise PredictionsError(unknown_name_message("format", output_format, OUTPUT_COLUMNS))
    out, mask_dir = (None if path is None else Path(path) for path in (out, mask_dir))
    source = open_model(model, device=device, engine=engine)
    inputs = map_labels_to_model_classes(
        collect_inputs(images, labels=labels, mask_dir=mask_dir, ids=ids, within_root=within_root),
        source.card,
    )
    fitted = calibration_of(source) if calibration else None
    if fitted is not None:  # an error before the first image, not after the last
        fitted.calibration.prediction_set_rule(coverage)
    run = partial(
        run_inference,
        card=source.card,
        inputs=inputs,
        batch_size=batch_size,
        num_workers=num_workers,
        on_progress=on_progress,
        detector=None if fitted is None else fitted.detector,
    )
    calibrate_result = partial(
        apply_to_result, fitted=fitted, coverage=coverage, class_conditional=class_conditional
    )
    open_named_engine = partial(
        source.open_engine, precision=precision, num_images=len(inputs.image), num_threads=num_threads
    )
    if out is None:
        return calibrate_result(run(engine=open_named_engine(engine)))
    _validate_output_format(output_format, source.card, out)
    requested = Provenance(
        model=hash_model_files(source.directory),
        engine=engine,
        precision=precision,
        device=source.device_type,
        decoder=decoder_version(),
    )
    write = partial(_write_predictions, out, output_format)
    with output_lock(out):
        return _predict_to_file(
            lambda **options: calibrate_result(run(**options)),
            open_named_engine,
            write,
            partial_path(out),
            requested,
            restart=restart,
        )


def calibration_of(source: "ModelSource | LoadedModel") -> FittedCalibration | None:
    """Return the calibration of a model; None if it has none, or was not loaded from a directory.

    Raises
    ------
    SavedModelError
        The calibration is damaged, or belongs to other weights.
    """
    if source.path is None:
        return None
    return load_calibration(source.path, weights_sha256=source.card.weights_sha256)


def apply_to_result(
    result: InferenceResult, *, fitted: FittedCalibration | None, coverage: float, class_conditional: bool
) -> InferenceResult:
    """Add the columns of the calibration to the predictions, if there is one."""
    if fitted is None:
        return result
    predictions = apply_calibration(
        result.predictions,
        fitted,
        ood_scores=result.ood_scores,
        coverage=coverage,
        class_conditional=class_conditional,
    )
    return replace(result, predictions=predictions, caveats=fitted.calibration.caveats)


def _predict_to_file(
    run: Callable[..., InferenceResult],
    open_named_engine: Callable[[EngineName], InferenceEngine],
    write: Callable[[Predictions], None],
    path: Path,
    requested: Provenance,
    *,
    restart: bool,
) -> InferenceResult:
    """Run inference, saving partial results to ``path``, or resume it with the engine that it began with."""
    earlier = None if restart else read_provenance(path, requested)
    engine = open_named_engine((earlier or requested).engine)
    provenance = requested.model_copy(update={"engine": engine.name})
    with PartialPredictions(path, provenance, overwrite=earlier is None) as saved:
        result = _run_and_save(partial(run, engine=engine, partial_predictions=saved), saved)
        write(result.predictions)
    saved.remove()
    return replace(result, engine=f"{engine.name}, {requested.precision}")


def _validate_output_format(output_format: str, card: ModelCard, out: Path) -> None:
    """Raise an error before the first image if the results could not be written after the last."""
    if out.is_dir():
        raise PredictionsError(
            f"{out} is a folder. Pass the name of a file, for example {out / 'predictions.csv'}"
        )
    if out.suffix.lower() in OTHER_TABLE_SUFFIXES:
        raise PredictionsError(
            f"predictions are written as CSV, not as {out.suffix}. Pass {out.with_suffix('.csv').name}"
        )
    placeholder = InferenceInputs(("image",), (out,), ("image",), ("",), (None,))
    collector = ResultCollector(1, len(card.classes))
    collector.add(0, ImageResult("image", "", [0.0] * len(card.classes)))
    OUTPUT_COLUMNS[output_format](collector.build_result(placeholder, card).predictions)


def _write_predictions(out: Path, output_format: str, predictions: Predictions) -> None:
    write_csv_columns(out, OUTPUT_COLUMNS[output_format](predictions))


def _run_and_save(
    run: Callable[[], InferenceResult], partial_predictions: PartialPredictions
) -> InferenceResult:
    """Run inference; on Ctrl-C, report where the partial results are."""
    try:
        return run()
    except KeyboardInterrupt as stop:
        raise RunInterrupted(
            f"Interrupted. Partial results are saved in {partial_predictions.path}. Run the same command again to "
            "resume, or with --restart to start from scratch"
        ) from stop
    except DataError:  # no image can be read, so there is nothing to resume
        partial_predictions.remove()
        raise
