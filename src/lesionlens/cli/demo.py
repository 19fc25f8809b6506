"""``lesionlens demo``."""

from pathlib import Path
from typing import Annotated

import typer


def demo_command(
    images: Annotated[int, typer.Option(min=100, help="Synthetic images to make.")] = 1000,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs of training.")] = 8,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where data and runs go.")] = Path("runs"),
) -> None:
    """Go the whole way once: generate images, train ARL-CNN14, measure, explain, report. A few minutes."""
    from rich.console import Console

    from lesionlens.cli.train import print_run_summary
    from lesionlens.core.console import progress_bar
    from lesionlens.synthesis.dataset import generate_dataset
    from lesionlens.training.run import train

    console = Console(stderr=True)
    data = out / f"demo-data-{images}"
    if not data.is_dir():
        console.print(f"drawing {images} synthetic dermoscopy images into {data}")
        with progress_bar(console) as progress:
            task = progress.add_task("drawing", total=images)
            generate_dataset(
                data,
                num_images=images,
                num_workers=2,
                progress=lambda done, _: progress.update(task, completed=done),
            )
    overrides = [f"data=ham10000:{data}", f"train.epochs={epochs}", f"data.cache_dir={out / 'demo-cache'}"]
    print_run_summary(train("demo", overrides, runs_dir=out, console=console))
