"""Files to RGB, defensively: whatever a file holds, either an image comes out or one ``ImageError``.

What a viewer would show counts: the image upright, whatever its mode (see ``to_rgb``), and of several frames
the first. ICC profiles are ignored: the field's data sets come, and its models were trained, without them.
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
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageFile, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from lesionlens.core.errors import ImageError
from lesionlens.imaging.resize import resize

# Pillow documents OSError and SyntaxError; damaged files also bring out the slips of its parsers: arithmetic,
# look-ups, unpacking, zlib, its own assertions, sizes that no memory holds.
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
    """Convert a decoded image; what is transparent is laid on white, 16 bits are scaled by their full range.

    Raises
    ------
    ValueError
        The samples have no agreed range, or Pillow knows no way from this mode to RGB.
    """
    if image.mode.startswith("I;16"):
        return _from_16_bits(image)
    if image.mode in ("I", "F"):
        raise ValueError("samples of 32 bits have no agreed range; save it with 8 or 16 bits a channel")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # to convert RGB would copy it
    opaque = Image.new("RGB", image.size, "white")
    clear = image.convert("RGBA")
    opaque.paste(clear, mask=clear)
    return opaque


def _from_16_bits(image: ImageFile.ImageFile) -> Image.Image:
    """Keep the upper 8 bits of each grey sample (Pillow itself would clip at 255)."""
    tags = getattr(image, "tag_v2", {})
    bits = int(tags.get(_BITS_PER_SAMPLE, (16,))[0])  # 12 in some TIFF files, still mode I;16
    grey = np.clip(np.asarray(image) >> (bits - 8), 0, 255).astype(np.uint8)
    return Image.fromarray(255 - grey if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO else grey).convert("RGB")


def exif_transpose(image: ImageFile.ImageFile) -> Image.Transpose | None:
    """Give the turn that EXIF asks for; None if there is none, or its data are damaged but the image is not.

    To be asked after decoding: a TIFF is then upright already, and says so.
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
    """Ignore warnings that Pillow's modules give.

    ``warnings.catch_warnings`` changes the whole process, and several threads that nest it restore each
    other's filters. So the first thread in sets the filter, and the last one out restores what was before.
    """
    global _num_contexts, _saved_filters  # noqa: PLW0603 - the filters are the process's own
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
    """Decode the file of a colour or grey JPEG that Pillow has opened, (h, w, 3), at the scale that was drafted.

    None if it is no such file, or the decoder has anything to complain of: then Pillow shall decode and judge.
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


# A 102-megapixel medium-format shot, the largest of any camera in use, fits. The costliest of this size, a PNG
# with alpha, took 1.6 GiB at its peak.
MAX_PIXELS = 120_000_000
# More than that shot takes uncompressed at 8 bits a channel; a larger file is something else.
MAX_BYTES = 512 * 2**20
# The field's formats and what people convert them to; every further decoder is a further risk.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
_TILE_WIDTH, _TILE_LENGTH = 322, 323


class ImageHeader(NamedTuple):
    """What a file says of itself before it is decoded; sizes in pixels, as stored (not yet turned)."""

    format: str
    width: int
    height: int


def read_header(path: Path) -> ImageHeader:
    """Read a file's header alone: cheap, and enough to find what is missing, empty or no image.

    Raises
    ------
    ImageError
        The file cannot be an image within the limits; it names the file and the reason.
    """
    with _open_image(path) as image:
        return ImageHeader(image.format or "", *image.size)


def read_rgb(path: Path, *, max_short_side: int | None = None) -> npt.NDArray[np.uint8]:
    """Decode an image to RGB, (h, w, 3) uint8, contiguous.

    Parameters
    ----------
    path
        A JPEG, PNG, TIFF, BMP or WebP file.
    max_short_side
        Bring larger images down until their shorter side has this many pixels, antialiased; a smaller image
        stays as it is. A JPEG is then decoded at a reduced scale of at least twice that size.

    Raises
    ------
    ImageError
        The file is missing, empty, truncated, damaged, no image or over the limits.
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
        turn = exif_transpose(image)
        return pixels if turn is None else np.array(Image.fromarray(pixels).transpose(turn))


def read_samples(path: Path) -> npt.NDArray[np.uint8 | np.uint16]:
    """Decode the samples of an image as they are stored, (h, w, 3) or 16-bit gray (h, w, 1), ignoring its orientation.

    Raises
    ------
    ImageError
        As ``read_rgb``.
    """
    with _open_image(path) as image:
        image.load()
        wide = image.mode.startswith("I;16")  # 8 bits would lose its lower half
        return np.atleast_3d(np.asarray(image if wide else to_rgb(image)))


class _JpegScale(NamedTuple):
    """Height and width of an image, and how many of the decoded pixels hold it: the last may do so in part."""

    full_size: tuple[int, int]
    extent: tuple[float, float]


def _draft(image: ImageFile.ImageFile, max_short_side: int) -> _JpegScale | None:
    """Ask a JPEG's decoder for 1/2, 1/4 or 1/8 of the size, still twice ``max_short_side``; others cannot."""
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
    """Open a file within the limits, and turn whatever goes wrong inside into one ``ImageError``."""
    try:
        _check_file(Path(path).stat())
        # Given a stream rather than a name, Pillow maps no memory onto a file that may shrink meanwhile.
        with (
            suppress_pillow_warnings(),
            Path(path).open("rb") as stream,
            Image.open(stream, formats=FORMATS) as image,
        ):
            _check_pixel_count(image)
            yield image
    except DECODER_ERRORS as error:
        raise ImageError(f"{path} is not a usable image: {_describe_error(error)}") from error


def _check_file(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is a folder or a device, not a file")
    if status.st_size == 0:
        raise ValueError("the file is empty")
    if status.st_size > MAX_BYTES:
        raise ValueError(f"{status.st_size / 2**20:,.0f} MiB; at most {MAX_BYTES // 2**20} MiB are read")


def _check_pixel_count(image: ImageFile.ImageFile) -> None:
    """Refuse before decoding what would not fit; a TIFF's tile may be far larger than its image."""
    tags = getattr(image, "tag_v2", {})
    tile = int(tags.get(_TILE_WIDTH, 0)), int(tags.get(_TILE_LENGTH, 0))
    for width, height in (image.size, tile):
        if width * height > MAX_PIXELS:
            raise ValueError(f"it asks for {width:,} × {height:,} pixels; at most {MAX_PIXELS:,} are decoded")


def _describe_error(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return f"it is none of {', '.join(FORMATS)}, or its header is damaged"
    if isinstance(error, MemoryError):
        return "it does not fit in memory"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
