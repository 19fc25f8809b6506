"""Decode image files to RGB; any unusable file raises ``ImageError``.

The result is what a viewer shows: upright, in any color mode (see ``to_rgb``), the first frame of several. ICC profiles
are ignored, because the datasets of the field are published, and its models trained, without them.
"""

import os
import stat
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from lesionlens.core.errors import ImageError
from lesionlens.imaging.formats import (
    SIGNATURE_BYTES,
    conversion_hint,
    other_format_of_content,
    other_format_of_name,
)
from lesionlens.imaging.resize import resize

# Pillow documents OSError and SyntaxError; on damaged files its parsers also raise errors of arithmetic, look-up,
# unpacking, zlib, assertions and memory.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    AssertionError,
    EOFError,
    MemoryError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_BITS_PER_SAMPLE, _PHOTOMETRIC, _ORIENTATION = 258, 262, 274
_WHITE_IS_ZERO = 0
_TRANSPOSE_OF_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def to_rgb(image: ImageFile.ImageFile) -> Image.Image:
    """Convert a decoded image to 8-bit RGB; transparent pixels become white, 16 bits are scaled by their full range.

    Raises
    ------
    ValueError
        The samples have 32 bits and no defined range, or Pillow cannot convert the mode to RGB.
    """
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode in ("I", "F"):
        raise ValueError("32-bit samples have no defined range; save the image with 8 or 16 bits per channel")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # converting RGB to RGB would copy
    opaque = Image.new("RGB", image.size, "white")
    clear = image.convert("RGBA")
    opaque.paste(clear, mask=clear)
    return opaque


def _from_16_bits(image: ImageFile.ImageFile) -> Image.Image:
    """Return the upper 8 bits of each gray sample (Pillow itself would clip at 255)."""
    gray = np.clip(_16_bit_levels(np.asarray(image), image) >> (_bits_per_sample(image) - 8), 0, 255)
    return Image.fromarray(gray.astype(np.uint8)).convert("RGB")


def _16_bit_levels(values: NDArray[Any], image: ImageFile.ImageFile) -> NDArray[Any]:
    """Return gray levels whose white is the largest one; some TIFF files store white as 0."""
    white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    return 2 ** _bits_per_sample(image) - 1 - values if white_is_zero else values


def _bits_per_sample(image: ImageFile.ImageFile) -> int:
    """Return the bits of a gray sample: 16, or 12 in some TIFF files of mode I;16."""
    return int(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0])


def exif_transpose(image: ImageFile.ImageFile) -> Image.Transpose | None:
    """Return the transposition that EXIF specifies; None if there is none, or only the EXIF data is damaged.

    Call it after decoding: Pillow transposes a TIFF itself, and then removes its orientation.
    """
    try:
        return _TRANSPOSE_OF_ORIENTATION.get(int(image.getexif().get(_ORIENTATION, 1)))
    except DECODER_ERRORS:
        return None


_filter_lock = Lock()
_num_contexts = 0
_saved_filters: "warnings.catch_warnings[None] | None" = None


@contextmanager
def suppress_pillow_warnings() -> Iterator[None]:
    """Ignore warnings from Pillow's modules, in any number of threads.

    ``warnings.catch_warnings`` changes the filters of the process, and threads that use it at the same time restore
    each other's filters. Here the first thread to enter sets the filter, and the last one to leave restores it.
    """
    global _num_contexts, _saved_filters  # noqa: PLW0603 - the filters belong to the process
    with _filter_lock:
        _num_contexts += 1
        if _num_contexts == 1:
            _saved_filters = warnings.catch_warnings()
            _saved_filters.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
    try:
        yield
    finally:
        with _filter_lock:
            _num_contexts -= 1
            if _num_contexts == 0 and _saved_filters is not None:
                _saved_filters.__exit__(None, None, None)
                _saved_filters = None


