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

from lesionlens.core.errors import RunInterrupted
from lesionlens.core.runtime import retain_freed_memory
from lesionlens.data.datamodule import LesionDataModule
from lesionlens.models.saved_model import ModelCard, save_model
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.schema import Recipe, TrainRecipe
from lesionlens.training.callbacks import (
    AtomicCheckpointIO,
    CSVLogger,
    EarlyStopping,
    LastCheckpoint,
    ModelCheckpoint,
    RunProgressBar,
)
from lesionlens.training.module import ClassificationModule
from lesionlens.training.setup import RunSetup


def fit(
    setup: RunSetup,
    run_dir: RunDir,
    module: ClassificationModule,
    datamodule: LesionDataModule,
    *,
    console: Console,
) -> None:
    """Train from the folder's checkpoint, if there is one, to the last epoch; keep the best bundle.

    Raises
    ------
    RunInterrupted
        Ctrl-C.
    RunError
        The loss is no number any more, or the folder cannot be written.
    """
    retain_freed_memory()
    train = setup.recipe.train
    log = CSVLogger(run_dir.metrics_csv)
    keep = ModelCheckpoint(
        train.monitor,
        every_epoch=train.checkpoint == "last",
        save_fn=lambda epoch, value: _save_best(setup, run_dir, module, epoch, value),
    )
    stop = _early_stopping(train)
    callbacks = [log, keep, *stop, RunProgressBar(console, log), LastCheckpoint(run_dir.checkpoint)]
    trainer = make_trainer(setup.recipe, run_dir, callbacks)
    before = float(run_dir.metadata()["seconds"])
    started = time.monotonic()
    try:
        _run_loop(trainer, module, datamodule, run_dir)
    finally:
        done = trainer.state.status == TrainerStatus.FINISHED
        run_dir.update(
            status="trained" if done else "interrupted",
            seconds=round(before + time.monotonic() - started, 1),
            device=_device_name(module),
            num_threads=torch.get_num_threads(),
            peak_memory_gib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            best=keep.best,
            checkpoint=train.checkpoint,
            epochs_run=len(log.rows),
            stop_reason=f"no better {stop[0].monitor} for {train.patience} epochs"
            if trainer.should_stop
            else "",
        )


def _early_stopping(config: TrainRecipe) -> list[EarlyStopping]:
    if config.patience is None:
        return []
    return [
        EarlyStopping(config.stop_on or config.monitor, patience=config.patience, min_delta=config.min_delta)
    ]


def _run_loop(
    trainer: L.Trainer, module: ClassificationModule, datamodule: LesionDataModule, run_dir: RunDir
) -> None:
    handler = signal.getsignal(signal.SIGINT)
    checkpoint = run_dir.checkpoint if run_dir.checkpoint.is_file() else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # hints to people who write loops
            trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as leaving:  # what Lightning makes of Ctrl-C
        raise RunInterrupted(
            "stopped; nothing is lost up to the last whole epoch. "
            f"Go on with: lesionlens train --resume {run_dir.path}"
        ) from leaving
    finally:
        signal.signal(signal.SIGINT, handler)


def make_trainer(recipe: Recipe, run_dir: RunDir, callbacks: list[Callback]) -> L.Trainer:
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
        plugins=[AtomicCheckpointIO()],
        logger=False,
        enable_checkpointing=True,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=run_dir.path,
        deterministic="warn",
    )


def _save_best(
    setup: RunSetup, run_dir: RunDir, module: ClassificationModule, epoch: int, value: float
) -> None:
    """Save the bundle of a better epoch, or of the last."""
    recipe = setup.recipe
    card = ModelCard(
        name=recipe.model.name,
        architecture=setup.resolved_model.architecture,
        classes=setup.task.output_names,
        multilabel=setup.task.multilabel,
        preprocessing=setup.preprocessing,
        training_data={
            "source": recipe.data.source,
            "fingerprint": run_dir.metadata()["data"]["fingerprint"],
            "task": setup.task.name,
            "weights": recipe.model.weights,
            "seed": recipe.train.seed,
            "epoch": epoch,
            "checkpoint": recipe.train.checkpoint,
            recipe.train.monitor: value,
        },
    )
    save_model(run_dir.best_model, module.model, card)


def _device_name(module: ClassificationModule) -> str:
    if module.device.type == "cuda":
        return torch.cuda.get_device_name(module.device)
    return f"CPU, {os.cpu_count()} cores"
