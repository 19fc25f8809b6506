"""A sheet of A4 for pairs, none for no pair."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from lesionlens.datasets.audit.audit import DuplicateFinding, ImageRef
from lesionlens.datasets.audit.report import write_duplicate_contact_sheet


def test_pairs_are_drawn_and_no_pair_is_no_file(tmp_path: Path, picture: Callable[..., None]) -> None:
    picture(tmp_path / "a.png", 0)
    place = ImageRef("made", "a", "train", "nevus", "1", str(tmp_path / "a.png"))
    write_duplicate_contact_sheet([], tmp_path / "none.png")
    assert not (tmp_path / "none.png").exists()
    write_duplicate_contact_sheet([DuplicateFinding(place, place._replace(split="test"), "exact", 1.0)], tmp_path / "pairs.png")
    with Image.open(tmp_path / "pairs.png") as sheet:
        assert sheet.size == (1654, 2338)  # A4 at 200 dots per inch
        assert np.asarray(sheet.convert("L")).min() < 50
