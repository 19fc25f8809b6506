"""A run's folder, read as far as it goes: what is missing is missing, what is damaged is said."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import yaml

from lesionlens.errors import LesionLensError, RunError
from lesionlens.evaluation.evaluation import Evaluation, read_evaluation
from lesionlens.evaluation.predictions import Predictions, read_predictions

PARTS = ("test", "validation")
"""The parts that are measured, the one to report first."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Run:
    """What lies in a run's folder.

    Attributes
    ----------
    path
        The folder.
    record, recipe
        ``run.json`` and ``recipe.yaml``; empty where they are missing.
    recipe_text
        The recipe as it was written.
    log
        One row an epoch, or None before the first.
    evaluations, predictions
        By part, in the order of ``PARTS``.
    problems
        One sentence for each file that is there but cannot be read.
    """

    path: Path
    record: dict[str, Any]
    recipe: dict[str, Any]
    recipe_text: str
    log: pd.DataFrame | None
    evaluations: dict[str, Evaluation]
    predictions: dict[str, Predictions]
    problems: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the run."""
        return str(self.record.get("name") or self.path.resolve().name)

    @property
    def part(self) -> str | None:
        """The part whose numbers are reported: test where it was measured, else validation, else none."""
        return next(iter(self.evaluations), None)

    @property
    def kept_epoch(self) -> int | None:
        """The epoch whose weights were kept, counted from 1; None before there is one."""
        best = (self.record.get("best") or {}).get("epoch")
        if self.record.get("kept") == "last" and self.log is not None:
            best = self.log["epoch"].iloc[-1]
        if best is None or self.log is None or best not in set(self.log["epoch"]):
            return None
        return int(best)


def read_run(path: Path) -> Run:
    """Read a run's folder.

    Raises
    ------
    RunError
        It is no run's folder: neither ``run.json`` nor ``recipe.yaml`` is there.
    """
    path = Path(path)
    if not any((path / name).is_file() for name in ("run.json", "recipe.yaml")):
        raise RunError(
            f"{path} is no run's folder: it has neither run.json nor recipe.yaml. "
            "Give a folder that `lesionlens train` wrote."
        )
    problems: list[str] = []

    def read(file: str, how: Callable[[Path], Found], otherwise: Found) -> Found:
        if not (path / file).is_file():
            return otherwise
        try:
            return how(path / file)
        except (OSError, ValueError, TypeError, yaml.YAMLError, LesionLensError) as error:
            problems.append(f"{file} cannot be read and is left out: {error}")
            return otherwise

    evaluations = {part: read(f"evaluation/{part}.json", read_evaluation, None) for part in PARTS}
    predictions = {part: read(f"predictions/{part}.csv", read_predictions, None) for part in PARTS}
    return Run(
        path=path,
        record=read("run.json", _mapping(json.loads), {}),
        recipe=read("recipe.yaml", _mapping(yaml.safe_load), {}),
        recipe_text=read("recipe.yaml", lambda file: file.read_text(encoding="utf-8"), ""),
        log=read("log.csv", _log, None),
        evaluations={part: found for part, found in evaluations.items() if found is not None},
        predictions={part: found for part, found in predictions.items() if found is not None},
        problems=tuple(dict.fromkeys(problems)),
    )


def _mapping(parse: Callable[[str], Any]) -> Callable[[Path], dict[str, Any]]:
    def read(file: Path) -> dict[str, Any]:
        found = parse(file.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise TypeError(f"expected keys and values, found {type(found).__name__}")
        return found

    return read


def _log(file: Path) -> pd.DataFrame | None:
    """Read the log, one row an epoch, counted from 1."""
    log = pd.read_csv(file)
    return None if log.empty or "epoch" not in log else log
