"""Generated sets: drawn once however many ask, planted copies by content, masks that are a little wrong."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from lesionlens.data.datasets import load_table
from lesionlens.data.fitted_mask import lesion_pixels
from lesionlens.data.mask_files import masks_in
from lesionlens.errors import DataError
from lesionlens.experiments import generated as module
from lesionlens.experiments.experiment import Planted
from lesionlens.experiments.generated import generated, mask_folder, planted_sets

from ..drawing import draw, write

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("out") / "data" / "smoke-isic2017"
    return generated("isic2017", folder, images=15, size=(36, 48), seed=0, console=QUIET, without=["ruler"])


def test_a_set_is_drawn_once_however_many_ask_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, draw = [], module.lay_out

    def counted(*words: Any, **options: Any) -> Path:
        calls.append(words)
        return draw(*words, **options)

    monkeypatch.setattr(module, "lay_out", counted)

    def ask(_: int) -> str:
        return generated("isic2016", tmp_path / "set", images=12, size=(36, 48), seed=0, console=QUIET)

    with ThreadPoolExecutor(3) as pool:
        found = set(pool.map(ask, range(3)))
    assert found == {f"isic2016:{tmp_path / 'set'}"}
    assert len(calls) == 1
    assert len(load_table(found.pop())) == 12


def test_a_failure_is_no_set_and_the_next_one_tries_again(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few"):
        generated("derm7pt", tmp_path / "set", images=5, size=(36, 48), seed=0, console=QUIET)
    generated("isic2016", tmp_path / "set", images=12, size=(36, 48), seed=0, console=QUIET)


def test_what_is_to_be_planted_is_not_there_before(source: str) -> None:
    root = Path(source.partition(":")[2])
    header, *rows = [line.split(",") for line in (root / "artefacts.csv").read_text().splitlines()]
    assert {row[header.index("ruler")] for row in rows} == {"0"}
    assert {row[header.index("hair")] for row in rows} == {"0", "1"}


def test_planted_sets_are_named_by_their_content_and_made_once(source: str, tmp_path: Path) -> None:
    sets = {
        "biased": Planted(artefact="ruler", association=0.8),
        "same": Planted(artefact="ruler", association=0.8),
        "against": Planted(artefact="ruler", association=-0.8),
    }
    found = planted_sets(sets, source, tmp_path, console=QUIET)
    assert found["biased"] == found["same"] != found["against"]
    made = {name: Path(each.partition(":")[2]).stat().st_mtime_ns for name, each in found.items()}
    assert planted_sets(sets, source, tmp_path, console=QUIET) == found
    assert {name: Path(each.partition(":")[2]).stat().st_mtime_ns for name, each in found.items()} == made
    ids = load_table(source).frame["image_id"].tolist()
    assert all(load_table(each).frame["image_id"].tolist() == ids for each in found.values())


def test_masks_of_a_folder_are_near_the_truth_but_not_it(source: str, tmp_path: Path) -> None:
    folder = mask_folder(source, tmp_path / "masks")
    assert mask_folder(source, folder) == folder
    frame = load_table(source).frame
    scores = []
    for mine, true in zip(masks_in(folder, frame["image_id"]), frame["mask_path"], strict=True):
        assert mine is not None
        a, b = lesion_pixels(mine), lesion_pixels(Path(true))
        assert a.shape == b.shape
        scores.append((a & b).sum() / (a | b).sum())
        assert (a >= b).all() or (a <= b).all()  # moved out, or in
    assert 0.6 < np.mean(scores) < 0.99


def test_a_set_without_masks_gives_no_folder(tmp_path: Path, draw_one: str) -> None:
    with pytest.raises(DataError, match=r"not one image of .* has a lesion mask"):
        mask_folder(draw_one, tmp_path / "masks")
    assert not (tmp_path / "masks").exists()


@pytest.fixture
def draw_one(tmp_path: Path) -> str:
    draw(tmp_path / "a.jpg")
    return f"table:{write(tmp_path / 'mine.csv', 'image,label', ['a,nevus'])}"
