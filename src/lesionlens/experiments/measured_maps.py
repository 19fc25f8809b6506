"""A run's maps against lesion masks: measured once for each method, kept in the run's folder."""

import json
from pathlib import Path

import pandas as pd

from lesionlens.atomic import write_text
from lesionlens.errors import LesionLensError, ModelError
from lesionlens.evaluation.evaluation import Estimate
from lesionlens.experiments.results import Cell
from lesionlens.experiments.tested import tested_table
from lesionlens.explanation.attention_quality import attention_quality
from lesionlens.explanation.methods import METHODS
from lesionlens.explanation.quality_files import write_quality
from lesionlens.models.bundle import load_model


def map_estimate(cell: Cell, *, name: str, measure: str, source: str, folder: Path) -> Estimate:
    """Give a measure of one map over the run's test images that have masks, with its interval over lesions.

    Parameters
    ----------
    name
        The map, as `attention_quality` names it; ``cam``, ``gradcam`` and their like are made by the method of the
        same name, all others by the network itself.
    source
        Where the images and masks are.
    folder
        Where it is kept; the maps of one method are all measured at once.

    Raises
    ------
    LesionLensError
        The network has no such map, or images, masks or the model cannot be read; remembered like a number.
    """
    method = next((each for each in METHODS if each.replace("+", "p") == name), "native")
    found = _kept(cell, method, source, folder / method)
    maps = list(dict.fromkeys(found["map"]))
    if name not in maps:
        has = ", ".join(maps) or "none"
        raise ModelError(f"this network has no map {name}; it has {has}. Name one in the table's YAML file")
    row = found[(found["map"] == name) & (found["measure"] == measure)].iloc[0]
    return Estimate(measure, name, float(row["mean"]), float(row["low"]), float(row["high"]))


def _kept(cell: Cell, method: str, source: str, folder: Path) -> pd.DataFrame:
    """Give the summary of a method's maps; measure what was not measured, or not on this source."""
    done = folder / "measured.json"  # written last: what lies beside it is whole
    known = json.loads(done.read_text(encoding="utf-8")) if done.is_file() else {}
    if known.get("source") != source:
        done.unlink(missing_ok=True)
        known = {"source": source, "problem": _measure(cell, method, source, folder)}
        write_text(done, json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    if known["problem"]:
        raise ModelError(known["problem"])
    return pd.read_csv(folder / "summary.csv")


def _measure(cell: Cell, method: str, source: str, folder: Path) -> str:
    """Measure and write; say what went wrong, or ""."""
    masks = cell.recipe.data.masks
    try:
        loaded = load_model(cell.folder.best, device=cell.recipe.train.device)
        table = tested_table(cell, source)
        quality = attention_quality(loaded, table, methods=[method], masks=Path(masks) if masks else None)
    except LesionLensError as error:
        return str(error)
    write_quality(folder, quality)
    return ""
