"""``lesionlens predict``."""

from pathlib import Path
from typing import Annotated

import typer


def predict(
    bundle: Annotated[Path, typer.Argument(help="A saved model: a bundle's folder, or a run's.")],
    images: Annotated[
        list[str], typer.Argument(help="Folders, image files, or tables (NAME:ROOT, or a CSV or parquet).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the predictions go.")] = Path(
        "predictions.csv"
    ),
    layout: Annotated[
        str, typer.Option(help="lesionlens, or what the ISIC challenges take: isic2017, isic2018.")
    ] = "lesionlens",
    masks: Annotated[
        Path | None,
        typer.Option(
            help="Folder of lesion masks ID.png, for a model that looks at the box around the lesion."
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, or torch's own: cuda:1 …")] = "cpu",
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
) -> None:
    """Score images with a saved model: model scores for research, never a diagnosis."""
    from rich.console import Console

    from lesionlens.bar import bar
    from lesionlens.errors import DataError
    from lesionlens.prediction import predict as score

    console = Console(stderr=True)
    with bar(console) as progress:
        line = progress.add_task("scoring", total=None)
        scored = score(
            bundle,
            images,
            out=out,
            layout=layout,
            masks=masks,
            device=device,
            batch_size=batch_size,
            progress=lambda done, total: progress.update(line, completed=done, total=total),
        )
    console.print(
        f"{len(scored.predictions.image_id)} images scored: {out}. Research use only, not a medical device.",
        highlight=False,
        soft_wrap=True,
    )
    if scored.unreadable:
        listed = "\n  ".join(scored.unreadable[:10])
        raise DataError(
            f"{len(scored.unreadable)} images could not be read; the scores of the other "
            f"{len(scored.predictions.image_id)} are in {out}:\n  {listed}"
        )
