"""Training loop of classification and segmentation runs: Lightning's trainer, its callbacks, and the run's metadata."""

import logging
import os
import resource
import signal
import time
import warnings
from dataclasses import dataclass
from typing import Literal

import lightning as L
import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerStatus
from rich.console import Console

from lesionlens.core.errors import RunInterrupted
from lesionlens.core.runtime import retain_freed_memory
from lesionlens.runs.run_dir import RunDir, resume_hint
from lesionlens.runs.train_schema import PrecisionOption
from lesionlens.training.base import TrainingModule
from lesionlens.training.callbacks import (
    AtomicCheckpointIO,
    CSVLogger,
    EarlyStopping,
    LastCheckpoint,
    ModelCheckpoint,
    RunProgressBar,
    SaveFn,
)
from lesionlens.training.stop_signals import StopAfterStep


@dataclass(frozen=True, kw_only=True)
class LoopConfig:
    """Settings of a training loop.

    Attributes
    ----------
    epochs
        Number of epochs.
    accelerator, devices
        Lightning's name of the device type, and the device's number; default: the first device.
    precision
        ``fp32``, or ``bf16`` autocast.
    monitor
        Validation metric that selects the saved model.
    checkpoint
        Whether the saved model is that of the ``best`` or of the ``last`` epoch.
    early_stopping
        Early stopping; None: train for all epochs.
    """

    epochs: int
    accelerator: str
    devices: list[int] | Literal[1] = 1
    precision: PrecisionOption = "fp32"
    monitor: str
    checkpoint: Literal["best", "last"] = "best"
    early_stopping: EarlyStopping | None = None


def run_loop(
    module: TrainingModule,
    datamodule: L.LightningDataModule,
    run_dir: RunDir,
    config: LoopConfig,
    *,
    save_fn: SaveFn,
    resume_command: str,
    console: Console,
) -> None:
    """Train to the last epoch, from the run's checkpoint if there is one; the metadata record the progress at any time.

    Parameters
    ----------
    module, datamodule
        Model with its loss and optimizer, and its data loaders.
    run_dir
        Directory of the run; its metadata contain the ``seconds`` of earlier calls.
    config
        Settings of the loop.
    save_fn
        Function that saves the selected model.
    resume_command
        Command that resumes the run, for the message after Ctrl-C.
    console
        Console for progress.

    Raises
    ------
    RunInterrupted
        Ctrl-C was pressed, or a stop signal arrived.
    RunError
        The loss is not finite, or the run directory cannot be written.
    """
    retain_freed_memory()
    csv_logger = CSVLogger(run_dir.metrics_csv, module.epoch_metrics)
    model_checkpoint = ModelCheckpoint(
        config.monitor, every_epoch=config.checkpoint == "last", save_fn=save_fn
    )
    stop_after_step = StopAfterStep()
    callbacks = [
        csv_logger,
        model_checkpoint,
        *([config.early_stopping] if config.early_stopping else []),
        RunProgressBar(console, csv_logger),
        LastCheckpoint(run_dir.checkpoint),
        stop_after_step,
    ]
    trainer = make_trainer(config, run_dir, callbacks)
    previous_seconds = float(run_dir.metadata()["seconds"])
    started = time.monotonic()
    try:
        with stop_after_step:
            _fit(trainer, module, datamodule, run_dir)
    except BaseException as error:
        reason = stop_after_step.received or ("Ctrl-C" if isinstance(error, SystemExit) else "")
        if not reason:
            raise
        raise RunInterrupted(
            f"interrupted by {reason}; all complete epochs are saved. "
            f"{resume_hint(resume_command, run_dir.path)}"
        ) from error
    finally:
        earlier = max(previous_seconds, csv_logger.restored_seconds)  # a killed call could not record its own
        run_dir.update(
            **_outcome(trainer, module, config),
            seconds=round(earlier + time.monotonic() - started, 1),
            best=model_checkpoint.best,
            epochs_run=len(csv_logger.rows),
        )


def _outcome(trainer: L.Trainer, module: TrainingModule, config: LoopConfig) -> dict[str, object]:
    """Return how the training ended and what it ran on, for the metadata of the run."""
    is_finished = trainer.state.status == TrainerStatus.FINISHED
    stopping = config.early_stopping
    stop_reason = ""
    if stopping and trainer.should_stop:
        stop_reason = f"no better {stopping.monitor} for {stopping.patience} epochs"
    return {
        "status": "trained" if is_finished else "interrupted",
        "device": _device_name(module.device),
        "num_threads": torch.get_num_threads(),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
        "checkpoint": config.checkpoint,
        "stop_reason": stop_reason,
    }


def make_trainer(config: LoopConfig, run_dir: RunDir, callbacks: list[Callback]) -> L.Trainer:
    """Build the Lightning trainer of a run.

    Parameters
    ----------
    config
        Settings of the loop.
    run_dir
        Directory of the run.
    callbacks
        Callbacks of the trainer.
    """
    logging.getLogger("lightning").setLevel(logging.ERROR)  # hints for authors of training loops
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    # no layer reads memory before it is written, and filling it takes a third of a step
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    return L.Trainer(
        accelerator=config.accelerator,
        devices=config.devices,
        max_epochs=config.epochs,
        precision="bf16-mixed" if config.precision == "bf16" else "32-true",
        callbacks=callbacks,
        plugins=[AtomicCheckpointIO(), SingleProcess()],
        logger=False,
        enable_checkpointing=True,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=run_dir.path,
        deterministic="warn",
    )


def _fit(
    trainer: L.Trainer, module: TrainingModule, datamodule: L.LightningDataModule, run_dir: RunDir
) -> None:
    """Train from the run's checkpoint if there is one; Lightning raises ``SystemExit`` on Ctrl-C and SIGTERM."""
    handler = signal.getsignal(signal.SIGINT)
    checkpoint = run_dir.checkpoint if run_dir.checkpoint.is_file() else None
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="lightning")  # hints for authors of training loops
            trainer.fit(module, datamodule=datamodule, ckpt_path=checkpoint, weights_only=True)
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


class SingleProcess(LightningEnvironment):
    """One process, whatever the variables of a scheduler or of torchrun are.

    Lightning detects clusters by itself: under Slurm it would then save checkpoints in the middle of an epoch, and
    reject jobs of several tasks.
    """

    @property
    def creates_processes_externally(self) -> bool:
        """Whether another program starts the processes."""
        return False

    def local_rank(self) -> int:
        """Return the index of the process on its machine."""
        return 0

    def node_rank(self) -> int:
        """Return the index of the machine."""
        return 0


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {os.cpu_count()} cores"
