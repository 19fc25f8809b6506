"""Arbitrary mask files end in a mask of the size of the file or in a LesionLensError."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from lesionlens.core.errors import LesionLensError
from lesionlens.imaging.decode import read_header
from lesionlens.imaging.masks import read_mask

DTYPES = {"L": np.uint8, "I;16": np.uint16, "I": np.int32, "F": np.float32, "1": np.bool_, "P": np.uint8}
CHANNELS = {"LA": 2, "RGB": 3, "RGBA": 4}
FORMATS = {"png": "PNG", "tif": "TIFF", "bmp": "BMP", "webp": "WEBP", "jpg": "JPEG"}
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))


@st.composite
def mask_files(draw: Callable[..., Any]) -> tuple[str, bytes]:
    """Return the extension and the bytes of an image of few or many values, in any mode and format."""
    mode = draw(st.sampled_from([*DTYPES, *CHANNELS]))
    height, width = draw(SHAPES)
    dtype, channels = np.dtype(DTYPES.get(mode, np.uint8)), CHANNELS.get(mode, 0)
    shape = (height, width, channels) if channels else (height, width)
    few = draw(st.lists(hnp.from_dtype(dtype), min_size=1, max_size=4))
    elements = st.sampled_from(few) if draw(st.booleans()) else hnp.from_dtype(dtype)
    pixels = draw(hnp.arrays(dtype, shape, elements=elements))
    image = Image.fromarray(pixels)
    if mode == "P":
        image = Image.frombytes("P", (width, height), pixels.tobytes())
        image.putpalette(
            draw(st.binary(min_size=3, max_size=30).map(lambda entries: entries[: len(entries) // 3 * 3]))
        )
    options: dict[str, Any] = {}
    if draw(st.integers(0, 3)) == 0:
        exif = Image.Exif()
        exif[274] = draw(st.integers(0, 9))
        options["exif"] = exif
    if mode in ("L", "P") and draw(st.integers(0, 3)) == 0:
        options["transparency"] = draw(st.integers(0, 255))
    suffix, stream = draw(st.sampled_from(list(FORMATS))), io.BytesIO()
    try:
        image.save(stream, FORMATS[suffix], **options)
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
    ):  # a mode or option that the format does not have
        image.convert("RGB").save(stream, FORMATS[suffix])
    return suffix, stream.getvalue()


def check(folder: Path, file: tuple[str, bytes], nonzero: bool) -> None:
    path = folder / f"m.{file[0]}"
    path.write_bytes(file[1])
    try:
        mask = read_mask(path, nonzero=nonzero)
    except LesionLensError as error:
        message = str(error)
    else:
        message = f"{path} is read"
        assert mask.dtype == np.bool_
        assert sorted(mask.shape) == sorted(read_header(path)[1:])
    assert str(path) in message


once = settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
often = settings(once, max_examples=10_000)


def check_damaged(folder: Path, file: tuple[str, bytes], nonzero: bool, data: st.DataObject) -> None:
    """Check a file in which up to four bytes are replaced."""
    content = bytearray(file[1])
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[position] = data.draw(st.integers(0, 255))
    check(folder, (file[0], bytes(content)), nonzero)


@once
@given(file=mask_files(), nonzero=st.booleans())
def test_arbitrary_mask_is_read_or_rejected(tmp_path: Path, file: tuple[str, bytes], nonzero: bool) -> None:
    check(tmp_path, file, nonzero)


@once
@given(file=mask_files(), nonzero=st.booleans(), data=st.data())
def test_damaged_mask_is_read_or_rejected(
    tmp_path: Path, file: tuple[str, bytes], nonzero: bool, data: st.DataObject
) -> None:
    check_damaged(tmp_path, file, nonzero, data)


@pytest.mark.slow
@often
@given(file=mask_files(), nonzero=st.booleans())
def test_ten_thousand_masks(tmp_path: Path, file: tuple[str, bytes], nonzero: bool) -> None:
    check(tmp_path, file, nonzero)


@pytest.mark.slow
@often
@given(file=mask_files(), nonzero=st.booleans(), data=st.data())
def test_ten_thousand_damaged_masks(
    tmp_path: Path, file: tuple[str, bytes], nonzero: bool, data: st.DataObject
) -> None:
    check_damaged(tmp_path, file, nonzero, data)
