"""Decoding: color modes, bit depths, EXIF orientations and reduced sizes, against Pillow."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import ImageError
from lesionlens.imaging import decode
from lesionlens.imaging.decode import decode_jpeg, read_rgb

from ..helpers.images import textured_image

RAMP = np.linspace(0, 255, 40 * 30).reshape(30, 40).astype(np.uint8)
COLOR = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 90)], axis=-1)
ORIENTATION = 274


def _save(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp"])
def test_lossless_color_is_exact(tmp_path: Path, suffix: str) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = _save(tmp_path / f"a.{suffix}", Image.fromarray(COLOR), **options)
    read = read_rgb(path)
    np.testing.assert_array_equal(read, COLOR)
    assert (read.dtype, read.flags.c_contiguous, read.flags.writeable) == (np.uint8, True, True)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp", "tiff"])
def test_gray_becomes_three_equal_channels(tmp_path: Path, suffix: str) -> None:
    read = read_rgb(_save(tmp_path / f"a.{suffix}", Image.fromarray(RAMP)))
    assert read.shape == (30, 40, 3)
    np.testing.assert_array_equal(read[..., 0], read[..., 2])
    np.testing.assert_allclose(read[..., 0], RAMP, atol=3)


def test_16_bits_are_scaled_and_not_clipped(tmp_path: Path) -> None:
    deep = RAMP.astype(np.uint16) * 257
    for suffix in ("png", "tiff"):
        read = read_rgb(_save(tmp_path / f"a.{suffix}", Image.fromarray(deep)))
        np.testing.assert_array_equal(read[..., 1], RAMP)
    big_endian = Image.frombytes("I;16B", (40, 30), deep.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_rgb(_save(tmp_path / "b.tiff", big_endian))[..., 1], RAMP)


def test_16_bit_tiff_with_white_as_zero_is_inverted(tmp_path: Path) -> None:
    deep = Image.fromarray((255 - RAMP).astype(np.uint16) * 257)
    path = _save(tmp_path / "a.tiff", deep, tiffinfo={262: 0})
    with Image.open(path) as stored:
        assert stored.tag_v2[262] == 0
    np.testing.assert_array_equal(read_rgb(path)[..., 0], RAMP)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_samples_of_32_bits_are_rejected(tmp_path: Path, mode: str) -> None:
    path = _save(tmp_path / "a.tiff", Image.fromarray(RAMP).convert(mode))
    with pytest.raises(ImageError, match="32-bit samples have no defined range"):
        read_rgb(path)


def test_palette_and_one_bit(tmp_path: Path) -> None:
    flat = np.zeros((8, 8, 3), np.uint8)
    flat[:, 4:] = (200, 30, 40)
    palette = Image.fromarray(flat).convert("P", palette=Image.Palette.ADAPTIVE)
    np.testing.assert_array_equal(read_rgb(_save(tmp_path / "p.png", palette)), flat)
    bits = Image.fromarray(flat[..., 0]).convert("1", dither=Image.Dither.NONE)
    assert set(np.unique(read_rgb(_save(tmp_path / "1.png", bits)))) == {0, 255}


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_pixels_are_composited_on_white(tmp_path: Path, mode: str) -> None:
    clear = Image.new(mode, (4, 2), 0)
    clear.paste(Image.new(mode, (2, 2), (10, 255) if mode == "LA" else (10, 10, 10, 255)))
    read = read_rgb(_save(tmp_path / "a.png", clear))
    assert read[0, :, 0].tolist() == [10, 10, 255, 255]


def test_transparent_palette_entries_are_composited_on_white(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([5, 5, 5, 9, 9, 9])
    palette.putpixel((1, 0), 1)
    for number, transparency in enumerate((1, bytes([255, 0]))):
        path = _save(tmp_path / f"{number}.png", palette, transparency=transparency)
        assert read_rgb(path)[0, :, 0].tolist() == [5, 255]


def test_cmyk_is_converted_and_not_inverted(tmp_path: Path) -> None:
    for suffix in ("jpg", "tiff"):
        red = Image.new("RGB", (16, 16), (220, 20, 20)).convert("CMYK")
        read = read_rgb(_save(tmp_path / f"a.{suffix}", red))
        np.testing.assert_allclose(read[8, 8], (220, 20, 20), atol=8)


UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a.transpose(1, 0, 2), 2),
    8: np.rot90,
}


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp", "jpg"])
@pytest.mark.parametrize("orientation", sorted(UPRIGHT))
def test_all_eight_exif_orientations_are_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    options = {"lossless": True} if suffix == "webp" else {"quality": 100} if suffix == "jpg" else {}
    path = _save(tmp_path / f"a.{suffix}", Image.fromarray(COLOR), exif=exif, **options)
    expected = UPRIGHT[orientation](COLOR)
    read = read_rgb(path)
    np.testing.assert_allclose(read, expected, atol=12 if suffix == "jpg" else 0)
    small = read_rgb(path, max_short_side=15, draft=True)
    assert small.shape == ((20, 15, 3) if expected.shape[0] > expected.shape[1] else (15, 20, 3))
    assert small.flags.c_contiguous


def test_image_with_damaged_exif_is_decoded(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", Image.fromarray(COLOR), exif=b"Exif\x00\x00MM\x00*\xff\xff\xff\xff")
    np.testing.assert_array_equal(read_rgb(path), COLOR)


@pytest.mark.parametrize(("size", "target"), [((640, 480), 60), ((641, 481), 60), ((481, 641), 97)])
def test_scaled_decoding_is_close_to_full_decoding(
    tmp_path: Path, size: tuple[int, int], target: int
) -> None:
    smooth = Image.fromarray(COLOR).resize(size, Image.Resampling.BICUBIC)
    jpeg = _save(tmp_path / "a.jpg", smooth, quality=95)
    scaled = read_rgb(jpeg, max_short_side=target, draft=True)
    scale = target / min(size)
    expected = (round(size[0] * scale), round(size[1] * scale))
    assert scaled.shape == (expected[1], expected[0], 3)
    reference = Image.fromarray(read_rgb(jpeg)).resize(expected, Image.Resampling.BILINEAR)
    assert np.abs(scaled.astype(int) - np.asarray(reference)).mean() < 1.0


def test_scaled_decoding_keeps_at_least_twice_the_target(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.jpg", Image.new("RGB", (640, 480)))
    with Image.open(path) as image:
        drafted = decode._draft(image, 60)
        assert drafted is not None
        assert drafted == ((480, 640), (120, 160))
        assert image.size == (160, 120)


def test_small_images_are_never_enlarged(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", Image.fromarray(COLOR))
    assert read_rgb(path, max_short_side=30).shape == read_rgb(path, max_short_side=500).shape == (30, 40, 3)
    with pytest.raises(ValueError, match="must be 1 or more"):
        read_rgb(path, max_short_side=0)


def test_first_of_several_frames_is_decoded(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 6), color) for color in ("white", "black")]
    for suffix in ("tiff", "png", "webp"):
        path = _save(tmp_path / f"a.{suffix}", frames[0], save_all=True, append_images=frames[1:])
        assert read_rgb(path).min() == 255


def encoded(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    textured_image().convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


ORDINARY = {
    "4:2:0": encoded(subsampling=2),
    "4:2:2": encoded(subsampling=1),
    "4:4:4": encoded(subsampling=0, quality=95),
    "gray": encoded("L"),
    "progressive": encoded(progressive=True),
    "stored as RGB": encoded(keep_rgb=True),
}


@pytest.mark.parametrize("kind", ORDINARY)
@pytest.mark.parametrize("target", [None, 18, 9, 4])
def test_pixels_equal_those_of_pillow_at_every_scale(kind: str, target: int | None) -> None:
    with Image.open(io.BytesIO(ORDINARY[kind])) as image, Image.open(io.BytesIO(ORDINARY[kind])) as reference:
        for opened in (image, reference):
            if target is not None:
                opened.draft(None, (2 * target, 2 * target))
        actual, expected = decode_jpeg(image), np.asarray(reference.convert("RGB"))
    scale = {None: 1, 18: 2, 9: 4, 4: 8}[target]
    assert expected.shape == (-(-75 // scale), -(-101 // scale), 3)
    np.testing.assert_array_equal(actual, expected)


def test_second_image_in_the_file_is_ignored(tmp_path: Path) -> None:
    textured_image().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
        np.testing.assert_array_equal(decode_jpeg(image), np.asarray(image))


def test_unusual_jpegs_are_decoded_by_pillow(tmp_path: Path) -> None:
    textured_image().save(tmp_path / "a.png")
    textured_image().convert("CMYK").save(tmp_path / "a.jpg")
    for file in tmp_path.iterdir():
        with Image.open(file) as image:
            assert decode_jpeg(image) is None
            assert np.asarray(image.convert("RGB")).shape == (75, 101, 3)


def test_pillow_decodes_files_with_decoder_warnings(tmp_path: Path) -> None:
    valid, file = ORDINARY["4:2:0"], tmp_path / "a.jpg"
    half = len(valid) // 2
    damaged = valid[:half] + b"\xff\xd3\x00\x00" + valid[half:]  # an unexpected restart marker
    file.write_bytes(damaged)
    with Image.open(file) as image:
        assert decode_jpeg(image) is None
        expected = np.asarray(image)
    np.testing.assert_array_equal(read_rgb(file), expected)
    file.write_bytes(valid[:half])
    with pytest.raises(ImageError, match="truncated"):
        read_rgb(file)


def test_ordinary_jpegs_are_not_decoded_by_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(ORDINARY["4:2:0"])
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded by Pillow"))
    assert read_rgb(file, max_short_side=20).shape == (20, 27, 3)
