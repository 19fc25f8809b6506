"""``lesionlens demo``."""

from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli.options import out_folder


def demo_command(
    images: Annotated[int, typer.Option(min=100, help="Number of synthetic images.")] = 1000,
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = 8,
    out: Annotated[Path, out_folder("Folder for data and runs.")] = Path("runs"),
) -> None:
    """Run the full pipeline on synthetic images: train ARL-CNN14, evaluate, explain, report. Takes a few minutes."""
    from lesionlens.cli.train import print_run_summary
    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.synthesis.dataset import generate_dataset
    from lesionlens.training.run import train

    console = make_console(stderr=True)
    data = out / f"demo-data-{images}"
    if not data.is_dir():
        print_line(console, f"Generating {images} synthetic dermoscopic images in {data}")
        with progress_bar(console) as progress:
            task = progress.add_task("generating images", total=images)
            generate_dataset(
                data,
                num_images=images,
                num_workers=2,
                progress=lambda done, _: progress.update(task, completed=done),
            )
    overrides = [f"data=ham10000:{data}", f"train.epochs={epochs}", f"data.cache_dir={out / 'demo-cache'}"]
    print_run_summary(train("demo", overrides, runs_dir=out, console=console))