def decode_jpeg(image: ImageFile.ImageFile) -> NDArray[np.uint8] | None:
    """Decode an RGB or gray JPEG that Pillow has opened, (h, w, 3), at its draft scale.

    Return None for other files and modes, and if the decoder reports an error or warning, so that Pillow decodes the
    file or rejects it.
    """
    if not isinstance(image, JpegImageFile) or image.mode not in ("RGB", "L") or image.fp is None:
        return None
    width, height = image.size
    image.fp.seek(0)
    content = image.fp.read()
    try:
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(
            content, colorspace="RGB", min_height=height, min_width=width, strict=True
        )
    except (ValueError, RuntimeError):
        return None
    return pixels if pixels.shape == (height, width, 3) else None


# Enough for a 102-megapixel medium-format photograph, the largest of any camera in use. The peak memory at this size
# was 1.6 GiB, for a PNG with alpha channel.
MAX_PIXELS = 120_000_000
# More than such a photograph takes uncompressed at 8 bits per channel.
MAX_BYTES = 512 * 2**20
# The formats of the field and common conversions; every additional decoder is an additional risk.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
_TILE_WIDTH, _TILE_LENGTH = 322, 323


class ImageHeader(NamedTuple):
    """Format and size of an image file; the size is in pixels, as stored, before any EXIF rotation."""

    format: str
    width: int
    height: int


def read_header(path: Path) -> ImageHeader:
    """Read only the header of an image: fast, and enough to detect missing, empty and non-image files.

    Raises
    ------
    ImageError
        The file is not an image within the limits; the message names the file and the reason.
    """
    with _open_image(path) as image:
        return ImageHeader(image.format or "", *image.size)


def read_rgb(path: Path, *, max_short_side: int | None = None) -> npt.NDArray[np.uint8]:
    """Decode an image to RGB, a contiguous uint8 array (h, w, 3).

    Parameters
    ----------
    path
        JPEG, PNG, TIFF, BMP or WebP file.
    max_short_side
        Downsample larger images, with antialiasing, to this many pixels on the shorter side. JPEGs are decoded at a
        reduced scale of at least twice that size. Default: the full size.

    Raises
    ------
    ImageError
        The file is missing, empty, truncated, damaged, not an image, or exceeds the limits.
    """
    if max_short_side is not None and max_short_side < 1:
        raise ValueError(f"max_short_side is {max_short_side}; it must be 1 or more, or None")
    with _open_image(path) as image:
        reduced = None if max_short_side is None else _draft(image, max_short_side)
        pixels = decode_jpeg(image)
        if pixels is None:
            image.load()
            pixels = np.array(to_rgb(image))
        if max_short_side is not None:
            pixels = _downsample(pixels, max_short_side, reduced)
        transpose = exif_transpose(image)
        return pixels if transpose is None else np.array(Image.fromarray(pixels).transpose(transpose))


class Samples(NamedTuple):
    """Decoded samples of an image, upright, without conversion to RGB.

    Attributes
    ----------
    values
        Gray levels or palette indices, (h, w), or 8-bit RGB, (h, w, 3).
    alpha
        Opacity, (h, w), 0 for transparent; None without transparency.
    palette
        RGB values of the palette indices, (k, 3); None without a palette.
    format
        Format of the file, such as ``PNG``.
    reduced
        Whether 16 bits per channel were reduced to their upper 8, as the decoder does for color.
    """

    values: NDArray[Any]
    alpha: NDArray[np.uint8] | None
    palette: NDArray[np.uint8] | None
    format: str
    reduced: bool


def read_samples(path: Path) -> Samples:
    """Decode the samples of an image as they are stored, for masks.

    Raises
    ------
    ImageError
        As ``read_rgb``, but 32-bit samples are allowed.
    """
    with _open_image(path) as image:
        reduced = ";16" in str(image.tile) and not image.mode.startswith("I")
        image.load()
        transpose = exif_transpose(image)
        upright = image if transpose is None else image.transpose(transpose)
        alpha = np.asarray(upright.convert("RGBA").getchannel("A")) if image.has_transparency_data else None
        values, palette = _sample_values(upright, image)
        return Samples(values, alpha, palette, image.format or "", reduced)


