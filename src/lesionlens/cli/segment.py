"""``lesionlens segment``."""

from pathlib import Path
from typing import Annotated

import typer

segment_app = typer.Typer(
    help="Lesion masks: train a network that draws them, draw them, score them. Needs: "
    "pip install 'lesionlens[segmentation]'",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SourceArgument = Annotated[str, typer.Argument(help="A table with masks: NAME:ROOT, or a path.")]


@segment_app.command("train")
def segment_train_command(
    sources: Annotated[list[str], typer.Argument(help="Tables with masks: NAME:ROOT, or paths.")],
    arch: Annotated[str, typer.Option(help="unet or deeplabv3plus.")] = "unet",
    encoder: Annotated[str, typer.Option(help="A timm model: resnet34, mobilenetv2_100 …")] = "resnet34",
    weights: Annotated[
        str, typer.Option(help="Of the encoder: none, imagenet, or a file with timm's keys.")
    ] = "none",
    size: Annotated[
        tuple[int, int], typer.Option(help="Height and width that the network sees, multiples of 32.")
    ] = (192, 256),
    split: Annotated[
        str,
        typer.Option(
            help="official, group_holdout (by lesion), or a file image_id,split; auto: official where the data "
            "have splits."
        ),
    ] = "auto",
    val_fraction: Annotated[float, typer.Option(min=0.01, max=0.49, help="Share held out.")] = 0.15,
    test_fraction: Annotated[
        float, typer.Option(min=0, max=0.49, help="Share held out; 0: no test split.")
    ] = 0.15,
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = 30,
    batch_size: Annotated[int, typer.Option(min=2, help="Images per training step.")] = 16,
    lr: Annotated[float, typer.Option(min=1e-8, help="Learning rate at the start.")] = 1e-3,
    keep_largest_component: Annotated[
        bool, typer.Option(help="Keep only the largest region of a mask, and fill its holes.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of split, weights and augmentation.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, or torch's own: cuda:1 …")] = "auto",
    num_workers: Annotated[int, typer.Option(min=0, help="Processes that augment; 0: none beside.")] = 0,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The run's folder, not there yet.")] = None,
) -> None:
    """Train a network on lesion masks, and score it on held-out lesions."""
    from lesionlens.segmentation.config import SegmentationConfig
    from lesionlens.segmentation.models import make_segmentation_spec
    from lesionlens.segmentation.train import train_segmentation

    options = SegmentationConfig(
        arch=make_segmentation_spec(arch, encoder).arch,
        encoder=encoder,
        weights=weights,
        input_size=size,
        split=split,
        val_fraction=val_fraction,
        test_fraction=test_fraction,
        epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        keep_largest_component=keep_largest_component,
        seed=seed,
        device=device,
        num_workers=num_workers,
    )
    typer.echo(
        f"run: {train_segmentation(sources, options, out=out)}. Research use only, not a medical device."
    )


@segment_app.command("predict")
def segment_predict_command(
    model: Annotated[Path, typer.Argument(help="A saved model's folder, or a segmentation run's.")],
    sources: Annotated[list[str], typer.Argument(help="Folders, image files, or tables.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the masks, ID_segmentation.png.")],
    keep_largest_component: Annotated[
        bool | None,
        typer.Option(
            "--keep-largest-component/--no-keep-largest-component",
            help="Keep only the largest region, holes filled; default: as in training.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Draw masks anew that are there.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, or torch's own: cuda:1 …")] = "cpu",
    batch_size: Annotated[int, typer.Option(min=1, help="Images per forward pass.")] = 16,
) -> None:
    """Draw the lesion of each image as a mask of its own size; goes on where it was stopped."""
    from rich.console import Console

    from lesionlens.core.console import progress_bar
    from lesionlens.core.errors import DataError
    from lesionlens.segmentation.predict import segment_images

    console = Console(stderr=True)
    with progress_bar(console) as progress:
        task = progress.add_task("drawing masks", total=None)
        result = segment_images(
            model,
            sources,
            out,
            largest_only=keep_largest_component,
            overwrite=overwrite,
            device=device,
            batch_size=batch_size,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    skipped = f", {result.skipped} were there" if result.skipped else ""
    console.print(
        f"{result.written} masks drawn{skipped}: {out}. Research use only, not a medical device.",
        highlight=False,
        soft_wrap=True,
    )
    if result.failures:
        listed = "\n  ".join(result.failures[:10])
        raise DataError(f"{len(result.failures)} images could not be read and have no mask:\n  {listed}")


@segment_app.command("evaluate")
def segment_evaluate_command(
    folder: Annotated[Path, typer.Argument(help="Predicted masks: ID_segmentation.png or ID.png.")],
    source: SourceArgument,
    split: Annotated[
        str | None, typer.Option(help="Only this official split: train, validation or test.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="JSON; each image beside, as CSV.")] = None,
    bootstrap_samples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples of the lesions.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
) -> None:
    """Score predicted masks against a table's: Jaccard, thresholded Jaccard and Dice, with 95 % intervals."""
    from lesionlens.segmentation.evaluate import evaluate_folder

    scored = evaluate_folder(folder, source, split=split, n_resamples=bootstrap_samples, seed=seed)
    typer.echo(str(scored.mean))
    if scored.excluded:
        image, _, reason = scored.excluded[0]
        typer.echo(f"{len(scored.excluded)} images were not scored, for example {image}: {reason}", err=True)
    if out is not None:
        scored.save(out)
