"""The image cache equals the decoded images, is built once and is written atomically."""

import json
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

from lesionlens.core.errors import DataError, RunError
from lesionlens.data import image_cache
from lesionlens.data.image_cache import CacheOption, estimate_decoded_bytes, open_image_cache, plan_cache
from lesionlens.imaging.decode import read_rgb

from ..helpers.damaged_files import DAMAGES


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
def test_cache_equals_decoded_images(paths: list[Path], tmp_path: Path, kind: CacheOption) -> None:
    progress: list[tuple[int, int]] = []
    cache = open_image_cache(
        paths,
        max_short_side=40,
        option=kind,
        cache_dir=tmp_path / "s",
        progress=lambda *n: progress.append(n),
    )
    assert len(cache) == 4
    assert cache.cache_format == ("memmap" if kind == "auto" else kind)
    for number, path in enumerate(paths):
        image = read_rgb(path, max_short_side=40)
        np.testing.assert_array_equal(cache[number], image)
        assert cache.shape(number) == image.shape[:2]
    assert progress == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_jpeg_cache_is_small_and_nearly_lossless(tmp_path: Path) -> None:
    row, column = np.mgrid[:90, :120]
    image = np.stack([row * 2, column * 2, 255 - row], axis=2).astype(np.uint8)
    for name in "ab":
        Image.fromarray(image).save(tmp_path / f"{name}.png")
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    cache = open_image_cache(paths, max_short_side=None, option="jpeg", cache_dir=tmp_path / "s")
    for number in (0, 1):
        assert cache.shape(number) == cache[number].shape[:2] == (90, 120)
        assert np.abs(cache[number].astype(int) - image).mean() < 1
    (file,) = (tmp_path / "s").glob("*.jpeg")
    assert file.stat().st_size < 0.2 * 2 * image.nbytes
    assert file.read_bytes().startswith(b"\xff\xd8\xff")  # a stream of standard JPEGs


@pytest.mark.parametrize("kind", ["memmap", "jpeg", "none"])
def test_cache_is_pickled_by_path(paths: list[Path], tmp_path: Path, kind: CacheOption) -> None:
    cache = open_image_cache(paths, max_short_side=None, option=kind, cache_dir=tmp_path / "s")
    pickled = pickle.dumps(cache)
    assert len(pickled) < 2000  # 60,000 bytes of pixels
    loaded = pickle.loads(pickled)
    assert all(np.array_equal(loaded[number], cache[number]) for number in range(4))


def was_built(paths: list[Path], folder: Path, **options: object) -> bool:
    """Open a cache and return whether it had to be built."""
    messages: list[str] = []
    open_image_cache(
        paths,
        **{
            "max_short_side": None,
            "option": "memmap",
            "cache_dir": folder,
            "on_message": messages.append,
            **options,
        },
    )  # type: ignore[arg-type]
    return bool(messages)


def test_cache_is_rebuilt_when_anything_changes(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "s"
    assert was_built(paths, folder)
    assert not was_built(paths, folder)
    assert not was_built(paths, folder, option="auto")
    assert was_built(paths, folder, option="jpeg")
    assert was_built(paths, folder, max_short_side=18)
    assert was_built(paths[::-1], folder)
    monkeypatch.setattr("PIL.__version__", "999")
    assert was_built(paths, folder)
    Image.new("RGB", (5, 6), "red").save(paths[0])
    assert was_built(paths, folder)
    assert (
        open_image_cache(paths, max_short_side=None, cache_dir=folder)[0].tolist() == [[[255, 0, 0]] * 5] * 6
    )


def test_shapes_are_read_once_if_no_format_fits(
    paths: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lesionlens.data.image_cache.MAX_DISK_FRACTION", 0.0)
    decoded: list[int] = []
    for _ in range(2):
        cache = open_image_cache(
            paths,
            max_short_side=None,
            cache_dir=tmp_path / "s",
            progress=lambda done, _: decoded.append(done),
        )
        assert cache.cache_format == "none"
        assert np.array_equal(cache[3], read_rgb(paths[3]))
    assert decoded == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", ["index", "data", "data shorter"])
def test_incomplete_cache_is_rebuilt(paths: list[Path], tmp_path: Path, damage: str) -> None:
    folder = tmp_path / "s"
    cache = open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder)
    expected = [cache[number].copy() for number in range(4)]
    (data,), (index,) = folder.glob("*.memmap"), folder.glob("*.json")
    if damage == "data shorter":
        data.write_bytes(data.read_bytes()[:-1])
    else:
        (index if damage == "index" else data).unlink()
    assert was_built(paths, folder)
    again = open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder)
    assert all(np.array_equal(again[number], image) for number, image in enumerate(expected))


