"""One run from recipe to report; killed, it goes on from its last whole epoch as if left alone."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from lesionlens.data.module import LesionData
from lesionlens.errors import RunError
from lesionlens.models.classifier import Classifier
from lesionlens.training.finish import finish
from lesionlens.training.fit import fit
from lesionlens.training.folder import RunFolder, new_folder, open_folder, versions, write_recipe
from lesionlens.training.prepare import Prepared, make_data, make_task, prepare
from lesionlens.training.progress import bar
from lesionlens.training.read_recipe import read_recipe
from lesionlens.training.recipe import Recipe


def train(
    recipe: str | Recipe,
    overrides: Sequence[str] = (),
    *,
    out: Path | None = None,
    runs: Path = Path("runs"),
    console: Console | None = None,
) -> Path:
    """Train by a recipe, measure and explain the result; everything lands in one new folder.

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
    checked = read_recipe(recipe, overrides) if isinstance(recipe, str) else recipe
    console = console or Console(stderr=True)
    prepared = prepare(checked)
    if checked.model.weights == "imagenet":
        console.print("fetching ImageNet weights from the hub, unless they are here already")
    made = prepared.network.make(len(prepared.task.classes))
    console.print(escape(prepared.network.greeting(made)), highlight=False, soft_wrap=True, style="dim")
    _say(prepared, console)
    data = _decoded(prepared, console)
    folder = new_folder(Path(name).stem if name.endswith((".yaml", ".yml")) else name, out=out, runs=runs)
    write_recipe(folder, prepared.recipe)
    prepared.split.save(folder.split)
    folder.note(
        name=folder.path.name,
        command=" ".join(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        status="running",
        seconds=0.0,
        seed=checked.train.seed,
        precision=checked.train.precision,
        versions=versions(),
        data=prepared.facts(),
        model=prepared.network.describe(made),
    )
    return _compute(prepared, folder, made.model, data, console)


def resume(path: Path, *, console: Console | None = None) -> Path:
    """Go on with a run that was interrupted or killed.

    Raises
    ------
    RunError
        It is no run, it is finished, or its data are not what they were.
    """
    folder = open_folder(path)
    console = console or Console(stderr=True)
    if folder.record()["status"] == "finished":
        raise RunError(f"the run {path} is finished; there is nothing to resume")
    prepared = prepare(read_recipe(str(folder.recipe)))
    before = folder.record()["data"]["fingerprint"]
    if prepared.table.fingerprint() != before:
        raise RunError(
            f"the data of {path} are not what they were when it started (images, labels or sizes differ); "
            "bring them back, or start a new run"
        )
    made = prepared.network.make(len(prepared.task.classes))
    return _compute(prepared, folder, made.model, _decoded(prepared, console), console)


def _say(prepared: Prepared, console: Console) -> None:
    for warning in (*prepared.table.warnings, *prepared.split.remarks):
        console.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False, soft_wrap=True)


def _decoded(prepared: Prepared, console: Console) -> LesionData:
    with bar(console) as progress:
        shown = progress.add_task("decoding images", total=None)
        return make_data(prepared, lambda done, total: progress.update(shown, completed=done, total=total))


def _compute(
    prepared: Prepared, folder: RunFolder, model: Classifier, data: LesionData, console: Console
) -> Path:
    """Fit, then measure and report."""
    fit(prepared, folder, make_task(prepared, model, data), data, console=console)
    finish(prepared, folder, console=console)
    folder.note(status="finished")
    return folder.path
