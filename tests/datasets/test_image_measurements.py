"""Columns that are measured on the images of a dataset."""

from pathlib import Path

import numpy as np
from PIL import Image

from lesionlens.datasets.image_measurements import measure_columns
from lesionlens.datasets.registry import load_table

from ..helpers.images import write_lines


def test_columns_are_measured_by_image(tmp_path: Path) -> None:
    light = np.full((60, 80, 3), (232, 200, 180), np.uint8)
    corners = light.copy()
    corners[:6, :6] = corners[:6, -6:] = corners[-6:, :6] = corners[-6:, -6:] = 3
    for name, pixels in (("a", light), ("b", corners), ("c", light)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    rows = ["a.png,melanoma", "b.png,nevus", "c.png,nevus"]
    table = load_table(write_lines(tmp_path / "t.csv", "image,label", rows))
    (tmp_path / "c.png").write_bytes(b"damaged")
    measured = measure_columns(table, ["b", "a", "c", "x"], ["dark_corners", "ita"])
    assert measured.loc["a"].tolist() == ["no", "above 55° (very light)"]
    assert measured.loc["b"].tolist() == ["yes", "above 55° (very light)"]
    assert measured.loc["c"].tolist() == ["", ""]
