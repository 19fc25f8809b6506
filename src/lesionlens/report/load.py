"""Load the directory of a run: files that are missing are skipped, files that are damaged are reported."""

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
from lesionlens.evaluation.subgroups.result import SubgroupReport, read_subgroups
from lesionlens.uncertainty.calibration import CALIBRATION_FILE, Calibration, read_calibration

REPORTED_SPLITS = ("test", "validation")
"""The splits that are evaluated, in order of preference for the report."""

Parsed = TypeVar("Parsed")


@dataclass(frozen=True)
class RunData:
    """Contents of a run's directory.

    Attributes
    ----------
    path
        Directory of the run.
    metadata, recipe
        Contents of ``metadata.json`` and ``recipe.yaml``; empty if missing.
    recipe_text
        Text of ``recipe.yaml``.
    metrics
        Training log with one row per epoch, or None before the first epoch is complete.
    evaluations, predictions
        Evaluation and predictions by split, in the order of ``REPORTED_SPLITS``.
    read_errors
        One sentence for each file that exists but cannot be read.
    calibration
        Calibration of the model; None without one.
    subgroups
        Comparison of subgroups of the reported split; None without one.
    """

    path: Path
    metadata: dict[str, Any]
    recipe: dict[str, Any]
    recipe_text: str
    metrics: pd.DataFrame | None
    evaluations: dict[str, EvaluationResult]
    predictions: dict[str, Predictions]
    read_errors: tuple[str, ...]
    calibration: Calibration | None = None
    subgroups: SubgroupReport | None = None

    @property
    def name(self) -> str:
        """Name of the run."""
        return str(self.metadata.get("name") or self.path.resolve().name)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes that the run has recorded."""
        return tuple(map(str, self.metadata.get("data", {}).get("classes", ())))

    @property
    def split(self) -> str | None:
        """Split whose metrics are reported: test if it was evaluated, otherwise validation; None without either."""
        return next(iter(self.evaluations), None)

    @property
    def selected_epoch(self) -> int | None:
        """Epoch whose weights were saved, counted from 1; None before the first epoch is complete."""
        best = (self.metadata.get("best") or {}).get("epoch")
        if self.metadata.get("checkpoint") == "last" and self.metrics is not None:
            best = self.metrics["epoch"].iloc[-1]
        if best is None or self.metrics is None or best not in set(self.metrics["epoch"]):
            return None
        return int(best)


def load_run(path: Path) -> RunData:
    """Load the directory of a run.

    Raises
    ------
    RunError
        The directory has neither ``metadata.json`` nor ``recipe.yaml``, so it is not that of a run.
    """
    path = Path(path)
    if not any((path / name).is_file() for name in ("metadata.json", "recipe.yaml")):
        raise RunError(
            f"{path} is not the folder of a run: it has neither metadata.json nor recipe.yaml. Use a folder that "
            "`lesionlens train` wrote."
        )
    reader = _RunReader(path)
    evaluations = {
        name: reader.read(f"evaluation/{name}.json", read_evaluation, None) for name in REPORTED_SPLITS
    }
    predictions = {
        name: reader.read(f"predictions/{name}.csv", read_predictions, None) for name in REPORTED_SPLITS
    }
    calibration = reader.read(f"model/{CALIBRATION_FILE}", read_calibration, None)
    subgroups = reader.read("evaluation/subgroups.json", read_subgroups, None)
    return RunData(
        path=path,
        metadata=reader.read("metadata.json", _mapping_reader(json.loads), {}),
        recipe=reader.read("recipe.yaml", _mapping_reader(yaml.safe_load), {}),
        recipe_text=reader.read("recipe.yaml", lambda file: file.read_text(encoding="utf-8"), ""),
        metrics=reader.read("metrics.csv", _read_metrics, None),
        evaluations={name: evaluation for name, evaluation in evaluations.items() if evaluation is not None},
        predictions={name: scores for name, scores in predictions.items() if scores is not None},
        read_errors=tuple(dict.fromkeys(reader.errors)),
        calibration=calibration,
        subgroups=subgroups,
    )


class _RunReader:
    """Reads the files of a run and collects the errors."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.errors: list[str] = []

    def read(self, file: str, parse: Callable[[Path], Parsed], default: Parsed) -> Parsed:
        """Return the parsed file, or the default if it is missing or cannot be read."""
        if not (self.path / file).is_file():
            return default
        try:
            return parse(self.path / file)
        except (OSError, ValueError, TypeError, yaml.YAMLError, LesionLensError) as error:
            self.errors.append(f"{file} cannot be read and is ignored: {error}")
            return default


def _mapping_reader(parse: Callable[[str], Any]) -> Callable[[Path], dict[str, Any]]:
    def read(file: Path) -> dict[str, Any]:
        content = parse(file.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError(f"expected keys and values, found {type(content).__name__}")
        return content

    return read


def _read_metrics(file: Path) -> pd.DataFrame | None:
    """Read the training log: one row per epoch, counted from 1."""
    log = pd.read_csv(file)
    return None if log.empty or "epoch" not in log else log
