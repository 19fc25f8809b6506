"""Tables without files: splits use only ids, labels and lesions."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable

CLASSES = ("melanoma", "nevus", "benign_keratosis")
MakeTable = Callable[..., LesionTable]


def _make_rows(
    lesions: Sequence[str],
    diagnosis: Sequence[str],
    *,
    ids: Sequence[str] | None = None,
    parts: Sequence[str] | None = None,
) -> LesionTable:
    """Return a table with one row per lesion and label."""
    names = list(ids or [f"i{n}" for n in range(len(lesions))])
    frame = pd.DataFrame(dict.fromkeys(TABLE_COLUMNS, "") | {"image_id": names, "age": np.nan})
    frame["lesion_id"], frame["diagnosis"], frame["split"] = list(lesions), list(diagnosis), parts or ""
    return LesionTable("made", Path(), frame, CLASSES)


def _make_table(lesions: int, *, seed: int = 0, parts: Sequence[str] | None = None) -> LesionTable:
    """Return a table with one to three images per lesion, half of them nevi."""
    rng = np.random.default_rng(seed)
    lesion = np.repeat(np.arange(lesions), rng.integers(1, 4, lesions))
    diagnosis = np.array(["melanoma", "nevus", "nevus", "benign_keratosis"])[lesion % 4]
    return _make_rows([f"l{n}" for n in lesion], diagnosis.tolist(), parts=parts)


@pytest.fixture(scope="session")
def make_rows() -> MakeTable:
    return _make_rows


@pytest.fixture(scope="session")
def make_table() -> MakeTable:
    return _make_table
