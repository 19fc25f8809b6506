"""Limits on image files, checked before decoding, so that time and memory per image are bounded.

At the limits, an image takes 0.9 GiB of memory, a mask 1.3 GiB (and the size of a JPEG file twice), and both up to 7
seconds of one core. Damaged or malicious files of a few kilobytes can ask for far more.
"""

import os
import stat

from PIL import ImageFile
from PIL.JpegImagePlugin import JpegImageFile

# Enough for a 102-megapixel medium-format photograph, the largest of any camera in use.
MAX_PIXELS = 120_000_000
MAX_WEBP_PIXELS = 50_000_000  # its decoder holds four copies of the image
MAX_SIDE = 65_535  # the longest side of a JPEG
# More than such a photograph takes uncompressed at 8 bits per channel.
MAX_BYTES = 512 * 2**20
MAX_RLE_BYTES = 8 * 2**20  # of a run-length encoded BMP, which Pillow decodes in Python at 2.5 MB per second
# Pixels times scans of a JPEG: 20 scans of 120 megapixels; progressive files have about ten.
MAX_SCAN_PIXELS = 2_500_000_000
_TILE_WIDTH, _TILE_LENGTH = 322, 323
_START_OF_SCAN = b"\xff\xda"


def check_file(status: os.stat_result) -> None:
    """Check that a file is regular, not empty and not too large.

    Raises
    ------
    ValueError
        It is not; the message is a phrase for the user.
    """
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is a folder or a device, not a file")
    check_num_bytes(status.st_size)


def check_num_bytes(num_bytes: int) -> None:
    """Check that a file is not empty and not too large.

    Raises
    ------
    ValueError
        It is; the message is a phrase for the user.
    """
    if num_bytes == 0:
        raise ValueError("the file is empty")
    if num_bytes > MAX_BYTES:
        raise ValueError(f"{num_bytes / 2**20:,.0f} MiB; at most {MAX_BYTES // 2**20} MiB are allowed")


def check_header(image: ImageFile.ImageFile, num_bytes: int) -> None:
    """Check the size of an opened image before decoding; a tile of a TIFF may be far larger than the image.

    Raises
    ------
    ValueError
        A limit is exceeded.
    """
    tags = getattr(image, "tag_v2", {})
    tile = int(tags.get(_TILE_WIDTH, 0)), int(tags.get(_TILE_LENGTH, 0))
    limit = MAX_WEBP_PIXELS if image.format == "WEBP" else MAX_PIXELS
    for width, height in (image.size, tile):
        if width * height > limit:
            raise ValueError(f"it has {width:,} × {height:,} pixels; at most {limit:,} are allowed")
        if max(width, height) > MAX_SIDE:
            raise ValueError(f"it has {width:,} × {height:,} pixels; a side may have at most {MAX_SIDE:,}")
    if image.tile and image.tile[0][0] == "bmp_rle" and num_bytes > MAX_RLE_BYTES:
        raise ValueError(f"run-length encoded BMP files may have at most {MAX_RLE_BYTES // 2**20} MiB")


def check_jpeg_scans(image: ImageFile.ImageFile) -> None:
    """Check the number of scans of a JPEG, each of which is decoded for the full image; other formats have none.

    Raises
    ------
    ValueError
        There are too many scans for the size of the image.
    """
    if not isinstance(image, JpegImageFile) or image.fp is None:
        return
    image.fp.seek(0)
    scans = image.fp.read().count(_START_OF_SCAN)
    if scans * image.width * image.height > MAX_SCAN_PIXELS:
        raise ValueError(
            f"it has {scans:,} scans of {image.width:,} × {image.height:,} pixels; save it again"
        )
