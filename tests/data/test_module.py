"""Visits of training: one crop of an image, or all of them cut from one augmented image."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lesionlens.crops.box import Box
from lesionlens.data.masks import Masks, pack
from lesionlens.data.module import LesionData, TestCrops
from lesionlens.data.part import Part
from lesionlens.data.train_crops import TrainCrops
from lesionlens.data.transforms import Augmentation
from lesionlens.data.visits import Visit, Visits
from lesionlens.preprocessing import Preprocessing

from .pictures import Pictures

STILL = {"horizontal_flip": 0.0, "vertical_flip": 0.0}
MIRRORED = [1, 0, 3, 2, 4]  # which of the five crops lies at a crop's place when the image is mirrored


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """Six images in which ordered crops have 224 px."""
    return np.random.default_rng(0).integers(0, 256, (6, 450, 600, 3), dtype=np.uint8)


def part(images: NDArray[np.uint8], **known: Any) -> Part:
    return Part(cast(Any, Pictures(list(images))), np.arange(6), np.array([0, 1, 0, 1, 1, 0]), **known)


def visits_of(images: NDArray[np.uint8], *, together: bool, seed: int = 0, **augment: Any) -> TrainCrops:
    augmentation = Augmentation(**{**STILL, **augment})
    return TrainCrops(part(images), (224, 224), "ordered", 5, together, augmentation, seed)


def blobs() -> tuple[NDArray[np.uint8], Masks]:
    """Draw black images with a white blob each, and the same blobs as masks; the last image has none."""
    masks = np.zeros((6, 450, 600), np.uint8)
    for number in range(6):
        masks[number, 100 + 20 * number : 260, 200 : 420 + 10 * number] = 255
    packed = [pack(mask) for mask in masks[:5]]
    return np.repeat(masks[..., None], 3, axis=3), Masks([*packed, None], [(450, 600)] * 6)


def five(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cut by hand."""
    places = [(0, 0), (0, 376), (226, 0), (226, 376), (113, 188)]
    return np.stack([image[top : top + 224, left : left + 224] for top, left in places])


def test_a_visit_is_one_crop_or_all_of_them(images: NDArray[np.uint8]) -> None:
    apart = visits_of(images, together=False)[Visit(epoch=0, position=0, image=1, crop=3)]
    np.testing.assert_array_equal(apart.views.numpy(), five(images[1])[3:4])
    joined = visits_of(images, together=True)[Visit(epoch=0, position=0, image=1, crop=0)]
    np.testing.assert_array_equal(joined.views.numpy(), five(images[1]))
    assert joined.target == 1


def test_the_whole_image_is_changed_before_it_is_cut(images: NDArray[np.uint8]) -> None:
    crops = visits_of(images, together=True, horizontal_flip=1)
    expected = five(images[2])[MIRRORED][:, :, ::-1]
    np.testing.assert_array_equal(crops[Visit(0, 0, 2, 0)].views.numpy(), expected)


def test_all_crops_of_a_visit_have_one_change(images: NDArray[np.uint8]) -> None:
    crops = visits_of(images, together=True, horizontal_flip=0.5)
    as_is, mirrored = five(images[0]), five(images[0])[MIRRORED][:, :, ::-1]
    seen = [crops[Visit(0, position, 0, 0)].views.numpy() for position in range(20)]
    same = [np.array_equal(views, as_is) for views in seen]
    assert [np.array_equal(views, mirrored) for views in seen] == [not flag for flag in same]
    assert 0 < sum(same) < 20


def test_what_is_drawn_depends_on_seed_epoch_and_position(images: NDArray[np.uint8]) -> None:
    first, again, other = (
        visits_of(images, together=True, seed=seed, brightness=0.5, rotation=90) for seed in (0, 0, 1)
    )
    visit = Visit(3, 7, 1, 0)
    assert torch.equal(first[visit].views, again[visit].views)
    others = [other[visit], first[visit._replace(epoch=4)], first[visit._replace(position=8)]]
    assert not any(torch.equal(first[visit].views, batch.views) for batch in others)


