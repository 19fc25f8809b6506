"""``lesionlens predict``."""

from pathlib import Path
from typing import Annotated, Literal

import typer


def predict_command(
    model: Annotated[Path, typer.Argument(help="A saved model's folder, or a run's.")],
    images: Annotated[
        list[str], typer.Argument(help="Folders, image files, or tables (NAME:ROOT, or a CSV or parquet).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the predictions go.")] = Path(
        "predictions.csv"
    ),
    output_format: Annotated[
        str,
        typer.Option("--format", help="lesionlens, or what the ISIC challenges take: isic2017, isic2018."),
    ] = "lesionlens",
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of lesion masks ID.png, for a model that looks at the box around the lesion."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, or torch's own: cuda:1 …")] = "cpu",
    engine: Annotated[
        Literal["auto", "torch", "onnxruntime", "openvino"],
        typer.Option(help="What computes; auto: what is fastest here for so many images."),
    ] = "auto",
    precision: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="bf16 is faster where the machine has it, and less exact.")
    ] = "fp32",
    batch_size: Annotated[int, typer.Option(min=1, help="Crops that are computed at once.")] = 32,
    num_workers: Annotated[
        int | None, typer.Option(min=1, help="Threads that decode ahead; default: one a core.")
    ] = None,
    num_threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="Threads that compute; default: one a core, or OMP_NUM_THREADS. Beside other work, 1."
        ),
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start anew, and throw away what was left unfinished.")
    ] = False,
) -> None:
    """Score images with a saved model: model scores for research, never a diagnosis.

    Stopped, the same command goes on where it was.
    """
    from rich.console import Console

    from lesionlens.core.console import progress_bar
    from lesionlens.core.errors import DataError
    from lesionlens.inference.predict import predict
    from lesionlens.inference.resume import partial_path

    console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    with progress_bar(console, unit="images") as progress:
        line = progress.add_task("scoring", total=None)

        def show(done: int, total: int) -> None:
            first = progress.tasks[0].total is None
            if first and done:
                console.print(
                    f"going on: {done:,} of {total:,} images were scored before ({partial_path(out)})"
                )
            progress.update(line, completed=done, total=total)

        scored = predict(
            model,
            images,
            out=out,
            output_format=output_format,
            mask_dir=masks,
            device=device,
            engine=engine,
            precision=precision,
            batch_size=batch_size,
            num_workers=num_workers,
            num_threads=num_threads,
            restart=restart,
            on_progress=show,
        )
    count = len(scored.predictions)
    console.print(
        f"{count:,} images scored ({scored.engine}): {out}. Research use only, not a medical device."
    )
    if scored.failures:
        listed = "\n  ".join(scored.failures[:10])
        raise DataError(
            f"{len(scored.failures):,} images could not be read; the scores of the other {count:,} are in {out}:\n"
            f"  {listed}"
        )
