"""Fit a model with Lightning's trainer; the metadata record the progress of the run at any time."""

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
from lesionlens.models.saved_model import ModelCard, save_model
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.train_schema import PrecisionOption, TrainRecipe
from lesionlens.training.build import RunComponents
from lesionlens.training.callbacks import (
    AtomicCheckpointIO,
    CSVLogger,
    EarlyStopping,
    LastCheckpoint,
    ModelCheckpoint,
    RunProgressBar,
)
from lesionlens.training.module import ClassificationModule


def fit(components: RunComponents, run_dir: RunDir, *, console: Console) -> None:
    """Train to the last epoch, from the run's checkpoint if there is one, and save the best model.

    Raises
    ------
    RunInterrupted
        Ctrl-C was pressed.
    RunError
        The loss is not finite, or the run directory cannot be written.
    """
    retain_freed_memory()
    config, module = components.setup.recipe.train, components.module
    csv_logger = CSVLogger(run_dir.metrics_csv)
    model_checkpoint = ModelCheckpoint(
        config.monitor,
        every_epoch=config.checkpoint == "last",
        save_fn=lambda epoch, value: _save_best(components, run_dir, epoch, value),
    )
    early_stopping = _early_stopping(config)
    callbacks = [
        csv_logger,
        model_checkpoint,
        *early_stopping,
        RunProgressBar(console, csv_logger),
        LastCheckpoint(run_dir.checkpoint),
    ]
    trainer = make_trainer(config, run_dir, callbacks, precision=components.auto_values.precision)
    previous_seconds = float(run_dir.metadata()["seconds"])
    started = time.monotonic()
    try:
        _run_loop(trainer, components, run_dir)
    finally:
        is_finished = trainer.state.status == TrainerStatus.FINISHED
        run_dir.update(
            status="trained" if is_finished else "interrupted",
            seconds=round(previous_seconds + time.monotonic() - started, 1),
            device=_device_name(module),
            num_threads=torch.get_num_threads(),
            peak_memory_gib=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            best=model_checkpoint.best,
            checkpoint=config.checkpoint,
            epochs_run=len(csv_logger.rows),
            stop_reason=f"no better {early_stopping[0].monitor} for {config.early_stopping.patience} epochs"
            if trainer.should_stop
            else "",
        )


def make_trainer(
    config: TrainRecipe, run_dir: RunDir, callbacks: list[Callback], *, precision: PrecisionOption
) -> L.Trainer:
    """Build the Lightning trainer of a run.

    Parameters
    ----------
    config
        Section ``train`` of the recipe.
    run_dir
        Directory of the run.
    callbacks
        Callbacks of the trainer.
    precision
        ``fp32``, or ``bf16`` autocast.
    """
    logging.getLogger("lightning").setLevel(logging.ERROR)  # hints for authors of training loops
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    # no layer reads memory before it is written, and filling it takes a third of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return L.Trainer(
        accelerator=config.device,
        devices=1,
        max_epochs=config.epochs,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO()],
        logger=False,
        enable_checkpointing=True,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=run_dir.path,
        deterministic="warn",
    )


def _early_stopping(config: TrainRecipe) -> list[EarlyStopping]:
    stopping = config.early_stopping
    if stopping.patience is None:
        return []
    monitor = stopping.monitor or config.monitor
    return [EarlyStopping(monitor, patience=stopping.patience, min_delta=stopping.min_delta)]


def _run_loop(trainer: L.Trainer, components: RunComponents, run_dir: RunDir) -> None:
    handler = signal.getsignal(signal.SIGINT)
    checkpoint = run_dir.checkpoint if run_dir.checkpoint.is_file() else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # hints for authors of training loops
            trainer.fit(
                components.module,
                datamodule=components.datamodule,
                ckpt_path=checkpoint,
                weights_only=True,
            )
    except SystemExit as error:  # Lightning's response to Ctrl-C
        raise RunInterrupted(
            "interrupted; all complete epochs are saved. "
            f"Resume with: lesionlens train --resume {run_dir.path}"
        ) from error
    finally:
        signal.signal(signal.SIGINT, handler)


def _save_best(components: RunComponents, run_dir: RunDir, epoch: int, value: float) -> None:
    """Save the model after an epoch, with its model card."""
    setup, recipe = components.setup, components.setup.recipe
    card = ModelCard(
        name=recipe.model.name,
        architecture=setup.resolved.architecture,
        classes=setup.task.output_names,
        multilabel=setup.task.multilabel,
        preprocessing=components.module.preprocessing,
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
    save_model(run_dir.best_model, components.module.model, card)


def _device_name(module: ClassificationModule) -> str:
    if module.device.type == "cuda":
        return torch.cuda.get_device_name(module.device)
    return f"CPU, {os.cpu_count()} cores"