def _sample_values(
    upright: Image.Image, image: ImageFile.ImageFile
) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Return gray levels or colors, or palette indices with the palette."""
    if upright.mode.startswith("I;16"):
        return _16_bit_levels(np.asarray(upright), image), None
    if upright.mode in ("P", "PA"):
        palette = np.zeros((256, 3), np.uint8)  # a file may have fewer entries than indices
        entries = np.array(upright.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        palette[: len(entries)] = entries
        return np.asarray(upright if upright.mode == "P" else upright.getchannel("P")), palette
    if upright.mode in ("1", "L", "LA", "La", "I", "F"):
        values = np.asarray(upright if upright.mode in ("1", "L", "I", "F") else upright.getchannel("L"))
        return values.astype(np.uint8) if upright.mode == "1" else values, None
    return np.asarray(upright.convert("RGB")), None


class _JpegScale(NamedTuple):
    """Full height and width of a JPEG, and the height and width in decoded pixels, whose last may be partly covered."""

    full_size: tuple[int, int]
    extent: tuple[float, float]


def _draft(image: ImageFile.ImageFile, max_short_side: int) -> _JpegScale | None:
    """Set a JPEG to decode at 1/2, 1/4 or 1/8 of its size, at least twice ``max_short_side``; None for others."""
    width, height = image.size
    drafted = image.draft(None, (2 * max_short_side, 2 * max_short_side))
    return None if drafted is None else _JpegScale((height, width), (drafted[1][3], drafted[1][2]))


def _downsample(
    pixels: npt.NDArray[np.uint8], max_short_side: int, jpeg_scale: _JpegScale | None
) -> npt.NDArray[np.uint8]:
    full = pixels.shape[:2] if jpeg_scale is None else jpeg_scale.full_size
    if min(full) <= max_short_side:
        return pixels
    size = (
        max(1, round(full[0] * max_short_side / min(full))),
        max(1, round(full[1] * max_short_side / min(full))),
    )
    return resize(pixels, size, extent=None if jpeg_scale is None else jpeg_scale.extent)


@contextmanager
def _open_image(path: Path) -> Iterator[ImageFile.ImageFile]:
    """Open an image file within the limits, and convert any decoder error in the block to ``ImageError``."""
    try:
        _check_file(Path(path).stat())
        # Given a stream instead of a name, Pillow does not memory-map a file that may shrink in the meantime.
        with (
            suppress_pillow_warnings(),
            Path(path).open("rb") as stream,
            Image.open(stream, formats=FORMATS) as image,
        ):
            _check_pixel_count(image)
            yield image
    except DECODER_ERRORS as error:
        raise ImageError(f"{path} is not a usable image: {_describe_error(error, path)}") from error


def _check_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is a folder or a device, not a file")
    if status.st_size == 0:
        raise ValueError("the file is empty")
    if status.st_size > MAX_BYTES:
        raise ValueError(f"{status.st_size / 2**20:,.0f} MiB; at most {MAX_BYTES // 2**20} MiB are allowed")


def _check_pixel_count(image: ImageFile.ImageFile) -> None:
    """Raise an error before decoding too many pixels; a tile of a TIFF may be far larger than the image."""
    tags = getattr(image, "tag_v2", {})
    tile = int(tags.get(_TILE_WIDTH, 0)), int(tags.get(_TILE_LENGTH, 0))
    for width, height in (image.size, tile):
        if width * height > MAX_PIXELS:
            raise ValueError(f"it has {width:,} × {height:,} pixels; at most {MAX_PIXELS:,} are allowed")


def _describe_error(error: BaseException, path: Path) -> str:
    if isinstance(error, UnidentifiedImageError):
        name = _other_format(path)
        reason = f"it is none of {', '.join(FORMATS)}, or its header is damaged"
        return conversion_hint(name) if name else reason
    if isinstance(error, MemoryError):
        return "it does not fit in memory"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _other_format(path: Path) -> str:
    """Return the name of a format that is not read, from the content or else the name of a file."""
    try:
        with Path(path).open("rb") as stream:
            head = stream.read(SIGNATURE_BYTES)
    except OSError:
        return ""
    return other_format_of_content(head) or other_format_of_name(Path(path).name)
