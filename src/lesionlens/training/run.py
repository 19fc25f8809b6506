"""One run from recipe to report; killed, it goes on from its last whole epoch as if left alone."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lesionlens.core.console import progress_bar
from lesionlens.core.errors import RunError
from lesionlens.datasets.excluded import write_excluded
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir, create_run_dir, open_run_dir, package_versions, write_recipe
from lesionlens.runs.schema import Recipe
from lesionlens.training.build import (
    RunComponents,
    as_overrides,
    auto_choices,
    build_datamodule,
    build_module,
    compute_summary,
    resolve_training_device,
)
from lesionlens.training.evaluate_run import evaluate_run
from lesionlens.training.fit import fit
from lesionlens.training.loader_benchmark import tune_workers
from lesionlens.training.module import ClassificationModule
from lesionlens.training.multi_run import MultiRunDir, RunFns, expand_runs, resume_multi_run, run_all
from lesionlens.training.setup import RunSetup, set_up_run


def train(
    recipe: str | Recipe,
    overrides: Sequence[str] = (),
    *,
    out: Path | None = None,
    runs_dir: Path = Path("runs"),
    console: Console | None = None,
) -> Path:
    """Train by a recipe, measure and explain the result; everything lands in one new folder.

    A recipe with ``num_repeats`` or ``n_folds`` is run as often, each run in a folder of its own inside that one.

    Parameters
    ----------
    recipe
        A ``Recipe``, the name of a shipped one, or a YAML file.
    overrides
        ``section.key=value`` words.
    out
        The run's folder, not there yet; default the next free one in ``runs_dir``.
    runs_dir
        Where runs are kept that have no ``out``.
    console
        Where progress is shown; default: standard error.

    Raises
    ------
    LesionLensError
        Recipe, data, network, weights or folder cannot be used; said before anything is computed.
    """
    name = recipe if isinstance(recipe, str) else "run"
    name = Path(name).stem if name.endswith((".yaml", ".yml")) else name
    checked = load_recipe(recipe, overrides) if isinstance(recipe, str) else recipe
    console = console or Console(stderr=True)
    if len(expand_runs(checked)) > 1:
        return run_all(
            checked, name, out=out, runs_dir=runs_dir, console=console, run_fns=RunFns(train, resume)
        )
    prepared = set_up_run(checked)
    if checked.model.weights == "imagenet":
        console.print("fetching ImageNet weights from the hub, unless they are here already")
    made = prepared.resolved_model.build(len(prepared.task.output_names))
    console.print(
        escape(prepared.resolved_model.startup_message(made)), highlight=False, soft_wrap=True, style="dim"
    )
    _print_warnings(prepared, console)
    ready = _decode_images(prepared, console)
    task = build_module(ready.setup, made.model)
    ready = tune_workers(ready, task)
    folder = create_run_dir(name, out=out, runs_dir=runs_dir)
    write_recipe(folder, prepared.recipe)
    prepared.splits.save(folder.splits_csv)
    write_excluded(folder.excluded, ready.setup.excluded)
    folder.update(
        name=folder.path.name,
        command=" ".join(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        status="running",
        seconds=0.0,
        seed=checked.train.seed,
        precision=ready.setup.recipe.train.precision,
        versions=package_versions(),
        data=ready.setup.describe(),
        model=prepared.resolved_model.describe(made),
        auto_values=auto_choices(ready.setup.recipe),
    )
    return _fit_and_evaluate(ready, folder, task, console)


def resume(path: Path, *, console: Console | None = None) -> Path:
    """Go on with a run, or a group of them, that was interrupted or killed.

    Raises
    ------
    RunError
        It is no run, it is finished, or its data are not what they were.
    """
    console = console or Console(stderr=True)
    if MultiRunDir(path).exists():
        return resume_multi_run(path, console=console, run_fns=RunFns(train, resume))
    folder = open_run_dir(path)
    if folder.metadata()["status"] == "finished":
        raise RunError(f"the run {path} is finished; there is nothing to resume")
    prepared = set_up_run(load_recipe(str(folder.recipe), as_overrides(folder.metadata())))
    before = folder.metadata()["data"]["fingerprint"]
    if prepared.table.fingerprint() != before:
        raise RunError(
            f"the data of {path} are not what they were when it started (images, labels or sizes differ); "
            "bring them back, or start a new run"
        )
    made = prepared.resolved_model.build(len(prepared.task.output_names))
    ready = _decode_images(prepared, console)
    task = build_module(ready.setup, made.model)
    return _fit_and_evaluate(tune_workers(ready, task), folder, task, console)


def _print_warnings(setup: RunSetup, console: Console) -> None:
    for warning in (*setup.table.warnings, *setup.splits.caveats, *setup.resolved_model.warnings()):
        console.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False, soft_wrap=True)


def _decode_images(setup: RunSetup, console: Console) -> RunComponents:
    with progress_bar(console) as progress:
        shown = progress.add_task("decoding images", total=None)
        return build_datamodule(
            setup,
            on_message=lambda said: console.print(escape(said), highlight=False, soft_wrap=True, style="dim"),
            on_progress=lambda done, total: progress.update(shown, completed=done, total=total),
        )


def _fit_and_evaluate(
    components: RunComponents, run_dir: RunDir, module: ClassificationModule, console: Console
) -> Path:
    """Fit, then measure and report."""
    recipe = components.setup.recipe
    console.print(
        compute_summary(recipe, resolve_training_device(recipe.train)), highlight=False, style="dim"
    )
    fit(components.setup, run_dir, module, components.datamodule, console=console)
    evaluate_run(components.setup, run_dir, console=console)
    run_dir.update(status="finished")
    return run_dir.path
