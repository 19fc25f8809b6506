"""Whatever mode an image was stored in, grey to CMYK: RGB of 8 bits, and the turn that sets it upright."""

import struct
import zlib

import numpy as np
from PIL import Image, ImageFile

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
