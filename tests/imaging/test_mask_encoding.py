"""Which pixels of a mask are inside, for the encodings that annotation tools write."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from lesionlens.core.errors import DataError
from lesionlens.imaging.masks import read_mask

HEIGHT, WIDTH = 60, 80
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
LESION = ((COLUMNS - 40) / 26) ** 2 + ((ROWS - 30) / 20) ** 2 < 1
CLASSES = LESION.astype(np.uint8) + (LESION & (ROWS > 34))  # a third class inside the lesion
VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]
Write = Callable[[Path], Path]


def levels(*values: int, dtype: type = np.uint8) -> Image.Image:
    return Image.fromarray(np.array(values, dtype)[CLASSES if len(values) == 3 else LESION.astype(int)])


def colors(*values: tuple[int, ...]) -> Image.Image:
    return levels_of(np.array(values, np.uint8)[CLASSES if len(values) == 3 else LESION.astype(int)])


def levels_of(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels)


def palette(indices: np.ndarray, entries: list[tuple[int, int, int]]) -> Image.Image:
    image = Image.new("P", (WIDTH, HEIGHT))
    image.putdata(indices.ravel().tolist())
    image.putpalette([channel for entry in entries for channel in entry])
    return image


INDEX = LESION.astype(np.uint8)
SOFT = levels(0, 255).filter(ImageFilter.GaussianBlur(1.5))
WHITE, GRAY_ALPHA = Image.new("L", (WIDTH, HEIGHT), 255), levels(0, 255)

DECIDED: dict[str, tuple[Image.Image, str, dict[str, object]]] = {
    "0 and 255": (levels(0, 255), "png", {}),
    "0 and 1": (levels(0, 1), "png", {}),
    "0 and 2": (levels(0, 2), "png", {}),
    "0 and 127": (levels(0, 127), "png", {}),
    "0 and 128": (levels(0, 128), "png", {}),
    "1 and 2": (levels(1, 2), "png", {}),
    "1 bit": (levels_of(LESION), "png", {}),
    "1 bit BMP": (levels_of(LESION), "bmp", {}),
    "fax TIFF": (levels_of(LESION), "tiff", {"compression": "group4"}),
    "16 bits": (levels(0, 65535, dtype=np.uint16), "png", {}),
    "16 bits, 0 and 1": (levels(0, 1, dtype=np.uint16), "tiff", {}),
    "16 bits, 0 and 255": (levels(0, 255, dtype=np.uint16), "png", {}),
    "32 bits": (levels(0, 1, dtype=np.int32), "tiff", {}),
    "float": (levels(0, 1, dtype=np.float32), "tiff", {}),
    "soft float": (levels_of(np.asarray(SOFT, np.float32) / 255), "tiff", {}),
    "dust": (levels_of(np.where((ROWS + 7 * COLUMNS) % 31 == 0, INDEX * 254 + 1, INDEX * 255)), "png", {}),
    "soft edge": (SOFT, "png", {}),
    "soft edge, 16 bits": (levels_of(np.asarray(SOFT, np.uint16) * 257), "png", {}),
    "JPEG": (levels(0, 255), "jpg", {"quality": 60}),
    "color JPEG": (levels(0, 255).convert("RGB"), "jpg", {}),
    "lossy WebP": (levels(0, 255), "webp", {}),
    "red on black": (colors((0, 0, 0), (255, 0, 0)), "png", {}),
    "dark red on black": (colors((0, 0, 0), (128, 0, 0)), "png", {}),
    "red on black JPEG": (colors((0, 0, 0), (255, 0, 0)), "jpg", {"quality": 95, "subsampling": 0}),
    "color map of plots": (colors((68, 1, 84), (253, 231, 37)), "png", {}),
    "white on transparent black": (colors((0, 0, 0, 0), (255, 255, 255, 255)), "png", {}),
    "white on transparent white": (colors((255, 255, 255, 0), (255, 255, 255, 255)), "png", {}),
    "black on transparent": (colors((255, 255, 255, 0), (0, 0, 0, 255)), "png", {}),
    "half-transparent overlay": (colors((0, 0, 0, 0), (255, 0, 0, 100)), "png", {}),
    "opaque alpha": (colors((0, 0, 0, 255), (255, 255, 255, 255)), "png", {}),
    "gray and alpha": (Image.merge("LA", (WHITE, GRAY_ALPHA)), "png", {}),
    "transparent WebP": (colors((0, 0, 0, 0), (255, 255, 255, 255)), "webp", {}),
    "VOC palette": (palette(INDEX, VOC), "png", {}),
    "VOC palette, second class": (palette(2 * INDEX, VOC), "png", {}),
    "gray palette": (palette(INDEX, [(0, 0, 0), (255, 255, 255)]), "png", {}),
    "gray palette, white first": (palette(1 - INDEX, [(255, 255, 255), (0, 0, 0)]), "png", {}),
    "palette of one color": (palette(INDEX, [(0, 0, 0), (0, 0, 0)]), "png", {}),
    "transparent palette entry": (
        palette(INDEX, [(255, 255, 255), (255, 0, 0)]),
        "png",
        {"transparency": 0},
    ),
}


@pytest.mark.parametrize("kind", DECIDED)
def test_lesion_pixels_of_usual_encodings(tmp_path: Path, kind: str) -> None:
    image, suffix, options = DECIDED[kind]
    image.save(tmp_path / f"m.{suffix}", **options)
    mask = read_mask(tmp_path / f"m.{suffix}")
    union = np.count_nonzero(mask | LESION)
    assert np.count_nonzero(mask & LESION) / union > 0.97
    assert ("soft" in kind or suffix in ("jpg", "webp")) or (mask == LESION).all()


RANDOM = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
AMBIGUOUS: dict[str, tuple[Image.Image, str, str]] = {
    "three class numbers": (levels(0, 1, 2), "png", "values from 0 to 2 may be class numbers"),
    "three gray levels": (levels(0, 255, 128), "png", "a third area, of gray level 128"),
    "three gray levels in JPEG": (levels(0, 255, 128), "jpg", "a third area, of gray level 12"),
    "class numbers in JPEG": (levels(0, 1), "jpg", "may be class numbers"),
    "two class numbers and 255": (levels(0, 1, 255), "png", "values 0, 1 and 255 may be numbers of classes"),
    "a class in a frame of 255": (
        levels_of(np.where(ROWS < 3, 255, INDEX).astype(np.uint8)),
        "png",
        "values 0, 1 and 255 may be",
    ),
    "16 bits, class numbers": (levels(0, 300, 65535, dtype=np.uint16), "png", "values 0, 1 and 255 may be"),
    "two colors on black": (colors((0, 0, 0), (255, 0, 0), (0, 255, 0)), "png", "several colors"),
    "two colors in JPEG": (colors((0, 0, 0), (255, 0, 0), (0, 255, 0)), "jpg", "several colors"),
    "red on white": (colors((255, 255, 255), (255, 0, 0)), "png", "none is a dark ground"),
    "blue on white": (colors((255, 255, 255), (0, 0, 255)), "png", "#0000ff and #ffffff: none is"),
    "red on white palette": (
        palette(INDEX, [(255, 255, 255), (255, 0, 0)]),
        "png",
        "entry 0 is not a dark ground",
    ),
    "two classes without ground": (palette(INDEX + 1, VOC), "png", "palette entry 1 is not a dark ground"),
    "photograph": (levels_of(RANDOM), "png", "as in a photograph"),
    "gray photograph": (levels_of(RANDOM[..., 0]).filter(ImageFilter.GaussianBlur(1)), "jpg", "photograph"),
    "constant": (Image.new("L", (9, 9), 7), "png", "every pixel has the value 7"),
    "constant color": (Image.new("RGB", (9, 9), (200, 0, 0)), "png", "the color #c80000"),
    "not a number": (levels_of(np.where(LESION, np.nan, 0).astype(np.float32)), "tiff", "not finite"),
    "hidden by alpha": (colors((0, 0, 0, 0), (255, 255, 255, 0)), "png", "every pixel is transparent"),
}


@pytest.mark.parametrize("kind", AMBIGUOUS)
def test_lesion_pixels_reject_ambiguous_content(tmp_path: Path, kind: str) -> None:
    image, suffix, reason = AMBIGUOUS[kind]
    image.save(tmp_path / f"m.{suffix}")
    with pytest.raises(DataError, match=rf"m\.{suffix} is ambiguous: .*{reason}.*Save it with 0 outside"):
        read_mask(tmp_path / f"m.{suffix}")


@pytest.mark.parametrize(("value", "full"), [(0, False), (1, True), (255, True)])
def test_lesion_pixels_of_constant_masks(tmp_path: Path, value: int, full: bool) -> None:
    Image.new("L", (9, 9), value).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png") == full).all()


def test_lesion_pixels_reject_lost_16_bit_color(tmp_path: Path) -> None:
    """The decoder reads the upper 8 of 16 bits of color, in which 0 and 1 are equal."""
    import cv2

    cv2.imwrite(str(tmp_path / "m.png"), np.repeat(LESION[..., None], 3, axis=2).astype(np.uint16))
    with pytest.raises(DataError, match="16 bits per channel"):
        read_mask(tmp_path / "m.png")


@pytest.mark.parametrize("kind", ["0 and 1", "1 and 2", "JPEG", "VOC palette", "white on transparent white"])
def test_structure_pixels_of_usual_encodings(tmp_path: Path, kind: str) -> None:
    image, suffix, options = DECIDED[kind]
    image.save(tmp_path / f"m.{suffix}", **options)
    assert (read_mask(tmp_path / f"m.{suffix}", nonzero=True) == LESION).all()


def test_structure_pixels_of_one_bit_per_structure(tmp_path: Path) -> None:
    levels(0, 1, 4096, dtype=np.uint16).save(tmp_path / "m.png")
    assert (read_mask(tmp_path / "m.png", nonzero=True) == LESION).all()
    levels(3, 5, 9).save(tmp_path / "n.png")
    with pytest.raises(DataError, match="none is 0"):
        read_mask(tmp_path / "n.png", nonzero=True)
