"""Decode image files to RGB; any unusable file raises ``ImageError``.

The result is what a viewer shows: upright, in any color mode (see ``to_rgb``), the first frame of several. ICC profiles
are ignored, because the datasets of the field are published, and its models trained, without them.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from threading import Lock
from typing import IO, Any, NamedTuple

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
from lesionlens.imaging.limits import check_file, check_header, check_jpeg_scans, check_num_bytes
from lesionlens.imaging.quiet_decoders import suppress_pillow_warnings
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
# The formats of the field and common conversions; every additional decoder is an additional risk.
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
_BAND_PIXELS = 2**22
_LOADING = Lock()  # Pillow must not decode one image in two threads
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
_NUMPY_TRANSPOSE: Mapping[Image.Transpose | None, Callable[[NDArray[Any]], NDArray[Any]]] = {
    None: np.asarray,
    Image.Transpose.FLIP_LEFT_RIGHT: np.fliplr,
    Image.Transpose.ROTATE_180: lambda pixels: pixels[::-1, ::-1],
    Image.Transpose.FLIP_TOP_BOTTOM: np.flipud,
    Image.Transpose.TRANSPOSE: lambda pixels: pixels.swapaxes(0, 1),
    Image.Transpose.ROTATE_270: lambda pixels: np.rot90(pixels, -1),
    Image.Transpose.TRANSVERSE: lambda pixels: np.rot90(pixels.swapaxes(0, 1), 2),
    Image.Transpose.ROTATE_90: np.rot90,
}


def to_rgb(image: Image.Image, *, source: Image.Image) -> Image.Image:
    """Convert a decoded image to 8-bit RGB; transparent pixels become white, 16 bits are scaled by their full range.

    Parameters
    ----------
    image
        The image, or a part of it.
    source
        The opened file.

    Raises
    ------
    ValueError
        The samples have 32 bits and no defined range, or Pillow cannot convert the mode to RGB.
    """
    if image.mode.startswith("I;16"):
        return _from_16_bits(image, source)
    if image.mode in ("I", "F"):
        raise ValueError("32-bit samples have no defined range; save the image with 8 or 16 bits per channel")
    if not image.has_transparency_data:
        return image if image.mode == "RGB" else image.convert("RGB")  # converting RGB to RGB would copy
    opaque = Image.new("RGB", image.size, "white")
    clear = image.convert("RGBA")
    opaque.paste(clear, mask=clear)
    return opaque


def _decoded_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Decode an image with Pillow and convert it to RGB, (h, w, 3)."""
    image.load()
    return _convert_by_bands(image, lambda band: np.asarray(to_rgb(band, source=image)))


