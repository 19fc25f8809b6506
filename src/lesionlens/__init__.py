"""LesionLens: train, evaluate and explain attention networks for dermoscopic images. Research use only."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0.dev0"

_LAZY_EXPORTS = {
    "load_table": "lesionlens.datasets.registry",
    "create_model": "lesionlens.models.factory",
    "load_model": "lesionlens.inference.predictor",
    "train": "lesionlens.training.run",
    "predict": "lesionlens.inference.predict",
    "evaluate": "lesionlens.evaluation.evaluate",
    "compare": "lesionlens.evaluation.comparison.compare",
    "calibrate": "lesionlens.inference.calibrate_model",
    "explain": "lesionlens.explanation.explain",
}
__all__ = [
    "__version__",
    "calibrate",
    "compare",
    "create_model",
    "evaluate",
    "explain",
    "load_model",
    "load_table",
    "predict",
    "train",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    """Import a public function on first access, so that ``import lesionlens`` does not load torch."""
    if name in _LAZY_EXPORTS:
        return getattr(import_module(_LAZY_EXPORTS[name]), name)
    raise AttributeError(f"module 'lesionlens' has no attribute {name!r}")
