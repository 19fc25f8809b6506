"""Fixtures of training runs."""

import pytest


@pytest.fixture
def without_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the evaluation after training."""
    monkeypatch.setattr("lesionlens.training.run.evaluate_run", lambda *_, **__: None)
