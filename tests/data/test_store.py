"""The store holds what the decoder gives, is built once, and is never half there."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.data import store as stores
from lesionlens.data.images import read_rgb
from lesionlens.data.store import open_store
from lesionlens.errors import DataError, RunError


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Write images of several sizes."""
    rng = np.random.default_rng(0)
    files = []
    for number, (height, width) in enumerate([(20, 30), (64, 48), (31, 31), (100, 150)]):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(files[-1])
    return files


def test_holds_what_the_decoder_gives(paths: list[Path], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    store = open_store(paths, shorter_side=40, folder=tmp_path / "s", progress=lambda *n: seen.append(n))
    assert len(store) == 4
    for number, path in enumerate(paths):
        assert np.array_equal(store[number], read_rgb(path, shorter_side=40))
    assert seen[-1] == (4, 4)


def test_is_built_once_and_anew_when_an_image_changes(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_store(paths, shorter_side=None, folder=tmp_path / "s")
    with monkeypatch.context() as patched:
        patched.setattr(stores, "decode", None)  # whoever decodes again fails
        assert len(open_store(paths, shorter_side=None, folder=tmp_path / "s")) == 4
    Image.new("RGB", (5, 6), "red").save(paths[0])
    assert open_store(paths, shorter_side=None, folder=tmp_path / "s")[0].tolist() == [[[255, 0, 0]] * 5] * 6


def test_unreadable_images_are_told_together_and_leave_no_store(paths: list[Path], tmp_path: Path) -> None:
    paths[1].write_bytes(b"")
    paths[3].write_bytes(paths[3].read_bytes()[:200])
    with pytest.raises(DataError, match=r"unreadable images: 2") as caught:
        open_store(paths, shorter_side=None, folder=tmp_path / "s")
    assert "1.png" in str(caught.value)
    assert "3.png" in str(caught.value)
    assert list((tmp_path / "s").iterdir()) == []


def test_an_unwritable_folder_is_said(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        open_store(paths, shorter_side=None, folder=tmp_path / "file")
