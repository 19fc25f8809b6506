"""The epochs of a run: Lightning's loop with our callbacks; the record always says how far it came."""

import logging
import os
import resource
import signal
import time
import warnings

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerStatus
from rich.console import Console

from lesionlens.data.module import LesionData
from lesionlens.errors import InterruptedRunError
from lesionlens.models.bundle import Card, save_model
from lesionlens.training.allocator import keep_freed_memory
from lesionlens.training.callbacks import AtomicCheckpoints, EpochLog, Keep, SaveLast, StopEarly
from lesionlens.training.folder import RunFolder
from lesionlens.training.prepared import Prepared
from lesionlens.training.progress import RunProgress
from lesionlens.training.recipe import Recipe
from lesionlens.training.task import Classification
from lesionlens.training.train_recipe import TrainRecipe


def fit(
    prepared: Prepared, folder: RunFolder, task: Classification, data: LesionData, *, console: Console
) -> None:
    """Train from the folder's checkpoint, if there is one, to the last epoch; keep the best bundle.

    Raises
    ------
    InterruptedRunError
        Ctrl-C.
    RunError
        The loss is no number any more, or the folder cannot be written.
    """
    keep_freed_memory()
    train = prepared.recipe.train
    log = EpochLog(folder.log)
    keep = Keep(
        train.monitor,
        every=train.keep == "last",
        save=lambda epoch, value: _keep(prepared, folder, task, epoch, value),
    )
    stop = _stop(train)
    callbacks = [log, keep, *stop, RunProgress(console, log), SaveLast(folder.checkpoint)]
    trainer = make_trainer(prepared.recipe, folder, callbacks)
    before = float(folder.record()["seconds"])
    started = time.monotonic()
    try:
        _loop(trainer, task, data, folder)
    finally:
        done = trainer.state.status == TrainerStatus.FINISHED
        folder.note(
            status="trained" if done else "interrupted",
            seconds=round(before + time.monotonic() - started, 1),
            device=_device(task),
            threads=torch.get_num_threads(),
            peak_memory_gib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            best=keep.best,
            kept=train.keep,
            epochs_run=len(log.rows),
            stopped=f"no better {stop[0].monitor} for {train.patience} epochs" if trainer.should_stop else "",
        )


def _stop(train: TrainRecipe) -> list[StopEarly]:
    if train.patience is None:
        return []
    return [StopEarly(train.stop_on or train.monitor, patience=train.patience, min_delta=train.min_delta)]


def _loop(trainer: L.Trainer, task: Classification, data: LesionData, folder: RunFolder) -> None:
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


def make_trainer(recipe: Recipe, folder: RunFolder, callbacks: list[Callback]) -> L.Trainer:
    """Build Lightning's trainer as a recipe says."""
    logging.getLogger("lightning").setLevel(logging.ERROR)  # what it tells is for those who write loops
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    # no layer reads memory before it is written, and filling it costs a third of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
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
    """Save the bundle of a better epoch, or of the last."""
    recipe = prepared.recipe
    card = Card(
        name=recipe.model.name,
        architecture=prepared.network.architecture,
        classes=prepared.task.outputs,
        independent=prepared.task.independent,
        preprocessing=prepared.preprocessing,
        trained_on={
            "source": recipe.data.source,
            "fingerprint": folder.record()["data"]["fingerprint"],
            "task": prepared.task.name,
            "weights": recipe.model.weights,
            "seed": recipe.train.seed,
            "epoch": epoch,
            "kept": recipe.train.keep,
            recipe.train.monitor: value,
        },
    )
    save_model(folder.best, task.model, card)


def _device(task: Classification) -> str:
    if task.device.type == "cuda":
        return torch.cuda.get_device_name(task.device)
    return f"CPU, {os.cpu_count()} cores"
