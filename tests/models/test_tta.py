"""From crops and orientations to scores, against what is worked out by hand."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import expit, softmax
from torch import Tensor, nn

from lesionlens.imaging.preprocessing import Aggregation, Preprocessing
from lesionlens.models.base import Classifier, Features
from lesionlens.models.tta import predict_proba, tta_views


class Corner(Classifier):
    """Scores an image by its upper left pixel alone: every crop and every turn differs."""

    def __init__(self) -> None:
        super().__init__()
        self.num_features = 3
        self.backbone = nn.Linear(3, 3)

    def forward_features(self, x: Tensor, *, maps: bool = False) -> Features:
        return Features(feature_map=x, maps={})

    def pool(self, features: Features) -> Tensor:
        return features.feature_map[..., 0, 0]

    def compute_logits(self, pooled: Tensor) -> Tensor:
        found: Tensor = self.backbone(pooled)
        return found


class Bag(Corner):
    """The same of nine crops at once: the mean of their logits."""

    num_crops = 9

    def pool(self, features: Features) -> Tensor:
        return features.feature_map[..., 0, 0].mean(dim=1)


@pytest.fixture
def corner() -> Corner:
    torch.manual_seed(0)
    return Corner().eval()


def by_hand(model: Classifier, pixels: Any) -> Any:
    weight, bias = (p.detach().double().numpy() for p in (model.backbone.weight, model.backbone.bias))  # type: ignore[union-attr]
    return pixels @ weight.T + bias


def averaged(logits: Any, average: Aggregation, squash: Any) -> Any:
    """Join logits (m, k)."""
    return squash(logits.mean(axis=0)) if average == "logits" else squash(logits).mean(axis=0)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize("independent", [False, True])
def test_nine_ordered_crops_are_averaged(corner: Corner, average: Aggregation, independent: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    seen = Preprocessing(
        input_size=(224, 224), crops="grid", crop_count=9, mean=(0, 0, 0), std=(0.2, 0.2, 0.2)
    )
    with torch.no_grad():
        found = predict_proba(
            corner, seen.prepare_input(image)[None], aggregate=average, multilabel=independent
        )
    corners = np.stack([image[y, x] for y in (0, 113, 226) for x in (0, 188, 376)]) / 255 / 0.2
    squash = expit if independent else (lambda values: softmax(values, axis=-1))
    wanted = averaged(by_hand(corner, corners), average, squash)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
    assert (abs(found.sum() - 1) < 1e-9) != independent


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_turns_are_averaged_like_crops(corner: Corner, average: Aggregation) -> None:
    crops = torch.rand(2, 4, 3, 5, 5, generator=torch.manual_seed(1))
    places = [(0, 0), (0, -1), (-1, 0), (-1, -1)]  # what the flips bring to the corner
    pixels = np.stack([crops[1, :, :, y, x].double().numpy() for y, x in places])
    wanted = averaged(
        by_hand(corner, pixels).reshape(16, 3), average, lambda values: softmax(values, axis=-1)
    )
    with torch.no_grad():
        flips = predict_proba(corner, crops, tta="flips", aggregate=average)
        all_eight = predict_proba(corner, crops, tta="dihedral", aggregate=average)
    np.testing.assert_allclose(flips[1], wanted, rtol=1e-5)
    np.testing.assert_allclose(all_eight[1], wanted, rtol=1e-5)  # each corner comes twice


def test_a_network_of_crops_is_turned_bag_by_bag() -> None:
    torch.manual_seed(0)
    bag = Bag().eval()
    crops = torch.rand(2, 9, 3, 4, 6)
    places = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    logits = by_hand(bag, np.stack([crops[:, :, :, y, x].mean(dim=1).double().numpy() for y, x in places]))
    with torch.no_grad():
        found = predict_proba(bag, crops, tta="flips")
        joined = predict_proba(bag, crops, tta="flips", aggregate="logits")
    np.testing.assert_allclose(found, softmax(logits, axis=-1).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(joined, softmax(logits.mean(axis=0), axis=-1), rtol=1e-5)


def test_the_eight_orientations_are_all_there_are() -> None:
    square = torch.arange(9).reshape(3, 3)
    found = [each.tolist() for each in tta_views(square, "dihedral")]
    assert found[0] == square.tolist()
    turned = [
        np.rot90(of, quarters).tolist() for of in (square.numpy(), square.numpy().T) for quarters in range(4)
    ]
    assert sorted(found) == sorted(turned)
    assert len({str(each) for each in found}) == 8
