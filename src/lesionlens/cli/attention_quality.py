"""``lesionlens evaluate-maps``."""

from pathlib import Path
from typing import Annotated

import typer


def evaluate_maps_command(
    model: Annotated[Path, typer.Argument(help="A saved model's folder, or a run's.")],
    source: Annotated[str, typer.Argument(help="A table with lesion masks: NAME:ROOT, or a CSV or parquet.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the numbers.")] = Path("quality"),
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="As for explain: attention, heads, cam, gradcam, gradcam++, layercam, or auto; once for each."
        ),
    ] = None,
    target_class: Annotated[
        str | None, typer.Option(help="Class to explain; default: the highest score.")
    ] = None,
    image_list: Annotated[
        Path | None,
        typer.Option(
            help="A CSV whose image_id names the images, such as a run's predictions/test.csv; default: all."
        ),
    ] = None,
    masks: Annotated[
        Path | None, typer.Option(help="Folder of masks in place of the table's own, such as predicted ones.")
    ] = None,
    bootstrap_samples: Annotated[int, typer.Option(min=0, help="Bootstrap resamples of the lesions.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, or torch's own: cuda:1 …")] = "cpu",
) -> None:
    """Measure how well a model's maps agree with lesion masks: overlap, pointing, and share inside."""
    from rich.console import Console

    from lesionlens.core.console import progress_bar
    from lesionlens.core.errors import DataError
    from lesionlens.core.tabular import read_csv_columns
    from lesionlens.datasets.registry import load_table
    from lesionlens.explanation.localization import (
        evaluate_localization,
        localization_table,
        write_localization,
    )
    from lesionlens.models.saved_model import load_model

    loaded, table = load_model(model, device=device), load_table(source)
    if image_list is not None:
        named = read_csv_columns(image_list)
        if "image_id" not in named:
            raise DataError(f"{image_list} has no column image_id; it has {', '.join(named)}")
        table = table.select(named["image_id"])
    console = Console(stderr=True)
    with progress_bar(console) as progress:
        task = progress.add_task("computing maps", total=len(table))
        result = evaluate_localization(
            loaded,
            table,
            methods=method or ["auto"],
            target_class=target_class,
            mask_dir=masks,
            n_resamples=bootstrap_samples,
            seed=seed,
            on_progress=lambda done, _: progress.update(task, completed=done),
        )
    write_localization(out, result)
    Console().print(localization_table(result))
    excluded = f"; {len(result.excluded)} excluded, see excluded.csv" if result.excluded else ""
    console.print(
        f"{len(result.images)} images{excluded}. Numbers in {out}.", highlight=False, soft_wrap=True
    )
    console.print("Research use only, not a medical device.")
