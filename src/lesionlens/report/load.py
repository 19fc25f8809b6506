"""A run's folder, read as far as it goes: what is missing is missing, what is damaged is said."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import yaml

from lesionlens.core.errors import LesionLensError, RunError
from lesionlens.evaluation.predictions import Predictions
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.evaluation.result import EvaluationResult, read_evaluation

REPORTED_SPLITS = ("test", "validation")
"""The splits that are measured, the one to report first."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class RunData:
    """What lies in a run's folder.

    Attributes
    ----------
    path
        The folder.
    metadata, recipe
        ``metadata.json`` and ``recipe.yaml``; empty where they are missing.
    recipe_text
        The recipe as it was written.
    metrics
        One row an epoch, or None before the first.
    evaluations, predictions
        By split, in the order of ``REPORTED_SPLITS``.
    read_errors
        One sentence for each file that is there but cannot be read.
    """

    path: Path
    metadata: dict[str, Any]
    recipe: dict[str, Any]
    recipe_text: str
    metrics: pd.DataFrame | None
    evaluations: dict[str, EvaluationResult]
    predictions: dict[str, Predictions]
    read_errors: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the run."""
        return str(self.metadata.get("name") or self.path.resolve().name)

    @property
    def split(self) -> str | None:
        """The part whose numbers are reported: test where it was measured, else validation, else none."""
        return next(iter(self.evaluations), None)

    @property
    def selected_epoch(self) -> int | None:
        """The epoch whose weights were kept, counted from 1; None before there is one."""
        best = (self.metadata.get("best") or {}).get("epoch")
        if self.metadata.get("checkpoint") == "last" and self.metrics is not None:
            best = self.metrics["epoch"].iloc[-1]
        if best is None or self.metrics is None or best not in set(self.metrics["epoch"]):
            return None
        return int(best)


def load_run(path: Path) -> RunData:
    """Read a run's folder.

    Raises
    ------
    RunError
        It is no run's folder: neither ``metadata.json`` nor ``recipe.yaml`` is there.
    """
    path = Path(path)
    if not any((path / name).is_file() for name in ("metadata.json", "recipe.yaml")):
        raise RunError(
            f"{path} is no run's folder: it has neither metadata.json nor recipe.yaml. "
            "Give a folder that `lesionlens train` wrote."
        )
    problems: list[str] = []

    def read(file: str, how: Callable[[Path], Parsed], otherwise: Parsed) -> Parsed:
        if not (path / file).is_file():
            return otherwise
        try:
            return how(path / file)
        except (OSError, ValueError, TypeError, yaml.YAMLError, LesionLensError) as error:
            problems.append(f"{file} cannot be read and is left out: {error}")
            return otherwise

    evaluations = {name: read(f"evaluation/{name}.json", read_evaluation, None) for name in REPORTED_SPLITS}
    predictions = {name: read(f"predictions/{name}.csv", read_predictions, None) for name in REPORTED_SPLITS}
    return RunData(
        path=path,
        metadata=read("metadata.json", _mapping_reader(json.loads), {}),
        recipe=read("recipe.yaml", _mapping_reader(yaml.safe_load), {}),
        recipe_text=read("recipe.yaml", lambda file: file.read_text(encoding="utf-8"), ""),
        metrics=read("metrics.csv", _read_metrics, None),
        evaluations={name: found for name, found in evaluations.items() if found is not None},
        predictions={name: found for name, found in predictions.items() if found is not None},
        read_errors=tuple(dict.fromkeys(problems)),
    )


def _mapping_reader(parse: Callable[[str], Any]) -> Callable[[Path], dict[str, Any]]:
    def read(file: Path) -> dict[str, Any]:
        found = parse(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise TypeError(f"expected keys and values, found {type(found).__name__}")
        return found

    return read


def _read_metrics(file: Path) -> pd.DataFrame | None:
    """Read the log, one row an epoch, counted from 1."""
    log = pd.read_csv(file)
    return None if log.empty or "epoch" not in log else log
