"""Visits of training: one crop of an image, or all of them cut from one augmented image."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lesionlens.data.augmentation import Augmentation
from lesionlens.data.datamodule import EvalDataset, LesionDataModule, channel_statistics
from lesionlens.data.dataset import SplitData, TrainDataset
from lesionlens.data.mask_store import MaskStore, compress_mask
from lesionlens.data.sampler import EpochSampler, SampleIndex
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import Preprocessing

from ..helpers.image_cache import InMemoryImages

STILL = {"horizontal_flip": 0.0, "vertical_flip": 0.0}
MIRRORED = [1, 0, 3, 2, 4]  # which of the five crops lies at a crop's place when the image is mirrored


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Six images in which ordered crops have 224 px."""
    return np.random.default_rng(0).integers(0, 256, (6, 450, 600, 3), dtype=np.uint8)


def part(images: NDArray[np.uint8], **known: Any) -> SplitData:
    return SplitData(
        cast(Any, InMemoryImages(list(images))), np.arange(6), np.array([0, 1, 0, 1, 1, 0]), **known
    )


def visits_of(images: NDArray[np.uint8], *, together: bool, seed: int = 0, **augment: Any) -> TrainDataset:
    augmentation = Augmentation(**{**STILL, **augment})
    return TrainDataset(part(images), (224, 224), "grid", 5, together, augmentation, seed)


def blobs() -> tuple[NDArray[np.uint8], MaskStore]:
    """Draw black images with a white blob each, and the same blobs as masks; the last image has none."""
    masks = np.zeros((6, 450, 600), np.uint8)
    for number in range(6):
        masks[number, 100 + 20 * number : 260, 200 : 420 + 10 * number] = 255
    packed = [compress_mask(mask) for mask in masks[:5]]
    return np.repeat(masks[..., None], 3, axis=3), MaskStore([*packed, None], [(450, 600)] * 6)


