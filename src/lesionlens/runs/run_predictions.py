"""Predictions that a run has saved, or why there are none."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lesionlens.core.errors import PredictionsError, RunError
from lesionlens.datasets.split_names import canonical_split_name
from lesionlens.evaluation.predictions import Predictions, format_examples
from lesionlens.evaluation.predictions_io import read_predictions
from lesionlens.runs.multi_run_dir import STATUS_FINISHED, MultiRunDir
from lesionlens.runs.run_dir import RESUME_COMMAND, RunDir, resume_hint

_VALIDATION_CAVEAT = (
    "These are the validation images of the run. If they selected its checkpoint or stopped its training, their "
    "metrics are optimistically biased."
)


def open_runs(path: Path) -> RunDir | MultiRunDir:
    """Open the directory of a run or of several runs.

    Raises
    ------
    RunError
        The directory is neither; the message lists the runs in it or around it.
    """
    group, run_dir = MultiRunDir(path), RunDir(path)
    if group.exists():
        return group
    if run_dir.exists():
        return run_dir
    raise RunError(
        f"{path} is neither a run directory (it needs metadata.json and recipe.yaml) nor a directory of several runs "
        f"(multi_run.json and recipe.yaml). {_nearby_runs(path)}"
    )


def _nearby_runs(path: Path) -> str:
    """Return which run was probably meant."""
    inside = sorted(item.name for item in path.iterdir() if _has_runs(item))
    if inside:
        return f"It contains {format_examples(inside)}: pass the path of one, such as {path / inside[0]}"
    around = next((parent for parent in list(path.absolute().parents)[:2] if _has_runs(parent)), None)
    if around is not None:
        return f"It is part of {around}: pass that"
    return "Pass a directory that lesionlens train wrote"


def _has_runs(path: Path) -> bool:
    return MultiRunDir(path).exists() or RunDir(path).exists()


def saved_split(name: str) -> str:
    """Return ``test`` or ``validation``, the splits that a run predicts, for any spelling; "" means test.

    Raises
    ------
    RunError
        It is another split.
    """
    split = canonical_split_name(name) if name else "test"
    if split not in ("test", "validation"):
        raise RunError(
            f"runs have predictions for their splits validation and test, not for {name!r}; use --split validation, or "
            "remove --split"
        )
    return split


def find_predictions(run_dir: RunDir, split: str = "test") -> Path:
    """Return the file with the predictions of a finished run on a split.

    Raises
    ------
    RunError
        The run is not finished or damaged, or has no such predictions; the message states what to do.
    """
    status = run_dir.status()
    if status != STATUS_FINISHED:
        raise RunError(
            f"{run_dir.path} has no {split} predictions yet: the run is not finished (status: {status}). "
            f"{resume_hint(RESUME_COMMAND, run_dir.path)}"
        )
    file = run_dir.predictions(split)
    if file.is_file():
        return file
    if split in run_dir.metadata().get("data", {}).get("splits", {}):
        raise RunError(f"{file} is missing, although the run is finished. Restore it, or train a new run")
    advice = (
        "to evaluate its validation images: --split validation" if split == "test" else "use its test split"
    )
    raise RunError(f"{run_dir.path} has no {split} predictions: its dataset has no {split} split; {advice}")


def recorded_caveats(metadata: Mapping[str, Any], split: str = "test") -> tuple[str, ...]:
    """Return what a run has recorded about its data and limits its metrics, one sentence each."""
    data = metadata.get("data", {})
    notice = str(data.get("synthetic_data_notice") or "")
    texts = [item if isinstance(item, str) else str(item["text"]) for item in data.get("caveats", ())]
    about_split = (f"About the split: {text.rstrip('.')}." for text in texts)
    return tuple(filter(None, (notice, _VALIDATION_CAVEAT if split == "validation" else "", *about_split)))


def read_run_predictions(run_dir: RunDir, split: str = "test") -> Predictions:
    """Read the predictions of a finished run, with its caveats.

    Raises
    ------
    RunError
        See `find_predictions`.
    PredictionsError
        The file is damaged.
    """
    file = find_predictions(run_dir, split)
    try:
        predictions = read_predictions(file)
    except PredictionsError as error:
        raise PredictionsError(f"the predictions of {run_dir.path} cannot be read: {error}") from error
    return replace(predictions, caveats=(*recorded_caveats(run_dir.metadata(), split), *predictions.caveats))
