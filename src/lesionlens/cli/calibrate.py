"""``lesionlens calibrate``."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lesionlens.cli import options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from lesionlens.uncertainty.calibrate import CalibrationOptions
    from lesionlens.uncertainty.calibration import Calibration, FittedCalibration


def calibrate_command(
    source: Annotated[
        Path, typer.Argument(help="Directory of a run, or of a saved model with --images; or predictions.")
    ],
    images: Annotated[
        list[str] | None,
        typer.Option(
            help="Labeled images that neither trained nor selected the model, NAME:ROOT or a table; repeat for more. "
            "Default: the calibration split of the run, else its validation split."
        ),
    ] = None,
    apply_to: Annotated[
        Path | None,
        typer.Option(help="Predictions to calibrate, if the source is a file of predictions as well."),
    ] = None,
    out: Annotated[
        Path | None,
        options.out_file(
            "File of predictions: calibration.json, or the predictions of --apply-to with their calibration. "
            "Default: only show the calibration."
        ),
    ] = None,
    method: Annotated[
        Literal["temperature", "vector"],
        typer.Option(help="Calibration: one temperature, or a factor and an offset per class."),
    ] = "temperature",
    detector: Annotated[
        Literal["knn", "mahalanobis", "vim"], typer.Option(help="Detector of unknown images.")
    ] = "knn",
    false_alarm_rate: Annotated[
        float,
        typer.Option(min=0.001, max=0.5, help="Fraction of usual images that the detector flags as unknown."),
    ] = 0.05,
    coverage: options.CoverageOption = 0.9,
    class_conditional: options.ClassConditionalOption = False,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the bootstrap.")] = 0,
    device: options.DeviceOption = "auto",
    num_threads: options.NumThreadsOption = None,
) -> None:
    """Calibrate a model: temperature, prediction sets, thresholds and the detection of unknown images.

    The calibration of a model is stored with its weights, and lesionlens predict uses it from then on. Training
    calibrates at its end; this command repeats it with other options or images.
    """
    from contextlib import nullcontext

    from lesionlens.core.console import make_console
    from lesionlens.core.errors import PredictionsError
    from lesionlens.core.fileio import output_lock
    from lesionlens.core.runtime import set_num_threads
    from lesionlens.uncertainty.calibrate import CalibrationOptions

    settings = CalibrationOptions(method, detector, false_alarm_rate, seed=seed)
    console = make_console()
    if source.is_file() or out is not None:
        with nullcontext() if out is None else output_lock(out):
            _calibrate_predictions(source, apply_to, out, settings, coverage, class_conditional, console)
        return
    if apply_to is not None:
        raise PredictionsError(
            f"--apply-to needs a file of predictions as its source, and {source} is not one"
        )
    set_num_threads(num_threads)
    for name, fitted in _calibrate_models(source, images, settings, device).items():
        _print(name, fitted.calibration, console)


def _calibrate_models(
    source: Path, images: list[str] | None, settings: "CalibrationOptions", device: str
) -> "dict[str, FittedCalibration]":
    """Calibrate a saved model on images, or every finished run of a directory on its own split, by name."""
    from lesionlens.cli.evaluate_crops import open_finished
    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.inference.calibrate_model import calibrate
    from lesionlens.training.calibrate_run import calibrate_run

    console = make_console(stderr=True)
    with progress_bar(console, unit="images") as progress:
        task = progress.add_task("calibrating", total=None)

        def on_progress(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if images:
            fitted = calibrate(source, images, options=settings, device=device, on_progress=on_progress)
            _update_model_card(source)
            return {str(source): fitted}
        calibrations = {}
        for name, run_dir in open_finished(source, "validation").items():
            calibrations[name or str(source)] = calibrate_run(
                run_dir, options=settings, device=device, on_progress=on_progress
            )
            _update_model_card(run_dir.path)
    print_line(
        console, "Predictions, evaluations and reports of runs keep the calibration of their training."
    )
    return calibrations


def _update_model_card(folder: Path) -> None:
    """Write the model card of a run again, with its new calibration; warn if that fails. A saved model has none."""
    from lesionlens.core.console import make_console, print_warning
    from lesionlens.core.errors import LesionLensError
    from lesionlens.report.model_card import write_model_card
    from lesionlens.runs.run_dir import RunDir

    if not RunDir(folder).exists():
        return
    try:
        write_model_card(folder)
    except LesionLensError as error:
        print_warning(make_console(stderr=True), f"the model card still has the old calibration: {error}")


def _calibrate_predictions(
    source: Path,
    apply_to: Path | None,
    out: Path | None,
    settings: "CalibrationOptions",
    coverage: float,
    class_conditional: bool,
    console: "Console",
) -> None:
    from lesionlens.core.console import print_warning
    from lesionlens.core.errors import PredictionsError
    from lesionlens.datasets.issues import pluralize
    from lesionlens.evaluation.predictions_io import read_predictions, write_predictions
    from lesionlens.uncertainty.apply import apply_calibration
    from lesionlens.uncertainty.calibrate import fit_calibration
    from lesionlens.uncertainty.calibration import write_calibration

    if source.is_dir():
        raise PredictionsError(
            f"--out needs a file of predictions as its source, and {source} is a folder. The calibration of a model is "
            "stored with its weights, and lesionlens predict applies it"
        )
    calibrating = read_predictions(source)
    fitted = fit_calibration(calibrating, split="file", options=settings)
    if out is not None and apply_to is None:
        write_calibration(out, fitted.calibration)
    elif out is not None and apply_to is not None:
        predictions = read_predictions(apply_to)
        if common := len(set(predictions.lesion_id) & set(calibrating.lesion_id)):
            print_warning(
                console,
                f"{pluralize(common, 'lesion')} calibrated the scores: results are optimistically biased",
            )
        calibrated = apply_calibration(
            predictions, fitted, coverage=coverage, class_conditional=class_conditional
        )
        write_predictions(out, calibrated)
    if out is not None:
        options.report_out(out)
    _print(str(source), fitted.calibration, console)


def _print(name: str, calibration: "Calibration", console: "Console") -> None:
    """Print a calibration: temperature, prediction sets, operating points and caveats."""
    from lesionlens.core.console import print_line, print_warning
    from lesionlens.datasets.issues import pluralize

    counts = f"{pluralize(calibration.n_images, 'image')} of {pluralize(calibration.n_lesions, 'lesion')}"
    print_line(console, f"{name}: calibrated on {counts} ({calibration.split}). {calibration.intended_use}")
    if calibration.method == "temperature":
        print_line(console, f"temperature {calibration.temperature.to_text(digits=3)}")
    if calibration.ood is not None:
        print_line(
            console,
            f"unknown images: {calibration.ood.detector}, {calibration.ood.false_alarm_rate:.1%} false alarms",
        )
    if calibration.prediction_sets:
        console.print(_prediction_set_table(calibration))
    if calibration.operating_points:
        console.print(_operating_point_table(calibration))
    for caveat in calibration.caveats:
        print_warning(console, caveat)


def _prediction_set_table(calibration: "Calibration") -> "Table":
    from lesionlens.runs.run_statistics import build_table

    rows = [
        [
            f"{rule.coverage:.0%}",
            _format_lowest_score(rule.quantile),
            *(_format_lowest_score(rule.class_quantiles[name]) for name in calibration.classes),
        ]
        for rule in calibration.prediction_sets
    ]
    return build_table(("coverage", "lowest score in a set", *calibration.classes), rows)


def _format_lowest_score(quantile: float) -> str:
    """Return the score from which classes are in a set; "all" if every class is."""
    return f"{max(0.0, 1 - quantile):.3f}" if math.isfinite(quantile) else "all"


def _operating_point_table(calibration: "Calibration") -> "Table":
    from lesionlens.runs.run_statistics import build_table

    rows = [
        [
            point.class_name,
            point.rule.replace("sensitivity:", "sens. "),
            f"{point.threshold:.3f}",
            *(value.to_text() for value in (point.sensitivity, point.specificity)),
            *(value.to_text(interval=False) for value in (point.ppv, point.npv)),
        ]
        for point in calibration.operating_points
    ]
    return build_table(("class", "rule", "score", "sensitivity", "specificity", "PPV", "NPV"), rows)