def five(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut by hand."""
    places = [(0, 0), (0, 376), (226, 0), (226, 376), (113, 188)]
    return np.stack([image[top : top + 224, left : left + 224] for top, left in places])


def test_a_visit_is_one_crop_or_all_of_them(images: NDArray[np.uint8]) -> None:
    apart = visits_of(images, together=False)[SampleIndex(epoch=0, position=0, image_index=1, crop_index=3)]
    np.testing.assert_array_equal(apart.crops.numpy(), five(images[1])[3:4])
    joined = visits_of(images, together=True)[SampleIndex(epoch=0, position=0, image_index=1, crop_index=0)]
    np.testing.assert_array_equal(joined.crops.numpy(), five(images[1]))
    assert joined.target == 1


def test_the_whole_image_is_changed_before_it_is_cut(images: NDArray[np.uint8]) -> None:
    crops = visits_of(images, together=True, horizontal_flip=1)
    expected = five(images[2])[MIRRORED][:, :, ::-1]
    np.testing.assert_array_equal(crops[SampleIndex(0, 0, 2, 0)].crops.numpy(), expected)


def test_all_crops_of_a_visit_have_one_change(images: NDArray[np.uint8]) -> None:
    crops = visits_of(images, together=True, horizontal_flip=0.5)
    as_is, mirrored = five(images[0]), five(images[0])[MIRRORED][:, :, ::-1]
    seen = [crops[SampleIndex(0, position, 0, 0)].crops.numpy() for position in range(20)]
    same = [np.array_equal(views, as_is) for views in seen]
    assert [np.array_equal(views, mirrored) for views in seen] == [not flag for flag in same]
    assert 0 < sum(same) < 20


def test_what_is_drawn_depends_on_seed_epoch_and_position(images: NDArray[np.uint8]) -> None:
    first, again, other = (
        visits_of(images, together=True, seed=seed, brightness=0.5, rotation=90) for seed in (0, 0, 1)
    )
    visit = SampleIndex(3, 7, 1, 0)
    assert torch.equal(first[visit].crops, again[visit].crops)
    others = [other[visit], first[visit._replace(epoch=4)], first[visit._replace(position=8)]]
    assert not any(torch.equal(first[visit].crops, batch.crops) for batch in others)


@pytest.mark.parametrize(
    ("together", "trained", "validated"), [(True, [2, 2, 2], [2, 2, 2]), (False, [2] * 15, [1] * 6)]
)
def test_batches_hold_as_many_views_when_validated(
    images: NDArray[np.uint8], together: bool, trained: list[int], validated: list[int]
) -> None:
    train = visits_of(images, together=together)
    seen = Preprocessing(input_size=(224, 224), crops="grid", crop_count=5)
    visits = EpochSampler(
        train.split_data.targets, crops_per_image=1 if together else 5, sampling="shuffle", seed=0
    )
    data = LesionDataModule(train, EvalDataset(part(images), seen), visits, batch_size=2, num_workers=0)
    batches = list(data.train_dataloader())
    assert [len(batch.target) for batch in batches] == trained
    assert {tuple(batch.crops.shape[1:]) for batch in batches} == {(5 if together else 1, 224, 224, 3)}
    assert [len(batch.target) for batch in data.val_dataloader()] == validated


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("crops", ["full", "multi-scale", "attnmel-random"])
def test_a_mask_moves_with_its_image(together: bool, crops: Any) -> None:
    images, masks = blobs()
    augment = Augmentation(preset="arl", rotation=45, translate=0.1, rot90=True)
    data = TrainDataset(part(images, masks=masks), (96, 96), crops, 3, together, augment, 0)
    for position in range(20):
        batch = data[SampleIndex(0, position, position % 5, position % 3)]
        assert batch.has_mask
        assert batch.masks.shape == batch.crops.shape[:3]
        assert torch.equal(batch.masks, batch.crops[..., 0])  # the image is its mask
        assert 0 < batch.masks.float().mean() < 255


def test_colours_and_the_painted_square_leave_the_mask_alone() -> None:
    images, masks = blobs()
    augment = Augmentation(**STILL, preset="none", brightness=0.9, hue=0.5, cutout=1)
    batch = TrainDataset(part(images, masks=masks), (450, 600), "full", 1, False, augment, 0)[
        SampleIndex(0, 0, 2, 0)
    ]
    np.testing.assert_array_equal(batch.masks.numpy()[0], images[2, ..., 0])
    assert not torch.equal(batch.crops[0], torch.from_numpy(images[2]))


def test_what_is_not_known_is_said() -> None:
    images, masks = blobs()
    visits = [SampleIndex(0, 0, 5, 0), SampleIndex(0, 0, 4, 0)]
    data = TrainDataset(part(images, masks=masks), (32, 32), "full", 1, False, Augmentation(), 0)
    found = torch.utils.data.default_collate([data[visit] for visit in visits])
    assert found.has_mask.tolist() == [False, True]
    assert found.masks.shape == (2, 1, 32, 32)
    assert found.masks[0].max() == 0
    assert found.sample_weight.tolist() == [1, 1]
    bare = TrainDataset(
        part(images, sample_weights=np.arange(6, dtype=np.float32)),
        (32, 32),
        "full",
        1,
        False,
        Augmentation(),
        0,
    )
    found = torch.utils.data.default_collate([bare[visit] for visit in visits])
    assert found.masks.shape == (2, 1, 0, 0)
    assert found.has_mask.tolist() == [False, False]
    assert found.sample_weight.dtype == torch.float32
    assert found.sample_weight.tolist() == [5, 4]


def test_crops_lie_in_the_region(images: NDArray[np.uint8]) -> None:
    region = CropBox(40, 50, 225, 300)
    known = part(images, lesion_boxes=[region] * 5 + [None])
    inside = images[1, 40:265, 50:350]
    train = TrainDataset(known, (112, 112), "grid", 5, True, Augmentation(**STILL), 0)
    wanted = [
        inside[top : top + 112, left : left + 112]
        for top, left in [(0, 0), (0, 188), (113, 0), (113, 188), (56, 94)]
    ]
    np.testing.assert_array_equal(train[SampleIndex(0, 0, 1, 0)].crops.numpy(), np.stack(wanted))
    seen = Preprocessing(input_size=(112, 112), crops="grid", crop_count=5)
    np.testing.assert_array_equal(EvalDataset(known, seen)[1].crops.numpy(), np.stack(wanted))
    whole = EvalDataset(part(images), seen)[5].crops
    assert torch.equal(EvalDataset(known, seen)[5].crops, whole)


def test_after_a_checkpoint_the_next_epoch_is_drawn(images: NDArray[np.uint8]) -> None:
    def loaders() -> LesionDataModule:
        known = visits_of(images, together=False)
        visits = EpochSampler(known.split_data.targets, crops_per_image=5, sampling="shuffle", seed=0)
        return LesionDataModule(
            known, EvalDataset(known.split_data, Preprocessing()), visits, batch_size=4, num_workers=0
        )

    before, after = loaders(), loaders()
    before.sampler.set_epoch(2)
    after.load_state_dict(before.state_dict())
    before.sampler.set_epoch(3)
    assert list(after.sampler) == list(before.sampler)


def test_of_images_of_different_sizes() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(low, 256, (h, w, 3), dtype=np.uint8) for low, h, w in ((0, 20, 30), (100, 7, 9))]
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, pixels.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(std, pixels.std(axis=0), atol=1e-5)


def test_a_channel_without_spread_is_not_divided_by_zero() -> None:
    assert channel_statistics([np.full((4, 4, 3), 51, np.uint8)]) == ((0.2, 0.2, 0.2), (1.0, 1.0, 1.0))
