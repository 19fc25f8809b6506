import numpy as np
import torch

from lesionlens.imaging.boxes import CropBox
from lesionlens.explanation.cam import gradient_map
from lesionlens.explanation.crop_frames import draw_crop_frames
from lesionlens.explanation.explain import draw_map, compute_maps
from lesionlens.explanation.attention_maps import attention_maps
from lesionlens.explanation.overlay import overlay
from lesionlens.explanation.overlay import image_grid
from lesionlens.models.factory import create_model

from ..tolerances import close, terms_of

CROPS = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(2))
IMAGE = np.random.default_rng(0).integers(0, 255, (30, 40, 3), dtype=np.uint8)
BOXES = [CropBox(0, 0, 30, 20), CropBox(0, 20, 30, 20)]


def test_single_images_are_explained_crop_by_crop_for_one_class() -> None:
    torch.manual_seed(0)
    model = create_model(backbone="test_resnet", attention="gate", num_classes=2)
    found = compute_maps(model, CROPS, target_index=1)
    assert list(found) == ["gate-layer2", "gate-layer3", "gradcam"]
    wanted = gradient_map(model, CROPS, target=torch.tensor([1, 1, 1]))
    torch.testing.assert_close(found["gradcam"], wanted, **close(wanted, terms_of(model)))


def test_a_network_of_crops_sees_all_at_once() -> None:
    torch.manual_seed(0)
    model = create_model(backbone="test_resnet", attention="patch", num_classes=2, crops=3, end=True)
    found = compute_maps(model, CROPS, target_index=1)
    assert {name: tuple(values.shape) for name, values in found.items()} == {
        "end-crops": (3,),
        "gradcam": (3, 2, 2),
    }
    torch.testing.assert_close(found["end-crops"], attention_maps(model, CROPS[None])["end-crops"][0])


def test_places_are_stitched_weights_framed_and_heads_laid_out() -> None:
    places = np.array([[[0.0]], [[1.0]]])
    whole = np.repeat([[0.0, 1.0]], 30, axis=0).repeat(20, axis=1)
    np.testing.assert_array_equal(draw_map(IMAGE, places, BOXES), overlay(IMAGE, whole))
    weights = np.array([0.3, 0.7])
    np.testing.assert_array_equal(draw_map(IMAGE, weights, BOXES), draw_crop_frames(IMAGE, BOXES, weights))
    heads = np.stack([places, 1 - places, places], axis=1)
    each = [draw_map(IMAGE, values, BOXES) for values in (places, 1 - places, places)]
    np.testing.assert_array_equal(draw_map(IMAGE, heads, BOXES), image_grid(each))


def test_sheet_has_as_many_rows_as_columns_in_reading_order() -> None:
    greys = [np.full((30, 40, 3), 10 * number, dtype=np.uint8) for number in range(7)]
    laid = image_grid(greys)
    assert laid.shape == (45, 60, 3)
    assert laid[7::15, 10::20, 0].tolist() == [[0, 10, 20], [30, 40, 50], [60, 255, 255]]
