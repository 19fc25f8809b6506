"""Limits of images and files, and error messages for unusable files."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from lesionlens.core.errors import ImageError
from lesionlens.imaging import decode
from lesionlens.imaging.decode import MAX_PIXELS, read_header, read_rgb

RAMP = np.linspace(0, 255, 40 * 30).reshape(30, 40).astype(np.uint8)
COLOR = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 90)], axis=-1)


def _save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


def _bomb(path: Path, side: int) -> Path:
    """Write a PNG of a few bytes whose header states side × side pixels."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return path


@pytest.mark.parametrize("side", [10_955, 30_000, 2**31 - 1])
def test_decompression_bombs_are_rejected_before_decoding(
    tmp_path: Path, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert side**2 > MAX_PIXELS
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    for reads in (read_header, read_rgb):
        with pytest.raises(ImageError, match=r"bomb\.png is not a usable image: .*pixels"):
            reads(_bomb(tmp_path / "bomb.png", side))


def test_tile_larger_than_its_image_is_rejected(tmp_path: Path) -> None:
    info = TiffImagePlugin.ImageFileDirectory_v2()
    info[65000], info[65001] = 2**16, 2**16  # private tags, renamed below to tile width and length
    path = _save(tmp_path / "a.tiff", Image.fromarray(COLOR), tiffinfo=info)
    content = path.read_bytes()
    for private, tile in ((65000, 322), (65001, 323)):
        content = content.replace(struct.pack("<HH", private, 4), struct.pack("<HH", tile, 4))
    path.write_bytes(content)
    with pytest.raises(ImageError, match="it has 65,536 × 65,536 pixels"):
        read_rgb(path)


def test_files_over_the_limit_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _save(tmp_path / "a.png", Image.fromarray(COLOR))
    monkeypatch.setattr(decode, "MAX_BYTES", 100)
    with pytest.raises(ImageError, match="MiB are allowed"):
        read_rgb(path)


def test_each_error_names_reason_and_file(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.jpg").write_text("no image")
    content = _save(tmp_path / "complete.jpg", Image.fromarray(COLOR)).read_bytes()
    (tmp_path / "short.jpg").write_bytes(content[:-60])
    _save(tmp_path / "a.gif", Image.fromarray(RAMP))
    for name, reason in {
        "empty.jpg": "the file is empty",
        "text.jpg": "it is none of JPEG, PNG, TIFF, BMP, WEBP",
        "short.jpg": "truncated",
        "a.gif": "it is none of JPEG",
        "gone.jpg": "No such file",
        ".": "a folder or a device",
        "nul\0.jpg": "null byte",
    }.items():
        with pytest.raises(ImageError, match=reason) as caught:
            read_rgb(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))


def test_header_is_read_without_decoding(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.jpg", Image.fromarray(COLOR))
    path.write_bytes(path.read_bytes()[:-60])
    assert read_header(path) == ("JPEG", 40, 30)
