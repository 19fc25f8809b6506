"""Train a recipe from the data to the report, or resume an interrupted run exactly."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rich.console import Console

from lesionlens.core.console import activity, make_console, print_line, print_warning, progress_bar
from lesionlens.datasets.excluded import write_excluded
from lesionlens.models.installed_weights import weights_package
from lesionlens.models.weights import fetch_weights_file
from lesionlens.report.model_card import write_model_card
from lesionlens.runs.absolute_paths import check_data_paths, with_absolute_paths
from lesionlens.runs.load import load_recipe
from lesionlens.runs.multi_run_dir import MultiRunDir, expand_runs
from lesionlens.runs.run_dir import (
    RESUME_COMMAND,
    RunDir,
    check_run_dir,
    create_run_dir,
    open_run_dir,
    read_recipe,
    resumable,
    write_recipe,
)
from lesionlens.runs.schema import Recipe
from lesionlens.training.build import RunComponents, build
from lesionlens.training.evaluate_run import evaluate_run
from lesionlens.training.fit import fit
from lesionlens.training.multi_run import RunFns, resume_multi_run, run_all
from lesionlens.training.resolve import resolve
from lesionlens.training.setup import RunSetup, set_up_run


def train(
    recipe: str | Path | Recipe,
    overrides: Sequence[str] = (),
    *,
    out: Path | str | None = None,
    runs_dir: Path | str = "runs",
    console: Console | None = None,
) -> Path:
    """Train a model by a recipe, evaluate and explain it, write a report, and return the run directory.

    A recipe with ``num_repeats`` or ``n_folds`` trains several models, each in a subdirectory.

    Parameters
    ----------
    recipe
        ``Recipe``, name of a built-in recipe, or path of a YAML file.
    overrides
        Overrides ``section.key=value``.
    out
        Run directory, which must not exist; default: the next free name in ``runs_dir``.
    runs_dir
        Directory of runs without ``out``.
    console
        Console for progress; default: standard error.

    Raises
    ------
    LesionLensError
        The recipe, the data, the model, its weights or the run directory cannot be used; raised before training.
    """
    out, runs_dir = None if out is None else Path(out), Path(runs_dir)
    name = "run" if isinstance(recipe, Recipe) else str(recipe)
    name = Path(name).stem if name.endswith((".yaml", ".yml")) else name
    loaded = with_absolute_paths(
        recipe if isinstance(recipe, Recipe) else load_recipe(str(recipe), overrides)
    )
    check_run_dir(name, out=out, runs_dir=runs_dir)
    console = console or make_console(stderr=True)
    if len(expand_runs(loaded)) > 1:
        return run_all(
            loaded, name, out=out, runs_dir=runs_dir, console=console, run_fns=RunFns(_train_one, resume)
        )
    return _train_one(loaded, name, out=out, runs_dir=runs_dir, console=console)


def _train_one(
    recipe: Recipe,
    name: str = "run",
    *,
    out: Path | None,
    runs_dir: Path = Path("runs"),
    console: Console,
    command: str | None = None,
) -> Path:
    """Train a single run; the command is recorded in its metadata."""
    with activity(console, "reading the dataset"):
        setup = set_up_run(resolve(recipe))
    _print_warnings(setup, console)
    components = _build(setup, console)
    print_line(console, components.initialization_message(), style="dim")
    write = partial(_write_metadata, components, command=command)
    run_dir = create_run_dir(name, out=out, runs_dir=runs_dir, write=write)
    return _fit_and_evaluate(components, run_dir, console)


def resume(path: Path | str, *, console: Console | None = None) -> Path:
    """Resume an interrupted run, or all unfinished runs of a multi-run directory.

    Raises
    ------
    RunError
        The directory is not a run, the run is finished, or its dataset was moved or has changed.
    """
    path = Path(path)
    console = console or make_console(stderr=True)
    if MultiRunDir(path).exists():
        return resume_multi_run(path, console=console, run_fns=RunFns(_train_one, resume))
    run_dir = open_run_dir(path)
    run_dir.check_resumable()
    metadata, recipe = run_dir.metadata(), read_recipe(run_dir)
    check_data_paths(recipe, path)
    with activity(console, "reading the dataset"):
        setup = set_up_run(resolve(recipe, saved=metadata.get("auto_values")))
    run_dir.check_dataset(metadata["data"].get("fingerprint"), setup.table.fingerprint())
    return _fit_and_evaluate(_build(setup, console), run_dir, console)


def _print_warnings(setup: RunSetup, console: Console) -> None:
    caveats = [caveat.text for caveat in setup.splits.caveats]
    for warning in (*setup.table.warnings, *caveats, *setup.resolved.warnings()):
        print_warning(console, warning)


def _build(setup: RunSetup, console: Console) -> RunComponents:
    weights, backbone = setup.recipe.model.weights, setup.resolved.architecture.backbone
    if weights == "imagenet" and not weights_package(weights, backbone):
        with activity(console, "downloading ImageNet weights from the hub, unless they are cached"):
            fetch_weights_file(backbone)
    with progress_bar(console) as progress:
        task_id = progress.add_task("decoding images", total=None)
        return build(
            setup,
            on_message=lambda text: print_line(console, text, style="dim"),
            on_progress=lambda done, total: progress.update(task_id, completed=done, total=total),
        )


def _write_metadata(components: RunComponents, run_dir: RunDir, *, command: str | None) -> None:
    """Write the recipe, the splits, the excluded images and the metadata of a new run."""
    setup = components.setup
    write_recipe(run_dir, setup.recipe)
    setup.splits.save(run_dir.splits_csv)
    write_excluded(run_dir.excluded, components.excluded)
    run_dir.start(
        command=command,
        status="running",
        seconds=0.0,
        seed=setup.recipe.train.seed,
        precision=components.auto_values.precision,
        data=components.describe_data(),
        model=components.describe_model(),
        auto_values=components.auto_values.to_metadata(),
    )


def _fit_and_evaluate(components: RunComponents, run_dir: RunDir, console: Console) -> Path:
    print_line(console, components.auto_values.summary(), style="dim")
    with resumable(run_dir.path, RESUME_COMMAND):
        fit(components, run_dir, console=console)
        evaluate_run(components, run_dir, console=console)
        write_model_card(run_dir.path)
        run_dir.update(status="finished")
    return run_dir.path