@pytest.mark.parametrize("damage", [*DAMAGES, lambda _: json.dumps({"index": "{}", "checksum": ""}).encode()])
def test_damaged_index_is_built_again(
    paths: list[Path], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    folder = tmp_path / "s"
    open_image_cache(paths, max_short_side=None, option="jpeg", cache_dir=folder)
    (index,) = folder.glob("*.json")
    content = index.read_bytes()
    index.write_bytes(damage(content))
    cache = open_image_cache(paths, max_short_side=None, option="jpeg", cache_dir=folder)
    assert [cache.shape(number) for number in range(4)] == [(20, 30), (64, 48), (31, 31), (100, 150)]
    assert index.read_bytes() == content


def test_unreadable_images_are_reported_together(paths: list[Path], tmp_path: Path) -> None:
    paths[1].write_bytes(b"")
    paths[2].unlink()
    paths[3].write_bytes(paths[3].read_bytes()[:200])
    with pytest.raises(DataError, match=r"unreadable images: 3") as caught:
        open_image_cache(paths, max_short_side=None, cache_dir=tmp_path / "s")
    assert all(f"{number}.png" in str(caught.value) for number in (1, 2, 3))
    assert [file for file in (tmp_path / "s").iterdir() if file.suffix != ".lock"] == []


def test_unwritable_directory_raises(paths: list[Path], tmp_path: Path) -> None:
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

messages = []
opened = open_image_cache([Path(path) for path in sys.argv[2:]], max_short_side=None, option="memmap",
                          cache_dir=Path(sys.argv[1]), on_message=messages.append, progress=lambda *_: time.sleep(0.5))
print("built" if any("decoding" in message for message in messages) else "used", *opened[3].shape)
"""


@pytest.mark.slow
def test_cache_is_rebuilt_after_a_killed_process(paths: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "s"
    died = subprocess.run([sys.executable, "-c", DYING, str(folder), *map(str, paths)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(list(folder.glob(".*.partial"))) == 1
    cache = open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder)
    assert np.array_equal(cache[3], read_rgb(paths[3]))
    assert list(folder.glob(".*.partial")) == []


@pytest.mark.slow
def test_only_one_of_two_processes_builds(paths: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", BUILDING, str(tmp_path / "s"), *map(str, paths)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    outputs = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert outputs == ["built 100 150 3", "used 100 150 3"]


def test_waiting_is_reported(paths: list[Path], tmp_path: Path) -> None:
    folder, messages = tmp_path / "s", list[str]()
    open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder)
    (lock,) = folder.glob("*.lock")
    next(folder.glob("*.json")).unlink()
    lock_holder = FileLock(lock, is_singleton=False)
    lock_holder.acquire()

    def on_message(message: str) -> None:
        messages.append(message.partition(" ")[0])
        if len(messages) == 1:
            lock_holder.release()

    open_image_cache(paths, max_short_side=None, option="memmap", cache_dir=folder, on_message=on_message)
    assert messages == ["waiting", "decoding"]


@pytest.mark.parametrize("max_short_side", [None, 30])
def test_estimated_size_is_the_decoded_size(tmp_path: Path, max_short_side: int | None) -> None:
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


def test_size_is_estimated_from_a_sample_of_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (10, 20)).save(tmp_path / "a.png")
    headers_read: list[Path] = []
    read_header = image_cache.read_header
    monkeypatch.setattr(
        image_cache, "read_header", lambda path: headers_read.append(path) or read_header(path)
    )
    assert estimate_decoded_bytes([tmp_path / "a.png"] * 50_001, None) == 50_001 * 600
    assert 100 < len(headers_read) <= 200


def test_plan_describes_format_size_and_directory(tmp_path: Path) -> None:
    Image.new("RGB", (1000, 1000)).save(tmp_path / "a.png")
    plan = plan_cache("jpeg", [tmp_path / "a.png"] * 400, None, tmp_path)
    # a fifth of 3 MB each
    assert (plan.cache_format, plan.num_images, plan.required_bytes) == ("jpeg", 400, 240_000_000)
    description = plan.describe(tmp_path)
    assert "400 images into JPEGs: at most about 0.2 GB" in description
    assert str(tmp_path) in description
    assert plan_cache("auto", [tmp_path / "a.png"], None, tmp_path).cache_format == "memmap"
