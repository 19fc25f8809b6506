"""Mutated bytes: an image within the limits or an ImageError comes out, nothing else, and memory stays bounded."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from lesionlens.core.errors import ImageError
from lesionlens.imaging.decode import MAX_PIXELS, read_header, read_rgb, suppress_pillow_warnings

PIXELS = np.random.default_rng(0).integers(0, 256, (11, 13, 3), dtype=np.uint8)


def _bytes(kind: str, mode: str, **options: object) -> bytes:
    stream = io.BytesIO()
    picture = Image.fromarray(PIXELS)
    if mode == "I;16":
        picture = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    elif mode == "P":
        picture = picture.quantize(16)
    exif = Image.Exif()
    exif[274] = 6
    if kind != "BMP":
        options["exif"] = exif
    (picture if mode in ("I;16", "P") else picture.convert(mode)).save(stream, kind, **options)
    return stream.getvalue()


SEEDS = [
    _bytes("JPEG", "RGB"), _bytes("JPEG", "L", progressive=True), _bytes("JPEG", "CMYK"), _bytes("PNG", "RGB"),
    _bytes("PNG", "RGBA"), _bytes("PNG", "I;16"), _bytes("PNG", "P", transparency=3), _bytes("PNG", "1"),
    _bytes("TIFF", "RGB"), _bytes("TIFF", "CMYK"), _bytes("TIFF", "I;16"),
    _bytes("TIFF", "RGB", compression="tiff_lzw"), _bytes("TIFF", "RGB", compression="jpeg"),
    _bytes("BMP", "RGB"), _bytes("BMP", "P"), _bytes("WEBP", "RGB"), _bytes("WEBP", "RGBA", lossless=True),
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Take a whole file; overwrite, insert, repeat or cut bytes in it."""
    content = bytearray(draw(st.sampled_from(SEEDS)))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["set", "insert", "cut", "drop", "repeat"])):
            case "set":
                new = draw(st.binary(min_size=1, max_size=4))
                content[place : place + len(new)] = new
            case "insert":
                content[place:place] = draw(st.binary(min_size=1, max_size=16))
            case "cut":
                del content[place:]
            case "drop":
                del content[place : place + draw(st.integers(1, 16))]
            case _:
                content[place:place] = content[place : place + 40]
    return bytes(content)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "image"


def test_the_seeds_themselves_are_whole(place: Path) -> None:
    for content in SEEDS:
        place.write_bytes(content)
        upright = (13, 11, 3) if content[:2] != b"BM" else (11, 13, 3)
        assert read_rgb(place).shape == upright


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(), st.sampled_from([None, 4]))
def test_an_image_or_an_image_error(place: Path, content: bytes, shorter_side: int | None) -> None:
    place.write_bytes(content)
    try:
        read = read_rgb(place, max_short_side=shorter_side)
    except ImageError as error:
        told = str(error)
    else:
        told = str(place)
        assert (read.dtype, read.ndim, read.shape[2], read.flags.c_contiguous) == (np.uint8, 3, 3, True)
        assert 0 < read.shape[0] * read.shape[1] <= MAX_PIXELS
    assert told.startswith(str(place))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=64), st.sampled_from([content[:12] for content in SEEDS]))
def test_a_magic_number_before_anything(place: Path, content: bytes, magic: bytes) -> None:
    place.write_bytes(magic + content)
    with pytest.raises(ImageError):  # a header may pass; what follows it is nothing
        read_rgb(place)
    try:
        assert read_header(place).format
    except ImageError as error:
        told = str(error)
        assert told.startswith(str(place))


def test_refusing_bombs_takes_no_memory(place: Path) -> None:
    """A BMP and a TIFF of a few bytes that claim the largest size their headers can."""
    bmp = bytearray(SEEDS[13])
    bmp[18:26] = (30_000).to_bytes(4, "little") * 2
    process = psutil.Process()
    before = process.memory_info().rss
    for _ in range(20):
        place.write_bytes(bytes(bmp))
        with pytest.raises(ImageError):
            read_rgb(place)
    assert process.memory_info().rss - before < 50 * 2**20


def test_warnings_stay_inside_from_any_number_of_threads(
    place: Path, recwarn: pytest.WarningsRecorder
) -> None:
    filters = list(warnings.filters)
    place.write_bytes(SEEDS[8][:-20])
    files = [place] * 200

    def attempt(path: Path) -> bool:
        try:
            read_rgb(path)
        except ImageError:
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(attempt, files))
    assert list(warnings.filters) == filters
    assert not recwarn.list


def test_only_pillow_is_silenced_and_the_filters_come_back() -> None:
    filters = list(warnings.filters)
    with suppress_pillow_warnings(), suppress_pillow_warnings():
        warnings.warn_explicit("bad EXIF", UserWarning, "Image.py", 1, module="PIL.Image")
        with pytest.warns(UserWarning, match="ours"):
            warnings.warn("ours", stacklevel=1)
    assert list(warnings.filters) == filters
    with pytest.raises(UserWarning, match="bad EXIF"):
        warnings.warn_explicit("bad EXIF", UserWarning, "Image.py", 1, module="PIL.Image")