def pillow_to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Convert an image of Pillow to the pixels that ``read_rgb`` returns for its file, (h, w, 3).

    Raises
    ------
    ImageError
        It cannot be decoded, or its samples have 32 bits.
    """
    try:
        with suppress_pillow_warnings(), _LOADING:
            pixels = _decoded_rgb(image)
            transpose = exif_transpose(image)
    except DECODER_ERRORS as error:
        raise unusable_image(image, error) from error
    return _upright(pixels, transpose)


def _convert_by_bands(image: Image.Image, convert: Callable[[Image.Image], NDArray[Any]]) -> NDArray[Any]:
    """Convert a decoded image to an array in bands of rows, so that only one band is in memory three times."""
    rows = max(1, _BAND_PIXELS // image.width)
    if rows >= image.height:
        return np.array(convert(image))
    tops = range(0, image.height, rows)
    bands = (image.crop((0, top, image.width, min(top + rows, image.height))) for top in tops)
    first = convert(next(bands))
    pixels = np.empty((image.height, *first.shape[1:]), first.dtype)
    pixels[:rows] = first
    for top, band in zip(tops[1:], bands, strict=True):
        pixels[top : top + rows] = convert(band)
    return pixels


def _from_16_bits(image: Image.Image, source: Image.Image) -> Image.Image:
    """Return the upper 8 bits of each gray sample (Pillow itself would clip at 255)."""
    gray = np.clip(_16_bit_levels(np.asarray(image), source) >> (_bits_per_sample(source) - 8), 0, 255)
    return Image.fromarray(gray.astype(np.uint8)).convert("RGB")


def _16_bit_levels(values: NDArray[Any], image: Image.Image) -> NDArray[Any]:
    """Return gray levels whose white is the largest one; some TIFF files store white as 0."""
    white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO
    return 2 ** _bits_per_sample(image) - 1 - values if white_is_zero else values


def _bits_per_sample(image: Image.Image) -> int:
    """Return the bits of a gray sample: 16, or 12 in some TIFF files of mode I;16."""
    return int(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (16,))[0])


def exif_transpose(image: Image.Image) -> Image.Transpose | None:
    """Return the transposition that EXIF specifies; None if there is none, or only the EXIF data is damaged.

    Call it after decoding: Pillow transposes a TIFF itself, and then removes its orientation.
    """
    try:
        return _TRANSPOSE_OF_ORIENTATION.get(int(image.getexif().get(_ORIENTATION, 1)))
    except DECODER_ERRORS:
        return None


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


def read_rgb(
    file: Path | bytes, *, max_short_side: int | None = None, draft: bool = False
) -> npt.NDArray[np.uint8]:
    """Decode an image to RGB, a contiguous uint8 array (h, w, 3).

    Parameters
    ----------
    file
        JPEG, PNG, TIFF, BMP or WebP file, or its content.
    max_short_side
        Downsample larger images, with antialiasing, to this many pixels on the shorter side. Default: the full size.
    draft
        Whether JPEGs are decoded at a reduced scale of at least twice that size: several times as fast for large
        images, and up to a few gray levels off. For thumbnails and checks, not for the input of a network.

    Raises
    ------
    ImageError
        The file is missing, empty, truncated, damaged, not an image, or exceeds the limits.
    """
    if max_short_side is not None and max_short_side < 1:
        raise ValueError(f"max_short_side is {max_short_side}; it must be 1 or more, or None")
    pixels, reduced, transpose = _decode(file, max_short_side if draft else None)
    if reduced is not None:
        return _upright(downsample(pixels, max_short_side, reduced), transpose)
    return downsample(_upright(pixels, transpose), max_short_side)


def _upright(pixels: NDArray[np.uint8], transpose: Image.Transpose | None) -> NDArray[np.uint8]:
    return np.ascontiguousarray(_NUMPY_TRANSPOSE[transpose](pixels))


def _decode(
    file: Path | bytes, draft_size: int | None
) -> tuple[NDArray[np.uint8], "_JpegScale | None", Image.Transpose | None]:
    """Return RGB pixels, their scale if it was reduced, and the transposition to apply; Pillow's copy is freed."""
    with _open_image(file) as image:
        reduced = None if draft_size is None else _draft(image, draft_size)
        check_jpeg_scans(image)
        pixels = decode_jpeg(image)
        if pixels is None:
            pixels = _decoded_rgb(image)
        return pixels, reduced, exif_transpose(image)


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
        check_jpeg_scans(image)
        reduced = ";16" in str(image.tile) and not image.mode.startswith("I")
        image.load()
        has_alpha, palette = image.has_transparency_data, _palette(image)
        values = _convert_by_bands(image, lambda band: _sample_values(band, image))
        alpha = _convert_by_bands(image, _opacity) if has_alpha else None
        orient = _NUMPY_TRANSPOSE[exif_transpose(image)]
        file_format = image.format or ""
    return Samples(orient(values), None if alpha is None else orient(alpha), palette, file_format, reduced)


