"""The gradient goes through all that the last grid has a part in, not the head alone."""

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


def built(attention: str, **options: Any) -> Classifier:
    torch.manual_seed(3)
    model = create_model(backbone="test_resnet", num_classes=3, attention=attention, **options).eval()
    torch.nn.init.normal_(getattr(model, "head", model.backbone.get_classifier()).weight)
    return model


def test_of_a_gated_network_by_a_restatement_and_by_finite_differences() -> None:
    model = built("gate").double()
    assert isinstance(model, GatedClassifier)
    images = seeded(1, 3, 64, 64).double()
    found = gradient_map(model, images, target=torch.tensor([1]), relu=False)

    last, grids = stages.forward_stages(model.backbone, images, model._tap_indices)
    last, grids = last.detach(), [grid.detach() for grid in grids]

    def logit(last: Tensor) -> Tensor:
        pooled = [gate(grid, last).pooled for gate, grid in zip(model.gates, grids, strict=True)]
        return model.head(torch.cat([last.mean(dim=(2, 3)), *pooled], dim=1))[0, 1]

    wanted = last.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(logit(wanted), wanted)
    weight = gradient.mean(dim=(2, 3), keepdim=True)
    torch.testing.assert_close(found, (weight * last).sum(dim=1).float())
    direction = seeded(*last.shape).double() - 0.5
    with torch.no_grad():
        slope = (logit(last + 1e-6 * direction) - logit(last - 1e-6 * direction)) / 2e-6
    torch.testing.assert_close((gradient * direction).sum(), slope, rtol=1e-6, atol=1e-9)
    head_alone = model.head.weight[1, : model.channels] / (last.shape[2] * last.shape[3])
    assert (weight.flatten() - head_alone).abs().max() > 1e-4 * head_alone.abs().max()


@pytest.mark.parametrize(("attention", "options"), [("multi-stage", {"taps": ()}), ("soft", {}), ("ran", {})])
def test_signed_gradcam_is_cam_over_the_number_of_places_on_linear_heads(
    attention: str, options: dict
) -> None:
    model = built(attention, **options)
    images = seeded(2, 3, 64, 96)
    wanted = cam(model, images)
    found = gradient_map(model, images, relu=False)
    wanted = wanted / (wanted.shape[1] * wanted.shape[2])
    torch.testing.assert_close(found, wanted, **close(wanted, terms_of(model)))


def test_frozen_parameters_do_not_matter() -> None:
    model = built("gate")
    wanted = gradient_map(model, seeded(1, 3, 64, 64))
    model.requires_grad_(False)
    torch.testing.assert_close(gradient_map(model, seeded(1, 3, 64, 64)), wanted)


def test_without_attention_a_crop_has_its_share_of_its_own_map() -> None:
    model = built("patch", crops=3)
    crops = seeded(2, 3, 3, 64, 64)
    target = torch.tensor([2, 0])
    found = gradient_map(model, crops, target=target)
    assert found.shape == (2, 3, 2, 2)
    alone = gradient_map(model.inner, crops.flatten(0, 1), target=target.repeat_interleave(3))
    torch.testing.assert_close(found.flatten(0, 1), alone / 3)  # the logits are averaged


def test_attention_at_the_end_lets_other_crops_speak() -> None:
    model = built("patch", crops=3, end=True)
    crops = seeded(1, 3, 3, 64, 64)
    found = gradient_map(model, crops, target=torch.tensor([1]), relu=False)
    alone = gradient_map(model.inner, crops[0], target=torch.tensor([1, 1, 1]), relu=False)
    weights = model(crops, maps=True).maps["end crops"].detach()
    own = weights[0, :, None, None] * alone / 3  # what is left where weights are taken as given
    assert (found[0] - own).abs().max() > 1e-4 * own.abs().max()


@pytest.mark.parametrize("options", [{"combine": "gru"}, {"initial": True, "average": "probabilities"}])
def test_any_way_of_joining_crops_has_maps(options: dict) -> None:
    torch.manual_seed(0)
    model = create_model(backbone="test_resnet", attention="patch", num_classes=2, crops=2, **options)
    found = gradient_map(model, seeded(1, 2, 3, 64, 64), relu=False)
    assert found.shape == (1, 2, 2, 2)
    assert (found != 0).any()


def test_crops_of_a_class_token_transformer_have_maps() -> None:
    torch.manual_seed(0)
    model = create_model(
        backbone="test_vit", attention="patch", num_classes=2, crops=2, end=True, img_size=64
    )
    found = gradient_map(model, seeded(1, 2, 3, 64, 64), weighting="layercam", relu=False)
    assert found.shape == (1, 2, 4, 4)
    assert (found != 0).any()
