"""Columns of learnable attention scales in the metrics."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import torch
from torch import nn

from lesionlens.models.base import Classifier
from lesionlens.training.callbacks import CSVLogger


class Gated(Classifier):
    """Model of crops with two attention scales: one in its backbone, one of its own."""

    attention_scales = ("inner.backbone.layer1.alpha", "soft.attention.gamma")

    def __init__(self) -> None:
        super().__init__()
        for path in ("inner", "inner.backbone", "inner.backbone.layer1", "soft", "soft.attention"):
            outer, _, name = path.rpartition(".")
            self.get_submodule(outer).add_module(name, nn.Module())
        self.get_submodule("inner.backbone.layer1").register_parameter(
            "alpha", nn.Parameter(torch.tensor(0.25))
        )
        self.get_submodule("soft.attention").register_parameter("gamma", nn.Parameter(torch.tensor(0.5)))


def test_attention_scales_have_columns(tmp_path: Path) -> None:
    log, model = CSVLogger(tmp_path / "metrics.csv"), Gated()
    for epoch in range(2):
        optimizer = SimpleNamespace(param_groups=[{"lr": 0.1}])
        trainer = SimpleNamespace(
            current_epoch=epoch, global_step=epoch, callback_metrics={}, optimizers=[optimizer]
        )
        log.on_train_epoch_end(cast(Any, trainer), cast(Any, SimpleNamespace(model=model)))
        nn.init.constant_(model.get_parameter("soft.attention.gamma"), 2.0)
    rows = pd.read_csv(tmp_path / "metrics.csv")
    assert rows["alpha/layer1"].tolist() == [0.25, 0.25]
    assert rows["gamma/soft.attention"].tolist() == [0.5, 2.0]
