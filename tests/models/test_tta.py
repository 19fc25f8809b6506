"""Aggregation of crops and TTA views, against a NumPy computation."""

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
    """Classifier by the upper left pixel, so that every crop and every view differs."""

    def __init__(self) -> None:
        super().__init__()
        self.num_features = 3
        self.backbone = nn.Linear(3, 3)

    def forward_features(self, x: Tensor, *, maps: bool = False) -> Features:
        return Features(feature_map=x, maps={})

    def pool(self, features: Features) -> Tensor:
        return features.feature_map[..., 0, 0]

    def compute_logits(self, pooled: Tensor) -> Tensor:
        logits: Tensor = self.backbone(pooled)
        return logits


class Bag(Corner):
    """Classifier of nine crops by the mean of their logits."""

    num_crops = 9

    def pool(self, features: Features) -> Tensor:
        return features.feature_map[..., 0, 0].mean(dim=1)


@pytest.fixture
def corner() -> Corner:
    torch.manual_seed(0)
    return Corner().eval()


def reference_logits(model: Classifier, pixels: Any) -> Any:
    weight, bias = (p.detach().double().numpy() for p in (model.backbone.weight, model.backbone.bias))  # type: ignore[union-attr]
    return pixels @ weight.T + bias


def averaged(logits: Any, average: Aggregation, squash: Any) -> Any:
    """Average logits (m, k)."""
    return squash(logits.mean(axis=0)) if average == "logits" else squash(logits).mean(axis=0)


@pytest.mark.parametrize("average", ["probabilities", "logits"])
@pytest.mark.parametrize("independent", [False, True])
def test_nine_ordered_crops_are_averaged(corner: Corner, average: Aggregation, independent: bool) -> None:
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    preprocessing = Preprocessing(
        input_size=(224, 224), crops="grid", crop_count=9, mean=(0, 0, 0), std=(0.2, 0.2, 0.2)
    )
    with torch.no_grad():
        actual = predict_proba(
            corner, preprocessing.prepare_input(image)[None], aggregate=average, multilabel=independent
        )
    corners = np.stack([image[y, x] for y in (0, 113, 226) for x in (0, 188, 376)]) / 255 / 0.2
    squash = expit if independent else (lambda values: softmax(values, axis=-1))
    expected = averaged(reference_logits(corner, corners), average, squash)
    np.testing.assert_allclose(actual[0], expected, rtol=1e-5)
    assert (abs(actual.sum() - 1) < 1e-9) != independent


@pytest.mark.parametrize("average", ["probabilities", "logits"])
def test_views_are_averaged_like_crops(corner: Corner, average: Aggregation) -> None:
    crops = torch.rand(2, 4, 3, 5, 5, generator=torch.manual_seed(1))
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]  # pixels that the flips move to the corner
    pixels = np.stack([crops[1, :, :, y, x].double().numpy() for y, x in corners])
    expected = averaged(
        reference_logits(corner, pixels).reshape(16, 3), average, lambda values: softmax(values, axis=-1)
    )
    with torch.no_grad():
        flips = predict_proba(corner, crops, tta="flips", aggregate=average)
        all_eight = predict_proba(corner, crops, tta="dihedral", aggregate=average)
    np.testing.assert_allclose(flips[1], expected, rtol=1e-5)
    np.testing.assert_allclose(all_eight[1], expected, rtol=1e-5)  # each corner comes twice


def test_views_of_a_network_of_crops() -> None:
    torch.manual_seed(0)
    bag = Bag().eval()
    crops = torch.rand(2, 9, 3, 4, 6)
    corners = [(0, 0), (0, -1), (-1, 0), (-1, -1)]
    logits = reference_logits(
        bag, np.stack([crops[:, :, :, y, x].mean(dim=1).double().numpy() for y, x in corners])
    )
    with torch.no_grad():
        actual = predict_proba(bag, crops, tta="flips")
        from_logits = predict_proba(bag, crops, tta="flips", aggregate="logits")
    np.testing.assert_allclose(actual, softmax(logits, axis=-1).mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(from_logits, softmax(logits.mean(axis=0), axis=-1), rtol=1e-5)


def test_dihedral_views_are_all_eight_orientations() -> None:
    square = torch.arange(9).reshape(3, 3)
    actual = [view.tolist() for view in tta_views(square, "dihedral")]
    assert actual[0] == square.tolist()
    rotated = [
        np.rot90(of, quarters).tolist() for of in (square.numpy(), square.numpy().T) for quarters in range(4)
    ]
    assert sorted(actual) == sorted(rotated)
    assert len({str(view) for view in actual}) == 8


def test_votes_are_counted_over_crops_and_views(corner: Corner) -> None:
    crops = torch.rand(4, 3, 3, 6, 6, generator=torch.manual_seed(1))
    logits = np.concatenate([
        reference_logits(corner, view[..., 0, 0].double().numpy()) for view in tta_views(crops, "flips")
    ], axis=1)  # fmt: skip
    votes = np.stack([(logits.argmax(axis=2) == k).mean(axis=1) for k in range(3)], axis=1)
    actual = predict_proba(corner, crops, tta="flips", aggregate="vote")
    np.testing.assert_allclose(actual.detach().numpy(), votes)
    assert len(np.unique(votes)) > 2
    independent = predict_proba(corner, crops, aggregate="vote", multilabel=True).detach().numpy()
    np.testing.assert_allclose(independent, (logits[:, :3] > 0).mean(axis=1))


def test_tied_classes_have_equal_scores(corner: Corner) -> None:
    corner.backbone.weight.data = torch.eye(3)
    corner.backbone.bias.data.zero_()
    crops = torch.zeros(1, 4, 3, 2, 2)
    for crop, favored in enumerate((1, 2, 2, 1)):
        crops[0, crop, favored] = 1
    assert predict_proba(corner, crops, aggregate="vote").tolist() == [[0, 0.5, 0.5]]
