"""Small datasets of generated images, with the given columns."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable

MakeTable = Callable[..., LesionTable]


def _write_image(path: Path, seed: int, *, mirrored: bool = False) -> None:
    """Write a smooth random image, optionally mirrored."""
    noise = np.random.default_rng(seed).normal(128, 45, (12, 16, 3)).clip(0, 255).astype(np.uint8)
    image = cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(path), image[:, ::-1] if mirrored else image)


@pytest.fixture(scope="session")
def write_image() -> Callable[..., None]:
    return _write_image


@pytest.fixture
def make_table(tmp_path: Path) -> MakeTable:
    """Write one image per row; columns that are not given are empty."""

    def make(name: str, ids: Sequence[str], *, seed: int, **columns: Sequence[str]) -> LesionTable:
        folder = tmp_path / name
        folder.mkdir()
        for index, image in enumerate(ids):
            _write_image(folder / f"{image}.png", seed + index)
        given: Mapping[str, Sequence[str]] = {"lesion_id": ids, "diagnosis": ["nevus"] * len(ids)} | columns
        frame = pd.DataFrame(dict.fromkeys(TABLE_COLUMNS, "") | {"image_id": list(ids), "age": np.nan})
        frame["path"] = [str(folder / f"{image}.png") for image in ids]
        for column, cells in given.items():
            frame[column] = list(cells)
        classes = ("melanoma", "nevus", "benign") if any(frame["diagnosis"]) else ()
        return LesionTable(name, folder, frame, classes)

    return make
