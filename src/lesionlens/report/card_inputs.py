"""Everything that a model card is filled from: the files of a run, and the statements of the authors."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from lesionlens.core.errors import RunError
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.registry import DATASETS
from lesionlens.evaluation.subgroups.result import SubgroupReport, read_subgroups
from lesionlens.models.model_card import ModelCard, read_model_card
from lesionlens.report.author_statements import STATEMENTS_FILE, AuthorStatements, read_statements
from lesionlens.report.load import RunData, load_run


@dataclass(frozen=True)
class CardInputs:
    """Contents of a model card.

    Attributes
    ----------
    run
        Contents of the run's directory.
    model
        Machine-readable card of the saved model.
    statements
        Statements of the authors.
    excluded
        Number of excluded images by (split, reason), the most frequent first.
    audit, calibration
        ``audit.json`` of the dataset and ``model/calibration.json``; empty without them.
    subgroups
        Results by subgroup, by path of the file in the run.
    map_quality
        Faithfulness of the maps, by path of the file in the run.
    """

    run: RunData
    model: ModelCard
    statements: AuthorStatements
    excluded: dict[tuple[str, str], int]
    audit: dict[str, Any]
    calibration: dict[str, Any]
    subgroups: dict[str, SubgroupReport]
    map_quality: dict[str, dict[str, Any]]

    @property
    def data(self) -> dict[str, Any]:
        """Description of the data in the metadata of the run."""
        data: dict[str, Any] = self.run.metadata.get("data", {})
        return data

    @property
    def dataset_name(self) -> str:
        """Name of the reader of the dataset; "" if the source is a path."""
        name = str(self.data.get("source", "")).partition(":")[0]
        return name if name in DATASETS else ""

    @property
    def reader(self) -> DatasetReader | None:
        """Reader of the dataset, with its license and citation; None for a table of the user's."""
        return DATASETS[self.dataset_name] if self.dataset_name not in ("", "table") else None

    @property
    def is_synthetic(self) -> bool:
        """Whether the images were generated."""
        return bool(self.data.get("synthetic_data_notice"))


def load_card_inputs(run_dir: Path, *, statements: Path | None = None) -> CardInputs:
    """Load the files of a run for its model card.

    Parameters
    ----------
    run_dir
        Directory that training wrote.
    statements
        Statements of the authors; default: ``card.yaml`` in the run, if there is one.

    Raises
    ------
    LesionLensError
        The directory is not that of a run, has no model, or a file is damaged: a card must not omit its numbers.
    """
    run = load_run(run_dir)
    if run.read_errors:
        raise RunError(f"the model card of {run_dir} would lack results: {run.read_errors[0]}")
    default = run_dir / STATEMENTS_FILE
    file = statements or (default if default.is_file() else None)
    model = read_model_card(run_dir / "model", ModelCard)
    return CardInputs(
        run=run,
        model=model,
        statements=AuthorStatements() if file is None else read_statements(file),
        excluded=_count_excluded(run_dir / "excluded.csv"),
        audit=next(iter(_read_all(run_dir, "audit.json").values()), {}),
        calibration=_read_calibration(run_dir / "model", model),
        subgroups={name: read_subgroups(run_dir / name) for name in _find_files(run_dir, "subgroups.json")},
        map_quality=_read_all(run_dir, "faithfulness.json"),
    )


def _read_calibration(folder: Path, model: ModelCard) -> dict[str, Any]:
    path = folder / "calibration.json"
    record = _read_record(path) if path.is_file() else {}
    if record.get("weights_sha256", "") not in ("", model.weights_sha256):
        raise RunError(
            f"{path} was measured with other weights. Run lesionlens calibrate again, or remove it"
        )
    return record


def _count_excluded(path: Path) -> dict[tuple[str, str], int]:
    if not path.is_file():
        return {}
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        pairs = Counter(zip(table["split"], table["reason"], strict=True))
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"cannot read {path}: {error}. Restore it from a backup") from error
    return dict(sorted(pairs.items(), key=lambda item: (-item[1], item[0])))


def _find_files(folder: Path, name: str) -> list[str]:
    """Return the paths of files in a folder and in its folders, relative to it."""
    paths = [folder / name, *sorted(folder.glob(f"*/{name}"))]
    return [path.relative_to(folder).as_posix() for path in paths if path.is_file()]


def _read_all(folder: Path, name: str) -> dict[str, dict[str, Any]]:
    """Read the JSON objects of this name in a folder and in its folders, by path."""
    return {path: _read_record(folder / path) for path in _find_files(folder, name)}


def _read_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"cannot read {path}: {error}. Write it again, or remove it") from error
    if not isinstance(record, dict):
        raise RunError(f"{path} is not a JSON object. Write it again, or remove it")
    return record
