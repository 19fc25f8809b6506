"""Training samples, validation batches, resumption and channel statistics."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lesionlens.data.augmentation import Augmentation
from lesionlens.data.datamodule import EvalDataset, LesionDataModule, channel_statistics, eval_batch_size
from lesionlens.data.dataset import SplitData, TrainDataset
from lesionlens.data.mask_store import MaskStore, compress_mask
from lesionlens.data.sampler import EpochSampler, SampleIndex
from lesionlens.imaging.boxes import CropBox
from lesionlens.imaging.preprocessing import Preprocessing

from ..helpers.image_cache import InMemoryImages

NO_FLIPS = {"horizontal_flip": 0.0, "vertical_flip": 0.0}
MIRRORED = [1, 0, 3, 2, 4]  # order of the five crops after a horizontal flip


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Return six images whose grid crops have 224 pixels."""
    return np.random.default_rng(0).integers(0, 256, (6, 450, 600, 3), dtype=np.uint8)


def split(images: NDArray[np.uint8], **split_fields: Any) -> SplitData:
    return SplitData(
        cast(Any, InMemoryImages(list(images))), np.arange(6), np.array([0, 1, 0, 1, 1, 0]), **split_fields
    )


def make_dataset(
    images: NDArray[np.uint8], *, all_crops: bool, seed: int = 0, **augment: Any
) -> TrainDataset:
    augmentation = Augmentation(**{**NO_FLIPS, **augment})
    return TrainDataset(split(images), (224, 224), "grid", 5, all_crops, augmentation, seed)


def images_with_masks() -> tuple[NDArray[np.uint8], MaskStore]:
    """Return black images with a white rectangle each, and the rectangles as masks; the last image has no mask."""
    masks = np.zeros((6, 450, 600), np.uint8)
    for number in range(6):
        masks[number, 100 + 20 * number : 260, 200 : 420 + 10 * number] = 255
    compressed = [compress_mask(mask) for mask in masks[:5]]
    return np.repeat(masks[..., None], 3, axis=3), MaskStore([*compressed, None], [(450, 600)] * 6)


