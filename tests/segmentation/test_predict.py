"""Mask prediction: size and position, existing files, and errors."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.core.errors import DataError, ImageError
from lesionlens.imaging.masks import read_mask, write_mask
from lesionlens.segmentation import predict as module
from lesionlens.segmentation.models import LoadedSegmentationModel
from lesionlens.segmentation.predict import predict_masks, segment_images


def write_square(path: Path, *, size: tuple[int, int] = (64, 96), left: int = 24) -> np.ndarray:
    """Write a dark square on white, and return its mask."""
    mask = np.zeros(size, bool)
    mask[16:48, left : left + 32] = True
    Image.fromarray(np.where(mask[..., None], 0, 255).repeat(3, 2).astype(np.uint8)).save(path)
    return mask


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, dark: LoadedSegmentationModel) -> LoadedSegmentationModel:
    """Replace every saved model by the network of dark pixels."""
    monkeypatch.setattr(module, "load_segmentation_model", lambda *_, **__: dark)
    return dark


def test_mask_has_size_and_position_of_its_image(tmp_path: Path, dark: LoadedSegmentationModel) -> None:
    """Inputs are a half and a quarter of these sizes; edges are on the pixel grid."""
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    true = [
        write_square(paths[0]),
        write_square(paths[1], left=40),
        write_square(paths[2], size=(128, 192), left=64),
    ]
    for mask, expected in zip(predict_masks(dark, paths, largest_only=True, batch_size=2), true, strict=True):
        assert isinstance(mask, np.ndarray)
        assert mask.shape == expected.shape
        assert (mask & expected).sum() / (mask | expected).sum() > 0.93


def test_unreadable_image_is_reported_in_order(tmp_path: Path, dark: LoadedSegmentationModel) -> None:
    paths = [tmp_path / name for name in ("a.png", "b.png", "c.png")]
    write_square(paths[0])
    paths[1].write_bytes(b"no image")
    write_square(paths[2])
    kinds = [type(mask) for mask in predict_masks(dark, paths, largest_only=True)]
    assert kinds == [np.ndarray, ImageError, np.ndarray]


def test_largest_only_keeps_one_component(tmp_path: Path, dark: LoadedSegmentationModel) -> None:
    pixels = np.full((32, 48, 3), 255, np.uint8)
    pixels[4:20, 4:20] = pixels[24:28, 40:44] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    raw, tidy = (
        next(predict_masks(dark, [tmp_path / "a.png"], largest_only=largest)) for largest in (False, True)
    )
    assert [int(np.sum(raw)), int(np.sum(tidy))] == [16 * 16 + 4 * 4, 16 * 16]


@pytest.mark.usefixtures("network")
def test_probabilities_are_those_of_the_logits(tmp_path: Path) -> None:
    """A logit is 0.5 minus the gray level; thresholded at 0.5, the probabilities are the binary masks."""
    ramp = np.repeat(np.linspace(0, 255, 48).astype(np.uint8)[None, :, None], 32, axis=0).repeat(3, axis=2)
    Image.fromarray(ramp).save(tmp_path / "a.png")
    segment_images(tmp_path, [tmp_path / "a.png"], tmp_path / "p", probabilities=True)
    segment_images(tmp_path, [tmp_path / "a.png"], tmp_path / "b", largest_only=False)
    written = np.asarray(Image.open(tmp_path / "p" / "a_segmentation.png"))
    expected = 255 / (1 + np.exp(ramp[..., 0] / 255 - 0.5))
    np.testing.assert_allclose(written, expected, atol=0.51)
    assert len(np.unique(written)) > 16
    masks = [read_mask(tmp_path / name / "a_segmentation.png") for name in ("p", "b")]
    np.testing.assert_array_equal(*masks)
    with pytest.raises(DataError, match="no largest component"):
        segment_images(tmp_path, [tmp_path / "a.png"], tmp_path / "c", probabilities=True, largest_only=True)


@pytest.mark.usefixtures("network")
def test_existing_masks_are_skipped_or_overwritten(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_square(tmp_path / "in" / "a.png")
    write_square(tmp_path / "in" / "b.png")
    (tmp_path / "in" / "c.jpg").write_bytes(b"")
    out = tmp_path / "out"
    done = segment_images("bundle", [tmp_path / "in"], out)
    assert (done.written, done.skipped, len(done.failures)) == (2, 0, 1)
    assert "c.jpg" in done.failures[0]
    write_mask(out / "a_segmentation.png", np.zeros((64, 96), bool))
    (out / "b_segmentation.png").unlink()
    calls: list[tuple[int, int]] = []
    again = segment_images("bundle", [tmp_path / "in"], out, on_progress=lambda *at: calls.append(at))
    assert (again.written, again.skipped) == (1, 1)
    assert calls[-1] == (3, 3)
    assert not read_mask(out / "a_segmentation.png").any()
    assert segment_images("bundle", [tmp_path / "in"], out, overwrite=True).written == 2
    assert read_mask(out / "a_segmentation.png").any()


def test_masks_of_two_models_are_not_mixed(tmp_path: Path, network: LoadedSegmentationModel) -> None:
    write_square(tmp_path / "a.png")
    segment_images("bundle", [tmp_path / "a.png"], tmp_path / "out")
    with pytest.raises(DataError, match="another model or other options"):
        segment_images("bundle", [tmp_path / "a.png"], tmp_path / "out", largest_only=False)
    (tmp_path / "true").mkdir()
    write_mask(tmp_path / "true" / "a_segmentation.png", np.ones((64, 96), bool))
    with pytest.raises(DataError, match="another model or other options"):
        segment_images("bundle", [tmp_path / "a.png"], tmp_path / "true")
    assert read_mask(tmp_path / "true" / "a_segmentation.png").all()


def test_memory_does_not_grow_with_the_number_of_images(
    tmp_path: Path, dark: LoadedSegmentationModel
) -> None:
    write_square(tmp_path / "a.png", size=(400, 600))

    def peak(images: int) -> int:
        tracemalloc.start()
        for _ in predict_masks(dark, [tmp_path / "a.png"] * images, largest_only=False, batch_size=2):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(2)
    assert peak(40) < 1.2 * peak(4)


def test_id_that_is_not_a_file_name_raises(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="without slashes"):
        module._mask_paths(["../a"], tmp_path)


@pytest.mark.usefixtures("network")
def test_folder_with_masks_of_another_model_is_rejected(tmp_path: Path) -> None:
    out = tmp_path / "out"
    for name in "ab":
        write_square(tmp_path / f"{name}.png")
    segment_images("bundle", [tmp_path / "a.png"], out)
    for overwrite in (False, True):  # the mask of a would remain
        with pytest.raises(DataError, match="Choose another folder"):
            segment_images("bundle", [tmp_path / "b.png"], out, largest_only=False, overwrite=overwrite)
    assert [file.name for file in out.glob("*.png")] == ["a_segmentation.png"]
    assert segment_images("bundle", [tmp_path / "b.png"], out).written == 1


@pytest.mark.usefixtures("network")
def test_interrupted_overwrite_leaves_masks_of_one_model(tmp_path: Path) -> None:
    out, images = tmp_path / "out", [tmp_path / "a.png", tmp_path / "b.png"]
    for image in images:
        write_square(image)
    segment_images("bundle", images, out)

    def stop(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segment_images("bundle", images, out, largest_only=False, overwrite=True, on_progress=stop)
    again = segment_images("bundle", images, out, largest_only=False)
    assert (again.written, again.skipped) == (1, 1)
