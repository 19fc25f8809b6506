"""JPEGs without Pillow's decoder: the same pixels, and whatever is odd goes back to Pillow."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.imaging import decode as images, decode as jpeg
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.decode import decode_jpeg
from lesionlens.core.errors import ImageError


def drawn(width: int = 101, height: int = 75) -> Image.Image:
    """Draw blots under noise."""
    rng = np.random.default_rng(0)
    blots = Image.fromarray(rng.integers(0, 256, (8, 11, 3), dtype=np.uint8)).resize((width, height))
    noise = rng.integers(-20, 21, (height, width, 3))
    return Image.fromarray(np.clip(np.asarray(blots) + noise, 0, 255).astype(np.uint8))


def encoded(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    drawn().convert(mode).save(stream, "JPEG", **options)
    return stream.getvalue()


ORDINARY = {
    "4:2:0": encoded(subsampling=2),
    "4:2:2": encoded(subsampling=1),
    "4:4:4": encoded(subsampling=0, quality=95),
    "grey": encoded("L"),
    "progressive": encoded(progressive=True),
    "stored as RGB": encoded(keep_rgb=True),
}


@pytest.mark.parametrize("kind", ORDINARY)
@pytest.mark.parametrize("target", [None, 18, 9, 4])
def test_pixels_are_pillows_at_every_scale(kind: str, target: int | None) -> None:
    with Image.open(io.BytesIO(ORDINARY[kind])) as image, Image.open(io.BytesIO(ORDINARY[kind])) as other:
        for each in (image, other):
            if target is not None:
                each.draft(None, (2 * target, 2 * target))
        found, wanted = decode_jpeg(image), np.asarray(other.convert("RGB"))
    scale = {None: 1, 18: 2, 9: 4, 4: 8}[target]
    assert wanted.shape == (-(-75 // scale), -(-101 // scale), 3)
    np.testing.assert_array_equal(found, wanted)


def test_a_second_picture_in_the_file_is_left_alone(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("RGB", (9, 9))])
    with Image.open(tmp_path / "a.jpg") as image:
        assert image.format == "MPO"
        np.testing.assert_array_equal(decode_jpeg(image), np.asarray(image))


def test_what_is_no_ordinary_jpeg_is_left_to_pillow(tmp_path: Path) -> None:
    drawn().save(tmp_path / "a.png")
    drawn().convert("CMYK").save(tmp_path / "a.jpg")
    for file in tmp_path.iterdir():
        with Image.open(file) as image:
            assert decode_jpeg(image) is None
            assert np.asarray(image.convert("RGB")).shape == (75, 101, 3)


def test_pillow_judges_what_the_decoder_complains_of(tmp_path: Path) -> None:
    whole, file = ORDINARY["4:2:0"], tmp_path / "a.jpg"
    damaged = (
        whole[: len(whole) // 2] + b"\xff\xd3\x00\x00" + whole[len(whole) // 2 :]
    )  # a restart nobody asked for
    file.write_bytes(damaged)
    with Image.open(file) as image:
        assert decode_jpeg(image) is None
        judged = np.asarray(image)  # what the decoder can make of it
    np.testing.assert_array_equal(read_rgb(file), judged)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageError, match="truncated"):
        read_rgb(file)


def test_ordinary_files_never_reach_pillows_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.jpg"
    file.write_bytes(ORDINARY["4:2:0"])
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("decoded by Pillow"))
    assert read_rgb(file, max_short_side=20).shape == (20, 27, 3)
    assert images.decode_jpeg is jpeg.decode_jpeg
