"""``lesionlens predict``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lesionlens.cli import options

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from lesionlens.core.types import ProgressCallback
    from lesionlens.inference.results import InferenceResult


def predict_command(
    model: options.ModelArgument,
    images: options.ImagesArgument,
    out: Annotated[Path, options.out_file("File to write.")] = Path("predictions.csv"),
    output_format: Annotated[
        str,
        typer.Option(
            "--format", help="lesionlens, or a submission format of the ISIC challenges: isic2017, isic2018."
        ),
    ] = "lesionlens",
    masks: options.CropMasksOption = None,
    ids: options.ImageIdsOption = "name",
    within_root: options.WithinRootOption = False,
    device: options.DeviceOption = "auto",
    engine: Annotated[
        Literal["auto", "torch", "onnxruntime", "openvino"],
        typer.Option(help="Inference engine; auto: the fastest for this machine and number of images."),
    ] = "auto",
    precision: Annotated[
        Literal["fp32", "bf16"],
        typer.Option(help="Precision; bf16 is faster where the CPU supports it, but less precise."),
    ] = "fp32",
    batch_size: Annotated[int, typer.Option(min=1, help="Crops per forward pass.")] = 32,
    num_workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding threads; default: one per core.")
    ] = None,
    num_threads: options.NumThreadsOption = None,
    calibration: Annotated[
        bool,
        typer.Option(
            help="Add calibrated scores, the prediction set, whether to abstain, and how unusual the image is, if the "
            "model is calibrated."
        ),
    ] = True,
    coverage: options.CoverageOption = 0.9,
    class_conditional: options.ClassConditionalOption = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Discard partial results and start from scratch.")
    ] = False,
) -> None:
    """Predict class scores of images with a saved model. Scores are for research, not a diagnosis.

    Re-run the same command to resume an interrupted job.
    """
    from lesionlens.core.console import make_console, progress_bar
    from lesionlens.inference.predict import predict

    console = make_console(stderr=True)
    with progress_bar(console, unit="images") as progress:
        result = predict(
            model,
            images,
            out=out,
            output_format=output_format,
            mask_dir=masks,
            ids=ids,
            within_root=within_root,
            device=device,
            engine=engine,
            precision=precision,
            batch_size=batch_size,
            num_workers=num_workers,
            num_threads=num_threads,
            restart=restart,
            calibration=calibration,
            coverage=coverage,
            class_conditional=class_conditional,
            on_progress=_progress_callback(progress, out),
        )
    _report(result, out, console)


def _progress_callback(progress: "Progress", out: Path) -> "ProgressCallback":
    """Return a callback that updates a progress bar and, on the first call, reports a resumed job."""
    from lesionlens.core.console import print_line
    from lesionlens.inference.resume import partial_path

    line = progress.add_task("scoring", total=None)

    def show_progress(done: int, total: int) -> None:
        if done and progress.tasks[0].total is None:
            print_line(
                progress.console,
                f"Resuming: {done:,} of {total:,} images are already scored ({partial_path(out)})",
            )
        progress.update(line, completed=done, total=total)

    return show_progress


def _report(result: "InferenceResult", out: Path, console: "Console") -> None:
    """Print the number of scored images; raise an error that lists images that could not be read."""
    from lesionlens.core.console import print_line, print_warning
    from lesionlens.core.errors import DataError
    from lesionlens.datasets.issues import pluralize

    for caveat in result.caveats:
        print_warning(console, caveat)
    count = len(result.predictions)
    print_line(
        console,
        f"{pluralize(count, 'image')} scored ({result.engine}): {out}. Research use only, not a medical device.",
    )
    if result.failures:
        listed = "\n  ".join(result.failures[:10])
        raise DataError(
            f"{pluralize(len(result.failures), 'image')} could not be read; scores for the other {count:,} are in "
            f"{out}:\n  {listed}"
        )
