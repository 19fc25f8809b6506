"""The store holds what the decoder gives, is built once, and is never half there."""

import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from lesionlens.core.errors import DataError, RunError
from lesionlens.data import image_cache
from lesionlens.data.image_cache import CacheOption, estimate_decoded_bytes, open_image_cache, plan_cache
from lesionlens.imaging.decode import read_rgb


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Write images of several sizes."""
    rng = np.random.default_rng(0)
    files = []
    for number, (height, width) in enumerate([(20, 30), (64, 48), (31, 31), (100, 150)]):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(files[-1])
    return files


@pytest.mark.parametrize("kind", ["memmap", "none", "auto"])
def test_holds_what_the_decoder_gives(paths: list[Path], tmp_path: Path, kind: CacheOption) -> None:
    seen: list[tuple[int, int]] = []
    store = open_image_cache(
        paths, max_short_side=40, option=kind, cache_dir=tmp_path / "s", progress=lambda *n: seen.append(n)
    )
    assert len(store) == 4
    assert store.cache_format == ("memmap" if kind == "auto" else kind)
    for number, path in enumerate(paths):
        image = read_rgb(path, max_short_side=40)
        np.testing.assert_array_equal(store[number], image)
        assert store.shape(number) == image.shape[:2]
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_jpegs_take_less_room_and_lose_little(tmp_path: Path) -> None:
    row, column = np.mgrid[:90, :120]
    image = np.stack([row * 2, column * 2, 255 - row], axis=2).astype(np.uint8)
    for name in "ab":
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    both = [tmp_path / "a.png", tmp_path / "b.png"]
    store = open_image_cache(both, max_short_side=None, option="jpeg", cache_dir=tmp_path / "s")
    for number in (0, 1):
        assert store.shape(number) == store[number].shape[:2] == (90, 120)
        assert np.abs(store[number].astype(int) - image).mean() < 1
    (file,) = (tmp_path / "s").glob("*.jpeg")
    assert file.stat().st_size < 0.2 * 2 * image.nbytes
    assert file.read_bytes().startswith(b"\xff\xd8\xff")  # what any viewer opens


@pytest.mark.parametrize("kind", ["memmap", "jpeg", "none"])
def test_is_opened_again_elsewhere_not_sent(paths: list[Path], tmp_path: Path, kind: CacheOption) -> None:
    store = open_image_cache(paths, max_short_side=None, option=kind, cache_dir=tmp_path / "s")
    sent = pickle.dumps(store)
    assert len(sent) < 2000  # 60,000 bytes of pixels
    there = pickle.loads(sent)
    assert all(np.array_equal(there[number], store[number]) for number in range(4))


def builds(paths: list[Path], folder: Path, **how: object) -> bool:
    """Open a store; say whether it was built for that."""
    said: list[str] = []
    open_image_cache(
        paths,
        **{"max_short_side": None, "option": "memmap", "cache_dir": folder, "on_message": said.append, **how},
    )  # type: ignore[arg-type]
    return bool(said)


def test_is_built_once_and_anew_when_anything_changes(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "s"
    assert builds(paths, folder)
    assert not builds(paths, folder)
    assert not builds(paths, folder, option="auto")
    assert builds(paths, folder, option="jpeg")
    assert builds(paths, folder, max_short_side=18)
    assert builds(paths[::-1], folder)
    monkeypatch.setattr("PIL.__version__", "999")
    assert builds(paths, folder)
    Image.new("RGB", (5, 6), "red").save(paths[0])
    assert builds(paths, folder)
    assert (
        open_image_cache(paths, max_short_side=None, cache_dir=folder)[0].tolist() == [[[255, 0, 0]] * 5] * 6
    )


def test_where_nothing_fits_shapes_are_read_once(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lesionlens.data.image_cache.MAX_DISK_FRACTION", 0.0)
    decoded: list[int] = []
    for _ in range(2):
        store = open_image_cache(
            paths,
            max_short_side=None,
            cache_dir=tmp_path / "s",
            progress=lambda done, _: decoded.append(done),
        )
        assert store.cache_format == "none"
        assert np.array_equal(store[3], read_rgb(paths[3]))
    assert decoded == [1, 2, 3, 4]


@pytest.mark.parametrize("cut", ["index", "data", "data shorter"])
def test_a_store_that_is_not_whole_is_built_anew(paths: list[Path], tmp_path: Path, cut: str) -> None:
    folder = tmp_path / "s"
    store = open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder)
    expected = [store[number].copy() for number in range(4)]
    (data,), (index,) = folder.glob("*.memmap"), folder.glob("*.json")
    if cut == "data shorter":
        data.write_bytes(data.read_bytes()[:-1])
    else:
        (index if cut == "index" else data).unlink()
    assert builds(paths, folder)
    again = open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder)
    assert all(np.array_equal(again[number], image) for number, image in enumerate(expected))


def test_unreadable_images_are_told_together_and_leave_no_store(paths: list[Path], tmp_path: Path) -> None:
    paths[1].write_bytes(b"")
    paths[2].unlink()
    paths[3].write_bytes(paths[3].read_bytes()[:200])
    with pytest.raises(DataError, match=r"unreadable images: 3") as caught:
        open_image_cache(paths, max_short_side=None, cache_dir=tmp_path / "s")
    assert all(f"{number}.png" in str(caught.value) for number in (1, 2, 3))
    assert [file for file in (tmp_path / "s").iterdir() if file.suffix != ".lock"] == []


def test_an_unwritable_folder_is_said(paths: list[Path], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot write"):
        open_image_cache(paths, max_short_side=None, cache_dir=tmp_path / "file")


DYING = """
import os, signal, sys
from pathlib import Path
from lesionlens.data.image_cache import open_image_cache

