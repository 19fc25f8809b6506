"""One run from recipe to report; killed, it goes on from its last whole epoch as if left alone."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lesionlens.bar import bar
from lesionlens.errors import RunError
from lesionlens.training.chosen import choices, chosen_words, told
from lesionlens.training.device import device_of
from lesionlens.training.finish import finish
from lesionlens.training.fit import fit
from lesionlens.training.folder import RunFolder, new_folder, open_folder, versions, write_recipe
from lesionlens.training.group import GroupFolder, children
from lesionlens.training.left_out import write_left_out
from lesionlens.training.measure_pace import paced
from lesionlens.training.prepare import prepare
from lesionlens.training.prepared import Prepared
from lesionlens.training.read_recipe import read_recipe
from lesionlens.training.ready import Ready, make_data, make_task
from lesionlens.training.recipe import Recipe
from lesionlens.training.repeat import OneRun, go_on, repeat
from lesionlens.training.task import Classification


def train(
    recipe: str | Recipe,
    overrides: Sequence[str] = (),
    *,
    out: Path | None = None,
    runs: Path = Path("runs"),
    console: Console | None = None,
) -> Path:
    """Train by a recipe, measure and explain the result; everything lands in one new folder.

    A recipe with ``runs`` or ``folds`` is run as often, each run in a folder of its own inside that one.

    Parameters
    ----------
    recipe
        A ``Recipe``, the name of a shipped one, or a YAML file.
    overrides
        ``section.key=value`` words.
    out
        The run's folder, not there yet; default the next free one in ``runs``.
    runs
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
    checked = read_recipe(recipe, overrides) if isinstance(recipe, str) else recipe
    console = console or Console(stderr=True)
    if len(children(checked)) > 1:
        return repeat(checked, name, out=out, runs=runs, console=console, one=OneRun(train, resume))
    prepared = prepare(checked)
    if checked.model.weights == "imagenet":
        console.print("fetching ImageNet weights from the hub, unless they are here already")
    made = prepared.network.make(len(prepared.task.outputs))
    console.print(escape(prepared.network.greeting(made)), highlight=False, soft_wrap=True, style="dim")
    _say(prepared, console)
    ready = _decoded(prepared, console)
    task = make_task(ready.prepared, made.model)
    ready = paced(ready, task)
    folder = new_folder(name, out=out, runs=runs)
    write_recipe(folder, prepared.recipe)
    prepared.split.save(folder.split)
    write_left_out(folder.left_out, ready.prepared.left_out)
    folder.note(
        name=folder.path.name,
        command=" ".join(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        status="running",
        seconds=0.0,
        seed=checked.train.seed,
        precision=ready.prepared.recipe.train.precision,
        versions=versions(),
        data=ready.prepared.facts(),
        model=prepared.network.describe(made),
        chosen=choices(ready.prepared.recipe),
    )
    return _compute(ready, folder, task, console)


def resume(path: Path, *, console: Console | None = None) -> Path:
    """Go on with a run, or a group of them, that was interrupted or killed.

    Raises
    ------
    RunError
        It is no run, it is finished, or its data are not what they were.
    """
    console = console or Console(stderr=True)
    if GroupFolder(path).is_there():
        return go_on(path, console=console, one=OneRun(train, resume))
    folder = open_folder(path)
    if folder.record()["status"] == "finished":
        raise RunError(f"the run {path} is finished; there is nothing to resume")
    prepared = prepare(read_recipe(str(folder.recipe), chosen_words(folder.record())))
    before = folder.record()["data"]["fingerprint"]
    if prepared.table.fingerprint() != before:
        raise RunError(
            f"the data of {path} are not what they were when it started (images, labels or sizes differ); "
            "bring them back, or start a new run"
        )
    made = prepared.network.make(len(prepared.task.outputs))
    ready = _decoded(prepared, console)
    task = make_task(ready.prepared, made.model)
    return _compute(paced(ready, task), folder, task, console)


def _say(prepared: Prepared, console: Console) -> None:
    for warning in (*prepared.table.warnings, *prepared.split.remarks, *prepared.network.remarks()):
        console.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False, soft_wrap=True)


def _decoded(prepared: Prepared, console: Console) -> Ready:
    with bar(console) as progress:
        shown = progress.add_task("decoding images", total=None)
        return make_data(
            prepared,
            say=lambda said: console.print(escape(said), highlight=False, soft_wrap=True, style="dim"),
            progress=lambda done, total: progress.update(shown, completed=done, total=total),
        )


def _compute(ready: Ready, folder: RunFolder, task: Classification, console: Console) -> Path:
    """Fit, then measure and report."""
    recipe = ready.prepared.recipe
    console.print(told(recipe, device_of(recipe.train)), highlight=False, style="dim")
    fit(ready.prepared, folder, task, ready.data, console=console)
    finish(ready.prepared, folder, console=console)
    folder.note(status="finished")
    return folder.path
