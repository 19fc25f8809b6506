"""Images in memory: the same pixels as from their files."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from lesionlens.core.errors import ImageError
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.sources import as_image_list, content_digest, read_image

from ..helpers.images import textured_image

ORIENTATION = 0x0112
ENCODINGS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "jpg": ("RGB", "jpg", {"quality": 90}),
    "gray jpg": ("L", "jpg", {}),
    "cmyk jpg": ("CMYK", "jpg", {}),
    "png": ("RGB", "png", {}),
    "palette": ("P", "png", {}),
    "transparent": ("RGBA", "png", {}),
    "16 bits": ("I;16", "png", {}),
    "tiff": ("RGB", "tiff", {}),
    "webp": ("RGB", "webp", {"lossless": True}),
    "bmp": ("RGB", "bmp", {}),
}


def write(folder: Path, name: str, *, orientation: int = 1) -> Path:
    """Write an image of 160 × 120 pixels in an encoding."""
    mode, suffix, options = ENCODINGS[name]
    image = textured_image(160, 120)
    image = (
        Image.fromarray(257 * np.asarray(image.convert("L")).astype(np.uint16))
        if mode == "I;16"
        else image.convert(mode)
    )
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    path = folder / f"a.{suffix}"
    image.save(path, **options, **({} if suffix == "bmp" else {"exif": exif}))
    return path


@pytest.mark.parametrize("max_short_side", [None, 31])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("name", ENCODINGS)
def test_pixels_do_not_depend_on_the_kind_of_source(
    tmp_path: Path, name: str, orientation: int, max_short_side: int | None
) -> None:
    path = write(tmp_path, name, orientation=orientation)
    expected = read_rgb(path, max_short_side=max_short_side)
    opened = Image.open(path)
    sources = {"text": os.fspath(path), "bytes": path.read_bytes(), "Pillow": opened, "array": read_rgb(path)}
    if name in ("jpg", "png"):
        sources["user's array"] = np.asarray(ImageOps.exif_transpose(Image.open(path)))
    for kind, source in sources.items():
        actual = read_image(source, max_short_side=max_short_side)
        np.testing.assert_array_equal(actual, expected, err_msg=kind)
        assert (actual.dtype, actual.flags.c_contiguous) == (np.uint8, True)


def test_large_jpeg_has_the_pixels_of_its_array(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    textured_image(400, 300).save(path)
    pixels = np.asarray(Image.open(path))
    np.testing.assert_array_equal(read_image(path, max_short_side=30), read_image(pixels, max_short_side=30))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((4, 5), np.uint8),
        np.zeros((4, 5, 4), np.uint8),
        np.zeros((4, 5, 3)),
        np.zeros((0, 5, 3), np.uint8),
        np.zeros((2, 4, 5, 3), np.uint8),
    ],
    ids=lambda array: f"{array.shape} {array.dtype}",
)
def test_arrays_of_other_shapes_and_types_are_rejected(array: Any) -> None:
    with pytest.raises(ImageError, match=r"\(height, width, 3\) and the type uint8"):
        read_image(array)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"text", "it is none of JPEG, PNG"),
        (b"\x00\x00\x00\x20ftypheic" + bytes(40), "HEIC"),
    ],
    ids=["empty", "text", "heic"],
)
def test_other_content_is_rejected(content: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=f"The image in memory is not a usable image: .*{reason}"):
        read_image(content)


def test_damaged_image_of_pillow_is_rejected() -> None:
    stream = io.BytesIO()
    textured_image().save(stream, "PNG")
    opened = Image.open(io.BytesIO(stream.getvalue()[:2000]))
    with pytest.raises(ImageError, match="The image in memory is not a usable image"):
        read_image(opened)
    assert content_digest(opened) == "none"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 5, 3), np.uint8), r"shape \(4, 5, 3\); pass a list"),
        (b"jpeg", "type bytes; pass a list"),
        ({"a.jpg": 1}, "type dict, not a list"),
        ([3], "contains an object of type int, which is not an image"),
    ],
    ids=["array", "bytes", "dictionary", "number"],
)
def test_anything_but_a_list_is_rejected(images: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        as_image_list(images, "images")


def test_digest_tells_images_apart() -> None:
    pixels = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    sources = [
        pixels,
        pixels.reshape(5, 4, 3),
        pixels + np.uint8(1),
        Image.fromarray(pixels),
        pixels.tobytes(),
    ]
    assert len({content_digest(source) for source in sources}) == len(sources)
    assert content_digest(pixels) == content_digest(pixels.copy())
