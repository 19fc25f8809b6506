"""A run's maps against lesion masks: measured once for each method, kept in the run's folder."""

import json
from pathlib import Path

import pandas as pd

from lesionlens.atomic import write_text
from lesionlens.errors import LesionLensError, ModelError
from lesionlens.evaluation.evaluation import Estimate
from lesionlens.experiments.results import RunCell
from lesionlens.experiments.tested import evaluation_subset
from lesionlens.explanation.attention_quality import evaluate_localization
from lesionlens.explanation.methods import METHODS
from lesionlens.explanation.quality_files import write_localization
from lesionlens.models.bundle import load_model


def localization_estimate(cell: RunCell, *, map_name: str, metric: str, source: str, folder: Path) -> Estimate:
    """Give a measure of one map over the run's test images that have masks, with its interval over lesions.

    Parameters
    ----------
    map_name
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
    method = next((each for each in METHODS if each.replace("+", "p") == map_name), "native")
    found = _cached_summary(cell, method, source, folder / method)
    maps = list(dict.fromkeys(found["map"]))
    if map_name not in maps:
        has = ", ".join(maps) or "none"
        raise ModelError(f"this network has no map {map_name}; it has {has}. Name one in the table's YAML file")
    row = found[(found["map"] == map_name) & (found["measure"] == metric)].iloc[0]
    return Estimate(metric, map_name, float(row["mean"]), float(row["low"]), float(row["high"]))


def _cached_summary(cell: RunCell, method: str, source: str, folder: Path) -> pd.DataFrame:
    """Give the summary of a method's maps; measure what was not measured, or not on this source."""
    done = folder / "measured.json"  # written last: what lies beside it is whole
    known = json.loads(done.read_text(encoding="utf-8")) if done.is_file() else {}
    if known.get("source") != source:
        done.unlink(missing_ok=True)
        known = {"source": source, "problem": _measure_maps(cell, method, source, folder)}
        write_text(done, json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    if known["problem"]:
        raise ModelError(known["problem"])
    return pd.read_csv(folder / "summary.csv")


def _measure_maps(cell: RunCell, method: str, source: str, folder: Path) -> str:
    """Measure and write; say what went wrong, or ""."""
    masks = cell.recipe.data.mask_dir
    try:
        loaded = load_model(cell.run_dir.best_model, device=cell.recipe.train.device)
        table = evaluation_subset(cell, source)
        quality = evaluate_localization(loaded, table, methods=[method], mask_dir=Path(masks) if masks else None)
    except LesionLensError as error:
        return str(error)
    write_localization(folder, quality)
    return ""
