"""Fit a classifier: settings of the training loop from the recipe, and the model card of the best model."""

from rich.console import Console

from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import save_model
from lesionlens.runs.run_dir import RESUME_COMMAND, RunDir
from lesionlens.runs.train_schema import TrainRecipe
from lesionlens.training.build import RunComponents
from lesionlens.training.callbacks import EarlyStopping
from lesionlens.training.loop import LoopConfig, run_loop


def fit(components: RunComponents, run_dir: RunDir, *, console: Console) -> None:
    """Train to the last epoch, from the run's checkpoint if there is one, and save the best model.

    Raises
    ------
    RunInterrupted
        Ctrl-C was pressed.
    RunError
        The loss is not finite, or the run directory cannot be written.
    """
    run_loop(
        components.module,
        components.datamodule,
        run_dir,
        make_loop_config(components),
        save_fn=lambda epoch, value: _save_best(components, run_dir, epoch, value),
        resume_command=RESUME_COMMAND,
        console=console,
    )


def make_loop_config(components: RunComponents) -> LoopConfig:
    """Return the settings of the training loop for a recipe."""
    config = components.setup.recipe.train
    return LoopConfig(
        epochs=config.epochs,
        accelerator=config.device,
        precision=components.auto_values.precision,
        monitor=config.monitor,
        checkpoint=config.checkpoint,
        early_stopping=_early_stopping(config),
    )


def _early_stopping(config: TrainRecipe) -> EarlyStopping | None:
    stopping = config.early_stopping
    if stopping.patience is None:
        return None
    monitor = stopping.monitor or config.monitor
    return EarlyStopping(monitor, patience=stopping.patience, min_delta=stopping.min_delta)


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
            "diagnoses": list(setup.task.mapping),
            "weights": recipe.model.weights,
            "seed": recipe.train.seed,
            "epoch": epoch,
            "checkpoint": recipe.train.checkpoint,
            recipe.train.monitor: value,
        },
    )
    save_model(run_dir.best_model, components.module.model, card)
