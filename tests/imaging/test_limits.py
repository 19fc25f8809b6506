"""Limits of images and files, and error messages for unusable files."""

import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from lesionlens.core.errors import ImageError
from lesionlens.imaging import limits
from lesionlens.imaging.decode import read_header, read_rgb
from lesionlens.imaging.limits import MAX_PIXELS
from lesionlens.imaging.masks import read_mask

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
    monkeypatch.setattr(limits, "MAX_BYTES", 100)
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
        "a.gif": "GIF is not read; convert it to PNG or JPEG",
        "gone.jpg": "No such file",
        ".": "a folder or a device",
        "nul\0.jpg": "null (byte|character)",
    }.items():
        with pytest.raises(ImageError, match=reason) as caught:
            read_rgb(tmp_path / name)
        assert str(caught.value).startswith(str(tmp_path / name))


def test_header_is_read_without_decoding(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.jpg", Image.fromarray(COLOR))
    path.write_bytes(path.read_bytes()[:-60])
    assert read_header(path) == ("JPEG", 40, 30)


def _segments(content: bytes) -> list[tuple[int, bytes]]:
    """Return marker and bytes of each segment of a JPEG, a scan with its data."""
    segments, start = [], 2
    while content[start + 1] != 0xD9:
        end = start + 2 + struct.unpack(">H", content[start + 2 : start + 4])[0]
        while content[start + 1] == 0xDA and not (content[end] == 0xFF and content[end + 1]):
            end += 1
        segments.append((content[start + 1], content[start:end]))
        start = end
    return segments


def test_jpeg_of_many_scans_is_rejected_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(tmp_path / "a.jpg", Image.new("L", (2000, 2000), 128), progressive=True)
    assert read_rgb(path, max_short_side=20).shape == (20, 20, 3)
    segments = _segments(path.read_bytes())
    scan = [segment for marker, segment in segments if marker == 0xDA][-1]
    body = b"".join(segment for _, segment in segments)
    path.write_bytes(b"\xff\xd8" + body + 20_000 * scan + b"\xff\xd9")
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded"))
    for read in (read_rgb, read_mask):
        with pytest.raises(ImageError, match=r"it has 20,0\d\d scans of 2,000 × 2,000 pixels"):
            read(path)
    assert read_header(path).width == 2000


@pytest.mark.parametrize("size", [(70_000, 1), (1, 70_000)])
def test_side_of_an_image_is_limited(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(ImageError, match="a side may have at most 65,535"):
        read_rgb(_save(tmp_path / "a.png", Image.new("1", size)))


def test_formats_with_costly_decoders_have_lower_limits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    webp = _save(tmp_path / "a.webp", Image.fromarray(COLOR))
    header = struct.pack("<IHHI", 1082, 0, 0, 1078) + struct.pack(
        "<IiiHHIIiiII", 40, 4, 1, 1, 8, 1, 4, 0, 0, 256, 0
    )
    (tmp_path / "a.bmp").write_bytes(b"BM" + header + bytes(1024) + b"\x04\x00\x00\x01")
    for path in (webp, tmp_path / "a.bmp"):
        assert read_rgb(path).size
    monkeypatch.setattr(limits, "MAX_WEBP_PIXELS", 1000)
    monkeypatch.setattr(limits, "MAX_RLE_BYTES", 1000)
    with pytest.raises(ImageError, match="at most 1,000 are allowed"):
        read_rgb(webp)
    with pytest.raises(ImageError, match="run-length encoded BMP files may have at most"):
        read_rgb(tmp_path / "a.bmp")


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_damaged_tiff_writes_no_message(
    tmp_path: Path, compression: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = _save(tmp_path / "a.tiff", Image.fromarray(COLOR), compression=compression)
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(0)
    for _ in range(40):
        damaged = content.copy()
        for position in rng.integers(8, len(content), 5):
            damaged[position] = rng.integers(256)
        path.write_bytes(bytes(damaged))
        with suppress(ImageError):
            read_rgb(path)
    assert capfd.readouterr() == ("", "")


PEAK = """
import resource, sys
from pathlib import Path
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.masks import read_mask
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{"image": read_rgb, "mask": read_mask}[sys.argv[1]](Path(sys.argv[2]))
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""


LARGE_MODES = {"RGBA": (255, 0, 0, 255), "RGB": (255, 0, 0), "LA": (255, 255), "I;16": 65535, "P": 1, "1": 1}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "limit"), [("image", 0.95), ("mask", 1.3)])
@pytest.mark.parametrize("mode", LARGE_MODES)
def test_peak_memory_at_the_limit_is_as_stated(tmp_path: Path, kind: str, limit: float, mode: str) -> None:
    if sys.platform != "linux":
        pytest.skip("maximum resident size has another unit")
    image = Image.new(mode, (10_950, 10_950))
    image.paste(Image.new(mode, (5000, 5000), LARGE_MODES[mode]), (9, 9))
    exif = Image.Exif()
    exif[274] = 6
    _save(tmp_path / "a.png", image, exif=exif, compress_level=1)
    command = [sys.executable, "-c", PEAK, kind, str(tmp_path / "a.png")]
    gibibytes = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert gibibytes < limit