def progress(done, count):
    if done == 3:
        os.kill(os.getpid(), signal.SIGKILL)

open_image_cache([Path(path) for path in sys.argv[2:]], max_short_side=None, option="memmap",
                 cache_dir=Path(sys.argv[1]), progress=progress)
"""

BUILDING = """
import sys, time
from pathlib import Path
from lesionlens.data.image_cache import open_image_cache

said = []
opened = open_image_cache([Path(path) for path in sys.argv[2:]], max_short_side=None, option="memmap",
                          cache_dir=Path(sys.argv[1]), on_message=said.append, progress=lambda *_: time.sleep(0.5))
print("built" if any("decoding" in each for each in said) else "used", *opened[3].shape)
"""


@pytest.mark.slow
def test_a_killed_builder_leaves_nothing_in_the_way(paths: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "s"
    died = subprocess.run([sys.executable, "-c", DYING, str(folder), *map(str, paths)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(list(folder.glob(".*.partial"))) == 1
    store = open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder)
    assert np.array_equal(store[3], read_rgb(paths[3]))
    assert list(folder.glob(".*.partial")) == []


@pytest.mark.slow
def test_of_two_processes_one_builds_and_the_other_uses_it(paths: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILDING, str(tmp_path / "s"), *map(str, paths)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = sorted(process.communicate(timeout=60)[0].strip() for process in both)
    assert found == ["built 100 150 3", "used 100 150 3"]


def test_who_waits_says_so(paths: list[Path], tmp_path: Path) -> None:
    folder, said = tmp_path / "s", list[str]()
    open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder)
    (lock,) = folder.glob("*.lock")
    next(folder.glob("*.json")).unlink()
    other = FileLock(lock, is_singleton=False)
    other.acquire()

    def say(sentence: str) -> None:
        said.append(sentence.partition(" ")[0])
        if len(said) == 1:
            other.release()

    open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder, on_message=say)
    assert said == ["another", "decoding"]


@pytest.mark.parametrize("max_short_side", [None, 30])
def test_the_estimate_is_what_decoding_gives(tmp_path: Path, max_short_side: int | None) -> None:
    files = []
    for number, size in enumerate([(40, 60), (80, 60), (20, 20)]):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(files[-1])
    decoded = sum(read_rgb(file, max_short_side=max_short_side).nbytes for file in files)
    assert estimate_decoded_bytes(files, max_short_side) == pytest.approx(decoded, rel=0.02)
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert estimate_decoded_bytes([*files, tmp_path / "broken.png"], max_short_side) == pytest.approx(
        decoded * 4 / 3, rel=0.02
    )


def test_few_headers_stand_for_many_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (10, 20)).save(tmp_path / "a.png")
    asked: list[Path] = []
    whole = image_cache.read_header
    monkeypatch.setattr(image_cache, "read_header", lambda path: asked.append(path) or whole(path))
    assert estimate_decoded_bytes([tmp_path / "a.png"] * 50_001, None) == 50_001 * 600
    assert 100 < len(asked) <= 200


def test_a_plan_says_kind_room_and_place(tmp_path: Path) -> None:
    Image.new("RGB", (1000, 1000)).save(tmp_path / "a.png")
    plan = plan_cache("jpeg", [tmp_path / "a.png"] * 400, None, tmp_path)
    # a fifth of 3 MB each
    assert (plan.cache_format, plan.num_images, plan.required_bytes) == ("jpeg", 400, 240_000_000)
    said = plan.describe(tmp_path)
    assert "400 images into JPEGs: at most about 0.2 GB" in said
    assert str(tmp_path) in said
    assert plan_cache("auto", [tmp_path / "a.png"], None, tmp_path).cache_format == "memmap"