def _opacity(band: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(band.convert("RGBA").getchannel("A"))


def _palette(image: Image.Image) -> NDArray[np.uint8] | None:
    """Return 256 colors, (256, 3), since a file may have fewer entries than indices; None without a palette."""
    if image.mode not in ("P", "PA"):
        return None
    entries = np.array(image.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
    return np.concatenate([entries, np.zeros((256 - len(entries), 3), np.uint8)])


def _sample_values(band: Image.Image, source: ImageFile.ImageFile) -> NDArray[Any]:
    """Return gray levels, palette indices or colors."""
    if band.mode.startswith("I;16"):
        return _16_bit_levels(np.asarray(band), source)
    if band.mode == "1":
        return np.asarray(band).astype(np.uint8)
    if band.mode in ("P", "L", "I", "F", "RGB"):
        return np.asarray(band)
    if band.mode in ("PA", "LA", "La"):
        return np.asarray(band.getchannel(0))
    return np.asarray(band.convert("RGB"))


class _JpegScale(NamedTuple):
    """Full height and width of a JPEG, and the height and width in decoded pixels, whose last may be partly covered."""

    full_size: tuple[int, int]
    extent: tuple[float, float]


def _draft(image: ImageFile.ImageFile, max_short_side: int) -> _JpegScale | None:
    """Set a JPEG to decode at 1/2, 1/4 or 1/8 of its size, at least twice ``max_short_side``; None for others."""
    width, height = image.size
    drafted = image.draft(None, (2 * max_short_side, 2 * max_short_side))
    return None if drafted is None else _JpegScale((height, width), (drafted[1][3], drafted[1][2]))


def downsample(
    pixels: npt.NDArray[np.uint8], max_short_side: int | None, jpeg_scale: _JpegScale | None = None
) -> npt.NDArray[np.uint8]:
    """Downsample an RGB image to a shorter side of at most this many pixels; None: the full size."""
    full = pixels.shape[:2] if jpeg_scale is None else jpeg_scale.full_size
    if max_short_side is None or min(full) <= max_short_side:
        return pixels
    size = (
        max(1, round(full[0] * max_short_side / min(full))),
        max(1, round(full[1] * max_short_side / min(full))),
    )
    return resize(pixels, size, extent=None if jpeg_scale is None else jpeg_scale.extent)


@contextmanager
def _open_image(file: Path | bytes) -> Iterator[ImageFile.ImageFile]:
    """Open an image file within the limits, and convert any decoder error in the block to ``ImageError``."""
    try:
        # Given a stream instead of a name, Pillow does not memory-map a file that may shrink in the meantime.
        with (
            suppress_pillow_warnings(),
            _open_stream(file) as (stream, num_bytes),
            Image.open(stream, formats=FORMATS) as image,
        ):
            check_header(image, num_bytes)
            yield image
    except DECODER_ERRORS as error:
        raise unusable_image(file, error) from error


@contextmanager
def _open_stream(file: Path | bytes) -> Iterator[tuple[IO[bytes], int]]:
    """Open a file, or its content, within the limits; yield the stream and its number of bytes."""
    if isinstance(file, bytes):
        check_num_bytes(len(file))
        yield BytesIO(file), len(file)
        return
    status = Path(file).stat()
    check_file(status)
    with Path(file).open("rb") as stream:
        yield stream, status.st_size


def unusable_image(source: object, error: BaseException) -> ImageError:
    """Return the error about an image that cannot be decoded, with the name of the file."""
    name = source if isinstance(source, Path | str) else "The image in memory"
    return ImageError(f"{name} is not a usable image: {_describe_error(error, source)}")


def _describe_error(error: BaseException, source: object) -> str:
    if isinstance(error, UnidentifiedImageError):
        name = _other_format(source)
        reason = f"it is none of {', '.join(FORMATS)}, or its header is damaged"
        return conversion_hint(name) if name else reason
    if isinstance(error, MemoryError):
        return "it does not fit in memory"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _other_format(source: object) -> str:
    """Return the name of a format that is not read, from the content or else the name of a file."""
    if isinstance(source, bytes):
        return other_format_of_content(source[:SIGNATURE_BYTES])
    path = Path(str(source))
    try:
        with path.open("rb") as stream:
            head = stream.read(SIGNATURE_BYTES)
    except OSError:
        return ""
    return other_format_of_content(head) or other_format_of_name(path.name)
