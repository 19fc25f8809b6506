"""A saved model and images to a file of predictions: the one way, for commands, reports and services alike."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lesionlens.core.errors import DataError, PredictionsError, RunInterrupted, unknown_name_message
from lesionlens.core.fileio import output_lock
from lesionlens.core.types import ProgressCallback
from lesionlens.evaluation.isic_formats import write_isic2017, write_isic2018
from lesionlens.evaluation.predictions_io import write_predictions
from lesionlens.imaging.load import decoder_version
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engine import EngineName, Precision
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs, collect_inputs, map_labels_to_model_classes
from lesionlens.inference.results import ImageResult, InferenceResult, ResultCollector
from lesionlens.inference.resume import (
    PartialPredictions,
    Provenance,
    hash_model_files,
    partial_path,
    read_provenance,
)
from lesionlens.models.saved_model import ModelCard, load_model

OUTPUT_WRITERS = {"lesionlens": write_predictions, "isic2017": write_isic2017, "isic2018": write_isic2018}


def predict(
    model_dir: Path | str,
    images: Sequence[str | Path],
    *,
    out: Path | None = None,
    output_format: str = "lesionlens",
    mask_dir: Path | None = None,
    device: str = "cpu",
    engine: EngineName = "auto",
    precision: Precision = "fp32",
    batch_size: int = 32,
    num_workers: int | None = None,
    num_threads: int | None = None,
    restart: bool = False,
    on_progress: ProgressCallback | None = None,
) -> InferenceResult:
    """Score images with a saved model and, if asked for, write ``predictions.csv``.

    While it goes on, ``predictions.csv.partial`` holds what is scored; the same call goes on from there after whatever
    stopped it, and the file that comes out in the end is the same.

    Parameters
    ----------
    model_dir
        A saved model's folder, or a run's.
    images
        Folders, image files, or tables (``NAME:ROOT``, a CSV or parquet).
    out
        Where the predictions go.
    output_format
        ``lesionlens`` (image, lesion, label and every score), or what the ISIC challenges take: ``isic2017``,
        ``isic2018``.
    mask_dir
        Folder of lesion masks ``ID.png``, in place of those of a table, for a model that looks at the box around the
        lesion; an image without one is scored whole, and a warning says how many were.
    engine, precision, num_threads
        What computes, and how; see ``open_engine``.
    batch_size, num_workers, on_progress
        As for ``run_inference``.
    restart
        Throw away what an earlier call left unfinished.

    Raises
    ------
    RunInterrupted
        It was stopped by Ctrl-C; what is scored is kept beside ``out``.
    LesionLensError
        The model or the images cannot be used, the file cannot be written, or scores of another model are beside it.
    """
    if output_format not in OUTPUT_WRITERS:
        raise PredictionsError(unknown_name_message("format", output_format, OUTPUT_WRITERS))
    loaded = load_model(model_dir, device=device)
    wanted = map_labels_to_model_classes(
        collect_inputs(images, classes=loaded.card.classes, mask_dir=mask_dir), loaded.card
    )
    how = partial(
        run_inference, loaded, wanted, batch_size=batch_size, num_workers=num_workers, on_progress=on_progress
    )
    make = partial(
        open_engine, loaded, precision=precision, num_images=len(wanted.path), num_threads=num_threads
    )
    if out is None:
        return how(engine=make(engine))
    _validate_output_format(output_format, loaded.card, out)
    kind = next(loaded.model.parameters()).device.type
    asked = Provenance(
        model=hash_model_files(model_dir),
        engine=engine,
        precision=precision,
        device=kind,
        decoder=decoder_version(),
    )
    with output_lock(out):
        before = None if restart else read_provenance(partial_path(out), asked)
        made = make(engine if before is None else before.engine)
        origin = asked.model_copy(update={"engine": made.name})
        with PartialPredictions(partial_path(out), origin, overwrite=before is None) as saved:
            scored = _run_and_save(partial(how, engine=made, partial_predictions=saved), saved)
            OUTPUT_WRITERS[output_format](out, scored.predictions)
        saved.remove()
    return replace(scored, engine=f"{made.name}, {precision}")


def _validate_output_format(output_format: str, card: ModelCard, out: Path) -> None:
    """Refuse before the first image what could not be written after the last."""
    if out.is_dir():
        raise PredictionsError(
            f"{out} is a folder; give the name of a file, such as {out / 'predictions.csv'}"
        )
    one = InferenceInputs(("image",), (out,), ("image",), ("",), (None,))
    outcomes = ResultCollector(1, len(card.classes))
    outcomes.add(0, ImageResult("image", "", [0.0] * len(card.classes)))
    with TemporaryDirectory() as folder:
        OUTPUT_WRITERS[output_format](
            Path(folder) / "predictions.csv", outcomes.build_result(one, card).predictions
        )


def _run_and_save(
    run: Callable[[], InferenceResult], partial_predictions: PartialPredictions
) -> InferenceResult:
    """Score, and tell what is left of it where that is stopped."""
    try:
        return run()
    except KeyboardInterrupt as stop:
        raise RunInterrupted(
            f"stopped; what is scored is kept in {partial_predictions.path}. Give the same command again to go on, "
            "with --restart to start anew"
        ) from stop
    except DataError:  # not one image can be read: nothing to go on with
        partial_predictions.remove()
        raise
