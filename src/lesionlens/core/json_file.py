"""JSON files without the numbers that JSON does not have: NaN and infinity are written as null."""

import json
import math
from pathlib import Path
from typing import Any

from lesionlens.core.fileio import write_text


def write_json(path: Path, record: object) -> None:
    """Write nested dictionaries and sequences as JSON, atomically."""
    write_text(path, to_json_text(record))


def to_json_text(record: object) -> str:
    """Format nested dictionaries and sequences as JSON.

    Examples
    --------
    >>> to_json_text({"p": math.nan}).split()
    ['{', '"p":', 'null', '}']
    """
    return json.dumps(nan_to_none(record), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object that can be computed again; empty if the file does not exist or is damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except (ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def nan_to_none(value: Any) -> Any:
    """Replace NaN and infinity in nested dictionaries and sequences by None."""
    if isinstance(value, dict):
        return {key: nan_to_none(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [nan_to_none(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
