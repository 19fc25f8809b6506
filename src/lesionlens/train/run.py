"""One run from recipe to report; killed, it goes on from its last whole epoch as if left alone."""

import logging
import os
import resource
import signal
import sys
import time
import warnings
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerStatus
from rich.console import Console
from rich.markup import escape

from lesionlens.data.module import LesionData
from lesionlens.errors import InterruptedRunError, RunError
from lesionlens.models.bundle import Card, save_model
from lesionlens.models.plain import Plain
from lesionlens.train.allocator import keep_freed_memory
from lesionlens.train.callbacks import AtomicCheckpoints, EpochLog, KeepBest, SaveLast
from lesionlens.train.finish import finish
from lesionlens.train.folder import RunFolder, new_folder, open_folder, versions, write_recipe
from lesionlens.train.prepare import Prepared, describe, make_data, make_model, make_task, prepare
from lesionlens.train.progress import RunProgress, bar
from lesionlens.train.read_recipe import read_recipe
from lesionlens.train.recipe import Recipe
from lesionlens.train.task import Classification


def train(
    recipe: str | Recipe,
    overrides: Sequence[str] = (),
    *,
    out: Path | None = None,
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
        The run's folder, not there yet; default the next free one in ``runs/``.
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
    _say(prepared, console)
    model = make_model(prepared)
    folder = new_folder(Path(name).stem if name.endswith((".yaml", ".yml")) else name, out=out)
    write_recipe(folder, checked)
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
        model=describe(prepared, model),
    )
    return _compute(prepared, folder, model, console)


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
    return _compute(prepared, folder, make_model(prepared), console)


def _say(prepared: Prepared, console: Console) -> None:
    for warning in (*prepared.table.warnings, *prepared.split.remarks):
        console.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False, soft_wrap=True)


def _compute(prepared: Prepared, folder: RunFolder, model: Plain, console: Console) -> Path:
    """Fit, then measure and report; the record always says how far it came."""
    keep_freed_memory()
    data = _data(prepared, console)
    task = make_task(prepared, model, data)
    train = prepared.recipe.train
    if train.threads is not None:
        torch.set_num_threads(train.threads)
    log = EpochLog(folder.log)
    best = KeepBest(
        monitor=train.monitor,
        patience=train.patience,
        save=lambda epoch, value: _keep(prepared, folder, task, epoch, value),
    )
    trainer = _trainer(
        prepared.recipe, folder, [log, best, RunProgress(console, log), SaveLast(folder.checkpoint)]
    )
    before = float(folder.record()["seconds"])
    started = time.monotonic()
    try:
        _fit(trainer, task, data, folder)
    finally:
        done = trainer.state.status == TrainerStatus.FINISHED
        folder.note(
            status="trained" if done else "interrupted",
            seconds=round(before + time.monotonic() - started, 1),
            device=_device(task),
            threads=torch.get_num_threads(),
            peak_memory_gib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            best=best.best,
            epochs_run=len(log.rows),
            stopped=f"no better {train.monitor} for {train.patience} epochs" if trainer.should_stop else "",
        )
    finish(prepared, folder, console=console)
    folder.note(status="finished")
    return folder.path


def _fit(trainer: L.Trainer, task: Classification, data: LesionData, folder: RunFolder) -> None:
    handler = signal.getsignal(signal.SIGINT)
    checkpoint = folder.checkpoint if folder.checkpoint.is_file() else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # hints to people who write loops
            trainer.fit(task, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as leaving:  # what Lightning makes of Ctrl-C
        raise InterruptedRunError(
            "stopped; nothing is lost up to the last whole epoch. "
            f"Go on with: lesionlens train --resume {folder.path}"
        ) from leaving
    finally:
        signal.signal(signal.SIGINT, handler)


def _trainer(recipe: Recipe, folder: RunFolder, callbacks: list[Callback]) -> L.Trainer:
    logging.getLogger("lightning").setLevel(logging.ERROR)  # what it tells is for those who write loops
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    torch.utils.deterministic.fill_uninitialized_memory = False  # no layer reads it; filling costs a third
    return L.Trainer(
        accelerator=recipe.train.device,
        devices=1,
        max_epochs=recipe.train.epochs,
        precision="bf16-mixed" if recipe.train.precision == "bf16" else "32-true",
        callbacks=callbacks,
        plugins=[AtomicCheckpoints()],
        logger=False,
        enable_checkpointing=True,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder.path,
        deterministic="warn",
    )


def _keep(prepared: Prepared, folder: RunFolder, task: Classification, epoch: int, value: float) -> None:
    """Save the bundle of a better epoch."""
    recipe = prepared.recipe
    card = Card(
        name=recipe.model.name,
        architecture=prepared.architecture,
        classes=prepared.task.classes,
        preprocessing=prepared.preprocessing,
        trained_on={
            "source": recipe.data.source,
            "fingerprint": folder.record()["data"]["fingerprint"],
            "task": prepared.task.name,
            "weights": recipe.model.weights,
            "seed": recipe.train.seed,
            "epoch": epoch,
            recipe.train.monitor: value,
        },
    )
    save_model(folder.best, task.model, card)


def _data(prepared: Prepared, console: Console) -> LesionData:
    with bar(console) as progress:
        shown = progress.add_task("decoding images", total=None)
        return make_data(prepared, lambda done, total: progress.update(shown, completed=done, total=total))


def _device(task: Classification) -> str:
    if task.device.type == "cuda":
        return torch.cuda.get_device_name(task.device)
    return f"CPU, {os.cpu_count()} cores"