@pytest.mark.parametrize(
    ("together", "trained", "validated"), [(True, [2, 2, 2], [2, 2, 2]), (False, [2] * 15, [1] * 6)]
)
def test_batches_hold_as_many_views_when_validated(
    images: NDArray[np.uint8], together: bool, trained: list[int], validated: list[int]
) -> None:
    train = visits_of(images, together=together)
    seen = Preprocessing(input_size=(224, 224), crops="ordered", crop_count=5)
    visits = Visits(train.part.targets, crops=1 if together else 5, sampling="shuffle", seed=0)
    data = LesionData(train, TestCrops(part(images), seen), visits, batch_size=2, workers=0)
    batches = list(data.train_dataloader())
    assert [len(batch.target) for batch in batches] == trained
    assert {tuple(batch.views.shape[1:]) for batch in batches} == {(5 if together else 1, 224, 224, 3)}
    assert [len(batch.target) for batch in data.val_dataloader()] == validated


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("crops", ["whole", "multiscale", "attnmel-random"])
def test_a_mask_moves_with_its_image(together: bool, crops: Any) -> None:
    images, masks = blobs()
    augment = Augmentation(preset="arl", rotation=45, shift=0.1, right_angles=True)
    data = TrainCrops(part(images, masks=masks), (96, 96), crops, 3, together, augment, 0)
    for position in range(20):
        batch = data[Visit(0, position, position % 5, position % 3)]
        assert batch.known
        assert batch.masks.shape == batch.views.shape[:3]
        assert torch.equal(batch.masks, batch.views[..., 0])  # the image is its mask
        assert 0 < batch.masks.float().mean() < 255


def test_colours_and_the_painted_square_leave_the_mask_alone() -> None:
    images, masks = blobs()
    augment = Augmentation(**STILL, preset="none", brightness=0.9, hue=0.5, cutout=1)
    batch = TrainCrops(part(images, masks=masks), (450, 600), "whole", 1, False, augment, 0)[
        Visit(0, 0, 2, 0)
    ]
    np.testing.assert_array_equal(batch.masks.numpy()[0], images[2, ..., 0])
    assert not torch.equal(batch.views[0], torch.from_numpy(images[2]))


def test_what_is_not_known_is_said() -> None:
    images, masks = blobs()
    visits = [Visit(0, 0, 5, 0), Visit(0, 0, 4, 0)]
    data = TrainCrops(part(images, masks=masks), (32, 32), "whole", 1, False, Augmentation(), 0)
    found = torch.utils.data.default_collate([data[visit] for visit in visits])
    assert found.known.tolist() == [False, True]
    assert found.masks.shape == (2, 1, 32, 32)
    assert found.masks[0].max() == 0
    assert found.weight.tolist() == [1, 1]
    bare = TrainCrops(
        part(images, weights=np.arange(6, dtype=np.float32)), (32, 32), "whole", 1, False, Augmentation(), 0
    )
    found = torch.utils.data.default_collate([bare[visit] for visit in visits])
    assert found.masks.shape == (2, 1, 0, 0)
    assert found.known.tolist() == [False, False]
    assert found.weight.dtype == torch.float32
    assert found.weight.tolist() == [5, 4]


def test_crops_lie_in_the_region(images: NDArray[np.uint8]) -> None:
    region = Box(40, 50, 225, 300)
    known = part(images, regions=[region] * 5 + [None])
    inside = images[1, 40:265, 50:350]
    train = TrainCrops(known, (112, 112), "ordered", 5, True, Augmentation(**STILL), 0)
    wanted = [
        inside[top : top + 112, left : left + 112]
        for top, left in [(0, 0), (0, 188), (113, 0), (113, 188), (56, 94)]
    ]
    np.testing.assert_array_equal(train[Visit(0, 0, 1, 0)].views.numpy(), np.stack(wanted))
    seen = Preprocessing(input_size=(112, 112), crops="ordered", crop_count=5)
    np.testing.assert_array_equal(TestCrops(known, seen)[1].views.numpy(), np.stack(wanted))
    whole = TestCrops(part(images), seen)[5].views
    assert torch.equal(TestCrops(known, seen)[5].views, whole)


def test_after_a_checkpoint_the_next_epoch_is_drawn(images: NDArray[np.uint8]) -> None:
    def loaders() -> LesionData:
        known = visits_of(images, together=False)
        visits = Visits(known.part.targets, crops=5, sampling="shuffle", seed=0)
        return LesionData(known, TestCrops(known.part, Preprocessing()), visits, batch_size=4, workers=0)

    before, after = loaders(), loaders()
    before.visits.set_epoch(2)
    after.load_state_dict(before.state_dict())
    before.visits.set_epoch(3)
    assert list(after.visits) == list(before.visits)
