"""The metrics log, the selected epoch, and early stopping."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest
import torch

from lesionlens.training.callbacks import CSVLogger, EarlyStopping, ModelCheckpoint


def fake_trainer(epoch: int = 0, **metrics: float) -> Any:
    return SimpleNamespace(
        current_epoch=epoch,
        global_step=10 * epoch + 10,
        callback_metrics={name: torch.tensor(value) for name, value in metrics.items()},
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.1 / (epoch + 1)}])],
        should_stop=False,
    )


MODULE = cast(Any, None)


def test_log_has_given_columns_first_and_first_learning_rate(tmp_path: Path) -> None:
    log = CSVLogger(tmp_path / "metrics.csv", {"train_loss": "loss", "val_auc": "val AUC"})
    for epoch in range(2):
        trainer = fake_trainer(epoch, **{"alpha/layer1": 0.25, "train_loss": 0.5})
        log.on_train_epoch_start(trainer, MODULE)
        for batch_idx in range(2):
            log.on_train_batch_start(trainer, MODULE, None, batch_idx)
            trainer.optimizers[0].param_groups[0]["lr"] /= 2
        log.on_train_epoch_end(trainer, MODULE)
    rows = pd.read_csv(tmp_path / "metrics.csv")
    assert list(rows) == ["epoch", "step", "lr", "train_loss", "val_auc", "alpha/layer1", "seconds"]
    assert rows["lr"].tolist() == [0.1, 0.05]
    assert rows["step"].tolist() == [10, 20]
    assert rows["val_auc"].isna().all()
    assert rows["alpha/layer1"].tolist() == [0.25, 0.25]


@pytest.mark.parametrize(
    ("monitor", "values", "best", "every_epoch", "saved"),
    [
        ("val_auc", [float("nan"), 0.5, 0.75, 0.75, 0.5], 3, False, [2, 3]),
        ("val_loss", [2.0, 1.0, float("inf"), 1.5], 2, False, [1, 2]),
        ("val_jaccard", [0.5, 0.25], 1, True, [1, 2]),
    ],
)
def test_best_epoch_is_saved(
    monitor: str, values: list[float], best: int, every_epoch: bool, saved: list[int]
) -> None:
    epochs: list[int] = []
    checkpoint = ModelCheckpoint(
        monitor, every_epoch=every_epoch, save_fn=lambda epoch, _: epochs.append(epoch)
    )
    for epoch, value in enumerate(values):
        checkpoint.on_validation_end(fake_trainer(epoch, **{monitor: value}), MODULE)
    assert epochs == saved
    assert checkpoint.best == {"epoch": best, "metric": monitor, "value": values[best - 1]}
    resumed = ModelCheckpoint(monitor, every_epoch=False, save_fn=lambda *_: None)
    resumed.load_state_dict(checkpoint.state_dict())
    assert resumed.best == checkpoint.best


def test_early_stopping_persists_after_resuming() -> None:
    def stopping() -> EarlyStopping:
        return EarlyStopping("val_loss", patience=2)

    before, after, trainer = stopping(), stopping(), fake_trainer()
    trainer.fast_dev_run, trainer.strategy = False, SimpleNamespace(reduce_boolean_decision=lambda x, **_: x)
    for value in (1.0, float("nan"), 1.0):
        assert not trainer.should_stop
        trainer.callback_metrics = {"val_loss": torch.tensor(value)}
        before._run_early_stopping_check(trainer)
    assert trainer.should_stop
    after.load_state_dict(before.state_dict())
    trainer.should_stop = False
    after.on_train_start(trainer, MODULE)
    assert trainer.should_stop
