"""What a store will take is told from the headers, and decides its kind."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.data import image_cache as store_kind
from lesionlens.imaging.decode import read_rgb
from lesionlens.data.image_cache import estimate_decoded_bytes, plan_cache


@pytest.mark.parametrize("shorter_side", [None, 30])
def test_the_estimate_is_what_decoding_gives(tmp_path: Path, shorter_side: int | None) -> None:
    files = []
    for number, size in enumerate([(40, 60), (80, 60), (20, 20)]):
        files.append(tmp_path / f"{number}.png")
        Image.fromarray(np.zeros((*size, 3), np.uint8)).save(files[-1])
    decoded = sum(read_rgb(file, max_short_side=shorter_side).nbytes for file in files)
    assert estimate_decoded_bytes(files, shorter_side) == pytest.approx(decoded, rel=0.02)
    (tmp_path / "broken.png").write_bytes(b"no image")
    assert estimate_decoded_bytes([*files, tmp_path / "broken.png"], shorter_side) == pytest.approx(
        decoded * 4 / 3, rel=0.02
    )


def test_few_headers_stand_for_many_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (10, 20)).save(tmp_path / "a.png")
    asked: list[Path] = []
    whole = store_kind.read_header
    monkeypatch.setattr(store_kind, "read_header", lambda path: asked.append(path) or whole(path))
    assert estimate_decoded_bytes([tmp_path / "a.png"] * 50_001, None) == 50_001 * 600
    assert 100 < len(asked) <= 200


def test_a_plan_says_kind_room_and_place(tmp_path: Path) -> None:
    Image.new("RGB", (1000, 1000)).save(tmp_path / "a.png")
    plan = plan_cache("jpeg", [tmp_path / "a.png"] * 400, None, tmp_path)
    assert (plan.cache_format, plan.num_images, plan.required_bytes) == ("jpeg", 400, 240_000_000)  # a fifth of 3 MB each
    said = plan.describe(tmp_path)
    assert "400 images into JPEGs: at most about 0.2 GB" in said
    assert str(tmp_path) in said
    assert plan_cache("auto", [tmp_path / "a.png"], None, tmp_path).cache_format == "memmap"
