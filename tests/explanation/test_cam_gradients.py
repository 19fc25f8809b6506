"""Gradients follow all paths from the last feature map to the logit, not only the head."""

from typing import Any

import pytest
import torch
from torch import Tensor

from lesionlens.explanation.cam import cam, gradient_map
from lesionlens.models import backbone as stages
from lesionlens.models.base import Classifier
from lesionlens.models.factory import create_model
from lesionlens.models.multi_stage import GatedClassifier

from ..helpers.tolerances import close, terms_of


def seeded(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(5))


def build(attention: str, **options: Any) -> Classifier:
    torch.manual_seed(3)
    model = create_model(backbone="test_resnet", num_classes=3, attention=attention, **options).eval()
    torch.nn.init.normal_(getattr(model, "head", model.backbone.get_classifier()).weight)
    return model


def test_gated_network_equals_reference_and_finite_differences() -> None:
    model = build("gate").double()
    assert isinstance(model, GatedClassifier)
    images = seeded(1, 3, 64, 64).double()
    actual = gradient_map(model, images, target=torch.tensor([1]), relu=False)

    last, grids = stages.forward_stages(model.backbone, images, model._tap_indices)
    last, grids = last.detach(), [grid.detach() for grid in grids]

    def logit(last: Tensor) -> Tensor:
        pooled = [gate(grid, last).pooled for gate, grid in zip(model.gates, grids, strict=True)]
        return model.head(torch.cat([last.mean(dim=(2, 3)), *pooled], dim=1))[0, 1]

    expected = last.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(logit(expected), expected)
    weight = gradient.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(actual, (weight * last).sum(dim=1).float())
    direction = seeded(*last.shape).double() - 0.5
    with torch.no_grad():
        slope = (logit(last + 1e-6 * direction) - logit(last - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-9)
    head_only = model.head.weight[1, : model.channels] / (last.shape[2] * last.shape[3])
    assert (weight.flatten() - head_only).abs().max() > 1e-4 * head_only.abs().max()


@pytest.mark.parametrize(("attention", "options"), [("multi-stage", {"taps": ()}), ("soft", {}), ("ran", {})])
def test_signed_gradcam_is_cam_over_positions_on_linear_heads(attention: str, options: dict) -> None:
    model = build(attention, **options)
    images = seeded(2, 3, 64, 96)
    expected = cam(model, images)
    actual = gradient_map(model, images, relu=False)
    expected = expected / (expected.shape[1] * expected.shape[2])
    torch.testing.assert_close(actual, expected, **close(expected, terms_of(model)))


def test_frozen_parameters_do_not_matter() -> None:
    model = build("gate")
    expected = gradient_map(model, seeded(1, 3, 64, 64))
    model.requires_grad_(False)
    actual = gradient_map(model, seeded(1, 3, 64, 64))
    torch.testing.assert_close(actual, expected, **close(expected, terms_of(model)))


def test_without_attention_maps_of_crops_are_averaged() -> None:
    model = build("patch", crops=3)
    crops = seeded(2, 3, 3, 64, 64)
    target = torch.tensor([2, 0])
    actual = gradient_map(model, crops, target=target)
    assert actual.shape == (2, 3, 2, 2)
    inner_map = gradient_map(model.inner, crops.flatten(0, 1), target=target.repeat_interleave(3))
    expected = inner_map / 3  # the logits are averaged
    torch.testing.assert_close(actual.flatten(0, 1), expected, **close(expected, terms_of(model)))


def test_end_attention_adds_gradients_of_other_crops() -> None:
    model = build("patch", crops=3, end=True)
    crops = seeded(1, 3, 3, 64, 64)
    actual = gradient_map(model, crops, target=torch.tensor([1]), relu=False)
    inner_map = gradient_map(model.inner, crops[0], target=torch.tensor([1, 1, 1]), relu=False)
    weights = model(crops, maps=True).maps["end crops"].detach()
    direct = weights[0, :, None, None] * inner_map / 3  # the gradient if the weights were constant
    assert (actual[0] - direct).abs().max() > 1e-4 * direct.abs().max()


@pytest.mark.parametrize("options", [{"combine": "gru"}, {"initial": True, "average": "probabilities"}])
def test_every_crop_aggregator_has_maps(options: dict) -> None:
    torch.manual_seed(0)
    model = create_model(backbone="test_resnet", attention="patch", num_classes=2, crops=2, **options)
    actual = gradient_map(model, seeded(1, 2, 3, 64, 64), relu=False)
    assert actual.shape == (1, 2, 2, 2)
    assert (actual != 0).any()


def test_crops_of_a_class_token_transformer_have_maps() -> None:
    torch.manual_seed(0)
    model = create_model(
        backbone="test_vit", attention="patch", num_classes=2, crops=2, end=True, img_size=64
    )
    actual = gradient_map(model, seeded(1, 2, 3, 64, 64), weighting="layercam", relu=False)
    assert actual.shape == (1, 2, 4, 4)
    assert (actual != 0).any()
