"""``lesionlens segment``."""

from pathlib import Path
from typing import Annotated

import typer

from lesionlens.cli.options import NumThreadsOption, WithinRootOption, out_file, out_folder

segment_app = typer.Typer(
    help="Lesion segmentation: train a model, predict masks, evaluate them. Requires the extra: "
    "pip install '.[segmentation]' in the folder of the source code.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

SourceArgument = Annotated[str, typer.Argument(help="A table with masks: NAME:ROOT, or a path.")]


@segment_app.command("train")
def segment_train_command(
    context: typer.Context,
    sources: Annotated[
        list[str] | None, typer.Argument(help="Tables with masks: NAME:ROOT, or paths.")
    ] = None,
    arch: Annotated[
        str,
        typer.Option(
            help="Architecture: unet or deeplabv3plus on an encoder, or unet_original, the U-Net of Ronneberger "
            "et al. 2015."
        ),
    ] = "unet",
    encoder: Annotated[
        str | None,
        typer.Option(
            help="Encoder: a timm model such as mobilenetv2_100; default: resnet34; not for unet_original."
        ),
    ] = None,
    width: Annotated[int, typer.Option(min=1, help="Channels of the first stage of unet_original.")] = 64,
    weights: Annotated[
        str, typer.Option(help="Encoder weights: none, imagenet, or a file with timm's keys.")
    ] = "none",
    size: Annotated[tuple[int, int], typer.Option(help="Input height and width, multiples of 32.")] = (
        192,
        256,
    ),
    split: Annotated[
        str,
        typer.Option(
            help="official, group_holdout (by lesion), or a CSV file with the columns image_id,split; auto: official "
            "if the dataset has splits."
        ),
    ] = "auto",
    val_fraction: Annotated[
        float, typer.Option(min=0.01, max=0.49, help="Fraction of the lesions for validation.")
    ] = 0.15,
    test_fraction: Annotated[
        float, typer.Option(min=0, max=0.49, help="Fraction of the lesions for test; 0: no test split.")
    ] = 0.15,
    epochs: Annotated[int, typer.Option(min=1, help="Number of epochs.")] = 30,
    batch_size: Annotated[int, typer.Option(min=2, help="Images per training step.")] = 16,
    lr: Annotated[float, typer.Option(min=1e-8, help="Initial learning rate.")] = 1e-3,
    keep_largest_component: Annotated[
        bool, typer.Option(help="Keep only the largest connected component of a mask, with holes filled.")
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of split, weights and augmentation.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, or a torch device such as cuda:1.")] = "auto",
    num_workers: Annotated[int, typer.Option(min=0, help="Worker processes for augmentation; 0: none.")] = 0,
    within_root: WithinRootOption = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Run directory to create; default: runs/segmentation-ARCH-ENCODER, then -2 and so on.",
        ),
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Resume this interrupted run exactly.")] = None,
) -> None:
    """Train a segmentation model and evaluate it on held-out lesions."""
    sources_of_values = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources_of_values.items() if source and source.name == "COMMANDLINE"}
    if not given & {"sources", "resume"}:
        raise typer.BadParameter("Pass tables with masks, or --resume with a run directory")
    if resume is not None and given != {"resume"}:
        raise typer.BadParameter("--resume uses the settings of the run. Remove all other arguments")
    from lesionlens.core.console import make_console, print_line
    from lesionlens.segmentation.config import SegmentationConfig
    from lesionlens.segmentation.models import make_segmentation_spec
    from lesionlens.segmentation.train import resume_segmentation, train_segmentation

    architecture = make_segmentation_spec(arch, encoder, width=width)
    config = SegmentationConfig(
        arch=architecture.arch,
        encoder=architecture.encoder,
        width=width,
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
        within_root=within_root,
    )
    run = resume_segmentation(resume) if resume else train_segmentation(sources or [], config, out=out)
    print_line(make_console(), f"run: {run}. Research use only, not a medical device.")


@segment_app.command("predict")
def segment_predict_command(
    model: Annotated[
        Path, typer.Argument(help="Directory of a saved segmentation model or of a segmentation run.")
    ],
    sources: Annotated[list[str], typer.Argument(help="Folders, image files, or tables.")],
    out: Annotated[Path, out_folder("Folder for the masks, ID_segmentation.png.")],
    keep_largest_component: Annotated[
        bool | None,
        typer.Option(
            "--keep-largest-component/--no-keep-largest-component",
            help="Keep only the largest connected component, with holes filled; default: as in training.",
        ),
    ] = None,
    probabilities: Annotated[
        bool,
        typer.Option("--probabilities", help="Write gray masks: the probability of each pixel, 0 to 255."),
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Predict existing masks again.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, gpu, or a torch device such as cuda:1.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Images per forward pass.")] = 16,
    num_threads: NumThreadsOption = None,
    within_root: WithinRootOption = False,
) -> None:
    """Predict a lesion mask per image at the image's size; re-run the same command to resume."""
    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.core.errors import DataError
    from lesionlens.core.runtime import set_num_threads
    from lesionlens.datasets.issues import pluralize
    from lesionlens.segmentation.predict import segment_images

    console = make_console(stderr=True)
    set_num_threads(num_threads)
    with progress_bar(console, unit="images") as progress:
        task = progress.add_task("predicting masks", total=None)
        result = segment_images(
            model,
            sources,
            out,
            largest_only=keep_largest_component,
            probabilities=probabilities,
            overwrite=overwrite,
            device=device,
            batch_size=batch_size,
            within_root=within_root,
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    skipped = f", {result.skipped} existed" if result.skipped else ""
    print_line(
        console,
        f"{pluralize(result.written, 'mask')} written{skipped}: {out}. Research use only, not a medical device.",
    )
    if result.failures:
        listed = "\n  ".join(result.failures[:10])
        raise DataError(
            f"{pluralize(len(result.failures), 'image')} could not be read, so there is no mask:\n  {listed}"
        )


@segment_app.command("evaluate")
def segment_evaluate_command(
    folder: Annotated[Path, typer.Argument(help="Predicted masks: ID_segmentation.png or ID.png.")],
    source: SourceArgument,
    split: Annotated[
        str | None, typer.Option(help="Only this official split: train, validation or test.")
    ] = None,
    out: Annotated[
        Path | None,
        out_file("JSON file to write, with a CSV file of per-image metrics next to it."),
    ] = None,
    bootstrap_samples: Annotated[
        int, typer.Option(min=1, help="Number of bootstrap resamples over lesions.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the bootstrap.")] = 0,
    within_root: WithinRootOption = False,
) -> None:
    """Evaluate predicted masks: Jaccard, thresholded Jaccard and Dice, with 95 % confidence intervals."""
    from lesionlens.core.console import activity, make_console, print_line
    from lesionlens.datasets.issues import pluralize
    from lesionlens.segmentation.evaluate import evaluate_folder

    with activity(make_console(stderr=True), "evaluating masks"):
        scores = evaluate_folder(
            folder,
            source,
            split=split,
            n_resamples=bootstrap_samples,
            seed=seed,
            within_root=within_root,
        )
        if out is not None:
            scores.save(out)
    print_line(make_console(), str(scores.mean))
    if scores.excluded:
        image, _, reason = scores.excluded[0]
        print_line(
            make_console(stderr=True),
            f"{pluralize(len(scores.excluded), 'image')} could not be evaluated, for example {image}: {reason}",
        )
