"""Damaged files: only an image within the limits or an ImageError, in bounded memory."""

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
from lesionlens.imaging.decode import read_header, read_rgb
from lesionlens.imaging.limits import MAX_PIXELS
from lesionlens.imaging.quiet_decoders import suppress_pillow_warnings

PIXELS = np.random.default_rng(0).integers(0, 256, (11, 13, 3), dtype=np.uint8)


def _bytes(kind: str, mode: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image = Image.fromarray(PIXELS)
    if mode == "I;16":
        image = Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 257)
    elif mode == "P":
        image = image.quantize(16)
    exif = Image.Exif()
    exif[274] = 6
    if kind != "BMP":
        options["exif"] = exif
    (image if mode in ("I;16", "P") else image.convert(mode)).save(stream, kind, **options)
    return stream.getvalue()


VALID_FILES = [
    _bytes("JPEG", "RGB"), _bytes("JPEG", "L", progressive=True), _bytes("JPEG", "CMYK"), _bytes("PNG", "RGB"),
    _bytes("PNG", "RGBA"), _bytes("PNG", "I;16"), _bytes("PNG", "P", transparency=3), _bytes("PNG", "1"),
    _bytes("TIFF", "RGB"), _bytes("TIFF", "CMYK"), _bytes("TIFF", "I;16"),
    _bytes("TIFF", "RGB", compression="tiff_lzw"), _bytes("TIFF", "RGB", compression="jpeg"),
    _bytes("BMP", "RGB"), _bytes("BMP", "P"), _bytes("WEBP", "RGB"), _bytes("WEBP", "RGBA", lossless=True),
]  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Take a valid file; overwrite, insert, repeat or delete bytes in it."""
    content = bytearray(draw(st.sampled_from(VALID_FILES)))
    for _ in range(draw(st.integers(0, 6))):
        position = draw(st.integers(0, max(0, len(content) - 1)))
        match draw(st.sampled_from(["overwrite", "insert", "truncate", "delete", "repeat"])):
            case "overwrite":
                new = draw(st.binary(min_size=1, max_size=4))
                content[position : position + len(new)] = new
            case "insert":
                content[position:position] = draw(st.binary(min_size=1, max_size=16))
            case "truncate":
                del content[position:]
            case "delete":
                del content[position : position + draw(st.integers(1, 16))]
            case _:
                content[position:position] = content[position : position + 40]
    return bytes(content)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damaged") / "image"


def test_undamaged_files_can_be_read(path: Path) -> None:
    for content in VALID_FILES:
        path.write_bytes(content)
        upright = (13, 11, 3) if content[:2] != b"BM" else (11, 13, 3)
        assert read_rgb(path).shape == upright


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(), st.sampled_from([None, 4]))
def test_damaged_file_is_an_image_or_raises_image_error(
    path: Path, content: bytes, shorter_side: int | None
) -> None:
    path.write_bytes(content)
    try:
        read = read_rgb(path, max_short_side=shorter_side)
    except ImageError as error:
        message = str(error)
    else:
        message = str(path)
        assert (read.dtype, read.ndim, read.shape[2], read.flags.c_contiguous) == (np.uint8, 3, 3, True)
        assert 0 < read.shape[0] * read.shape[1] <= MAX_PIXELS
    assert message.startswith(str(path))


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=64), st.sampled_from([content[:12] for content in VALID_FILES]))
def test_random_bytes_after_a_magic_number_raise(path: Path, content: bytes, magic: bytes) -> None:
    path.write_bytes(magic + content)
    with pytest.raises(ImageError):  # the header may be valid; there are no pixels
        read_rgb(path)
    try:
        assert read_header(path).format
    except ImageError as error:
        message = str(error)
        assert message.startswith(str(path))


def test_rejecting_decompression_bombs_needs_no_memory(path: Path) -> None:
    """Decode a BMP of a few bytes whose header states 30,000 × 30,000 pixels."""
    bmp = bytearray(VALID_FILES[13])
    bmp[18:26] = (30_000).to_bytes(4, "little") * 2
    process = psutil.Process()
    before = process.memory_info().rss
    for _ in range(20):
        path.write_bytes(bytes(bmp))
        with pytest.raises(ImageError):
            read_rgb(path)
    assert process.memory_info().rss - before < 50 * 2**20


def test_warnings_are_suppressed_in_any_number_of_threads(
    path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    filters = list(warnings.filters)
    path.write_bytes(VALID_FILES[8][:-20])
    files = [path] * 200

    def is_rejected(file: Path) -> bool:
        try:
            read_rgb(file)
        except ImageError:
            return True
        return False

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(is_rejected, files))
    assert list(warnings.filters) == filters
    assert not recwarn.list


def test_only_pillow_is_silenced_and_filters_are_restored() -> None:
    filters = list(warnings.filters)
    with suppress_pillow_warnings(), suppress_pillow_warnings():
        warnings.warn_explicit("bad EXIF", UserWarning, "Image.py", 1, module="PIL.Image")
        with pytest.warns(UserWarning, match="ours"):
            warnings.warn("ours", stacklevel=1)
    assert list(warnings.filters) == filters
    with pytest.raises(UserWarning, match="bad EXIF"):
        warnings.warn_explicit("bad EXIF", UserWarning, "Image.py", 1, module="PIL.Image")
