"""``lesionlens evaluate-ood``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionlens.cli import options

if TYPE_CHECKING:
    from lesionlens.inference.inputs import InferenceInputs


def evaluate_ood_command(
    model: options.ModelArgument,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            help="Known images that neither trained nor selected the model: folders, image files, or tables "
            "(NAME:ROOT, a CSV or parquet file). Default: the calibration and test splits of the run."
        ),
    ] = None,
    unknown: Annotated[
        list[str] | None,
        typer.Option(
            help="Further unknown images: a folder, or a table whose labels are kinds of their own; repeat for more."
        ),
    ] = None,
    out: Annotated[Path, options.out_folder("Folder for the results.")] = Path("ood"),
    num_images: Annotated[
        int, typer.Option(min=2, help="Number of images of each kind: generated, or sampled from --unknown.")
    ] = 40,
    bootstrap_samples: Annotated[
        int, typer.Option(min=0, help="Number of bootstrap resamples over lesions.")
    ] = 1000,
    seed: options.BootstrapSeedOption = 0,
    device: options.DeviceOption = "auto",
    num_threads: options.NumThreadsOption = None,
) -> None:
    """Evaluate how well detectors find images of a kind that the model was not trained on (out of distribution).

    Generated kinds: overview images, textures, text, noise and empty frames; another camera, blur, wrong white balance;
    cats, coffee and other samples of scikit-image.
    """
    from lesionlens.core.console import make_console, print_line, progress_bar
    from lesionlens.core.notice import RESEARCH_USE_NOTICE
    from lesionlens.core.runtime import set_num_threads
    from lesionlens.inference.ood_challenge import OODOptions, evaluate_detectors
    from lesionlens.inference.ood_plots import write_ood_figures
    from lesionlens.inference.ood_report import OODTable, write_ood_report
    from lesionlens.models.saved_model import load_saved_model
    from lesionlens.uncertainty.calibrate import CalibrationOptions

    console = make_console(stderr=True)
    set_num_threads(num_threads)
    with progress_bar(console, unit="kinds of images") as progress:
        task = progress.add_task("evaluating detectors", total=None)
        loaded = load_saved_model(model, device=device)
        evaluation = evaluate_detectors(
            loaded,
            _known_images(model, images),
            _unknown_images(unknown or ()),
            options=OODOptions(num_images=num_images, n_resamples=bootstrap_samples, seed=seed),
            on_progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    write_ood_report(out, evaluation.report)
    write_ood_figures(out, evaluation.report, evaluation.examples)
    make_console().print(OODTable(evaluation.report, CalibrationOptions().detector))
    options.report_out(out)
    print_line(console, RESEARCH_USE_NOTICE)


def _known_images(model: Path, images: list[str] | None) -> "InferenceInputs":
    """Return the images of the argument, or those of a run that neither trained nor selected its model."""
    from lesionlens.core.errors import DataError
    from lesionlens.inference.inputs import collect_inputs
    from lesionlens.runs.run_dir import RunDir
    from lesionlens.training.run_images import unseen_images

    if images:
        return collect_inputs(images)
    if not RunDir(model).exists():
        raise DataError(f"{model} is not a run: pass images that neither trained nor selected the model")
    return unseen_images(RunDir(model))


def _unknown_images(sources: Sequence[str]) -> "dict[str, InferenceInputs]":
    """Return the images of each source by the name of their kind."""
    from lesionlens.core.errors import DataError
    from lesionlens.inference.inputs import collect_inputs
    from lesionlens.inference.ood_challenge import group_by_label

    kinds: dict[str, InferenceInputs] = {}
    for source in sources:
        added = group_by_label(_short_name(source), collect_inputs([source]))
        if repeated := set(kinds) & set(added):
            raise DataError(f"--unknown has two kinds of images {min(repeated)!r}; rename a folder or table")
        kinds |= added
    return kinds


def _short_name(source: str) -> str:
    """Return the name of a dataset, a file or a folder, without its path."""
    name, _, root = source.partition(":")
    return name if root and not Path(source).exists() else Path(source).stem