def five_crops(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the five crops of the grid strategy."""
    corners = [(0, 0), (0, 376), (226, 0), (226, 376), (113, 188)]
    return np.stack([image[top : top + 224, left : left + 224] for top, left in corners])


def test_sample_has_one_crop_or_all(images: NDArray[np.uint8]) -> None:
    single = make_dataset(images, all_crops=False)[
        SampleIndex(epoch=0, position=0, image_index=1, crop_index=3)
    ]
    np.testing.assert_array_equal(single.crops.numpy(), five_crops(images[1])[3:4])
    joint = make_dataset(images, all_crops=True)[
        SampleIndex(epoch=0, position=0, image_index=1, crop_index=0)
    ]
    np.testing.assert_array_equal(joint.crops.numpy(), five_crops(images[1]))
    assert joint.target == 1


def test_image_is_augmented_before_cropping(images: NDArray[np.uint8]) -> None:
    crops = make_dataset(images, all_crops=True, horizontal_flip=1)
    expected = five_crops(images[2])[MIRRORED][:, :, ::-1]
    np.testing.assert_array_equal(crops[SampleIndex(0, 0, 2, 0)].crops.numpy(), expected)


def test_all_crops_have_the_same_augmentation(images: NDArray[np.uint8]) -> None:
    crops = make_dataset(images, all_crops=True, horizontal_flip=0.5)
    as_is, mirrored = five_crops(images[0]), five_crops(images[0])[MIRRORED][:, :, ::-1]
    samples = [crops[SampleIndex(0, position, 0, 0)].crops.numpy() for position in range(20)]
    same = [np.array_equal(views, as_is) for views in samples]
    assert [np.array_equal(views, mirrored) for views in samples] == [not flag for flag in same]
    assert 0 < sum(same) < 20


def test_sample_depends_on_seed_epoch_and_position(images: NDArray[np.uint8]) -> None:
    first, again, other_seed = (
        make_dataset(images, all_crops=True, seed=seed, brightness=0.5, rotation=90) for seed in (0, 0, 1)
    )
    index = SampleIndex(3, 7, 1, 0)
    assert torch.equal(first[index].crops, again[index].crops)
    different = [other_seed[index], first[index._replace(epoch=4)], first[index._replace(position=8)]]
    assert not any(torch.equal(first[index].crops, batch.crops) for batch in different)


@pytest.mark.parametrize("all_crops", [False, True])
def test_fixed_crops_are_seeded_by_image_and_seed(images: NDArray[np.uint8], all_crops: bool) -> None:
    def boxes(index: SampleIndex, *, seed: int = 0, ids: str | None = "abcdef") -> list[CropBox]:
        augment = Augmentation(preset="arl")
        data = TrainDataset(split(images), (96, 96), "multi-scale", 8, all_crops, augment, seed, ids)
        return list(data.sample_params(index).crop_boxes)

    first = boxes(SampleIndex(0, 0, 2, 4))
    assert boxes(SampleIndex(3, 7, 2, 4)) == first
    assert boxes(SampleIndex(3, 7, 0, 4), ids="cdefab") == first  # the same image in another split
    others = [boxes(SampleIndex(0, 0, 1, 4)), boxes(SampleIndex(0, 0, 2, 4), seed=1)]
    assert first not in others
    assert boxes(SampleIndex(0, 0, 2, 4), ids=None) != boxes(SampleIndex(1, 0, 2, 4), ids=None)
    assert len({box[:2] for crop in range(8) for box in boxes(SampleIndex(0, 0, 2, crop))}) == 8


@pytest.mark.parametrize(
    ("all_crops", "trained", "validated"), [(True, [2, 2, 2], [2, 2, 2]), (False, [2] * 15, [1] * 6)]
)
def test_validation_batches_have_as_many_crops(
    images: NDArray[np.uint8], all_crops: bool, trained: list[int], validated: list[int]
) -> None:
    train = make_dataset(images, all_crops=all_crops)
    preprocessing = Preprocessing(input_size=(224, 224), crops="grid", crop_count=5)
    sampler = EpochSampler(
        train.split_data.targets, crops_per_image=1 if all_crops else 5, sampling="shuffle", seed=0
    )
    data = LesionDataModule(
        train,
        EvalDataset(split(images), preprocessing),
        sampler,
        batch_size=2,
        val_batch_size=eval_batch_size(2, train, preprocessing),
        num_workers=0,
    )
    batches = list(data.train_dataloader())
    assert [len(batch.target) for batch in batches] == trained
    assert {tuple(batch.crops.shape[1:]) for batch in batches} == {(5 if all_crops else 1, 224, 224, 3)}
    assert [len(batch.target) for batch in data.val_dataloader()] == validated


@pytest.mark.parametrize("all_crops", [False, True])
@pytest.mark.parametrize("crops", ["full", "multi-scale", "attnmel-random"])
def test_mask_is_warped_with_its_image(all_crops: bool, crops: Any) -> None:
    images, masks = images_with_masks()
    augment = Augmentation(preset="arl", rotation=45, translate=0.1, rot90=True)
    data = TrainDataset(split(images, masks=masks), (96, 96), crops, 3, all_crops, augment, 0)
    for position in range(20):
        batch = data[SampleIndex(0, position, position % 5, position % 3)]
        assert batch.has_mask
        assert batch.masks.shape == batch.crops.shape[:3]
        assert torch.equal(batch.masks, batch.crops[..., 0])  # the image is its mask
        assert 0 < batch.masks.float().mean() < 255


def test_color_and_cutout_do_not_change_the_mask() -> None:
    images, masks = images_with_masks()
    augment = Augmentation(**NO_FLIPS, preset="none", brightness=0.9, hue=0.5, cutout=1)
    batch = TrainDataset(split(images, masks=masks), (450, 600), "full", 1, False, augment, 0)[
        SampleIndex(0, 0, 2, 0)
    ]
    np.testing.assert_array_equal(batch.masks.numpy()[0], images[2, ..., 0])
    assert not torch.equal(batch.crops[0], torch.from_numpy(images[2]))


def test_missing_masks_and_weights() -> None:
    images, masks = images_with_masks()
    indices = [SampleIndex(0, 0, 5, 0), SampleIndex(0, 0, 4, 0)]
    data = TrainDataset(split(images, masks=masks), (32, 32), "full", 1, False, Augmentation(), 0)
    batch = torch.utils.data.default_collate([data[index] for index in indices])
    assert batch.has_mask.tolist() == [False, True]
    assert batch.masks.shape == (2, 1, 32, 32)
    assert batch.masks[0].max() == 0
    assert batch.sample_weight.tolist() == [1, 1]
    bare = TrainDataset(
        split(images, sample_weights=np.arange(6, dtype=np.float32)),
        (32, 32),
        "full",
        1,
        False,
        Augmentation(),
        0,
    )
    batch = torch.utils.data.default_collate([bare[index] for index in indices])
    assert batch.masks.shape == (2, 1, 0, 0)
    assert batch.has_mask.tolist() == [False, False]
    assert batch.sample_weight.dtype == torch.float32
    assert batch.sample_weight.tolist() == [5, 4]


def test_crops_are_inside_the_lesion_box(images: NDArray[np.uint8]) -> None:
    box = CropBox(40, 50, 225, 300)
    boxed = split(images, lesion_boxes=[box] * 5 + [None])
    region = images[1, 40:265, 50:350]
    train = TrainDataset(boxed, (112, 112), "grid", 5, True, Augmentation(**NO_FLIPS), 0)
    expected = [
        region[top : top + 112, left : left + 112]
        for top, left in [(0, 0), (0, 188), (113, 0), (113, 188), (56, 94)]
    ]
    np.testing.assert_array_equal(train[SampleIndex(0, 0, 1, 0)].crops.numpy(), np.stack(expected))
    preprocessing = Preprocessing(input_size=(112, 112), crops="grid", crop_count=5)
    np.testing.assert_array_equal(EvalDataset(boxed, preprocessing)[1].crops.numpy(), np.stack(expected))
    uncropped = EvalDataset(split(images), preprocessing)[5].crops
    assert torch.equal(EvalDataset(boxed, preprocessing)[5].crops, uncropped)


def test_state_dict_resumes_at_the_next_epoch(images: NDArray[np.uint8]) -> None:
    def loaders() -> LesionDataModule[TrainDataset]:
        train = make_dataset(images, all_crops=False)
        sampler = EpochSampler(train.split_data.targets, crops_per_image=5, sampling="shuffle", seed=0)
        validation = EvalDataset(train.split_data, Preprocessing())
        return LesionDataModule(train, validation, sampler, batch_size=4, val_batch_size=4, num_workers=0)

    before, after = loaders(), loaders()
    before.sampler.set_epoch(2)
    after.load_state_dict(before.state_dict())
    before.sampler.set_epoch(3)
    assert list(after.sampler) == list(before.sampler)


def test_channel_statistics_of_images_of_different_sizes() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(low, 256, (h, w, 3), dtype=np.uint8) for low, h, w in ((0, 20, 30), (100, 7, 9))]
    pixels = np.concatenate([image.reshape(-1, 3) for image in images]) / 255
    mean, std = channel_statistics(images)
    np.testing.assert_allclose(mean, pixels.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(std, pixels.std(axis=0), atol=1e-5)


def test_channel_statistics_of_a_constant_channel() -> None:
    assert channel_statistics([np.full((4, 4, 3), 51, np.uint8)]) == ((0.2, 0.2, 0.2), (1.0, 1.0, 1.0))
