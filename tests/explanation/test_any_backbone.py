"""Gradient maps on every family of backbones; images of a batch are independent."""

import pytest
import torch
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.explanation.cam import CAM_WEIGHTINGS, gradient_map
from lesionlens.models.base import TimmClassifier

from ..helpers.tolerances import close, terms_of

SWIN = {"embed_dim": 16, "depths": (1, 1, 1, 1), "num_heads": (1, 1, 1, 1)}
CASES = [
    ("test_resnet", {}, 64, (2, 2)),
    ("test_efficientnet", {}, 64, (2, 2)),
    ("test_convnext", {}, 64, (2, 2)),
    ("test_vit", {"img_size": 64}, 64, (4, 4)),  # a head on the class token
    ("test_vit", {"global_pool": "avg", "img_size": 64}, 64, (4, 4)),
    ("swin_tiny_patch4_window7_224", SWIN, 224, (7, 7)),
    ("densenet121", {}, 96, (3, 3)),
    ("mobilenetv3_small_050", {}, 96, (3, 3)),
    ("mobilenetv2_050", {}, 96, (3, 3)),
    ("inception_v3", {}, 128, (2, 2)),
    pytest.param("vgg11", {}, 64, (2, 2), marks=pytest.mark.slow),
]


def seeded(*shape: int) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(7))


@pytest.mark.parametrize(("backbone", "options", "size", "grid"), CASES)
def test_map_of_any_backbone_is_independent_of_the_batch(
    backbone: str, options: dict, size: int, grid: tuple[int, int]
) -> None:
    torch.manual_seed(1)
    model = TimmClassifier(backbone, num_classes=2, **options)
    images = seeded(2, 3, size, size)
    for weighting in CAM_WEIGHTINGS:
        kwargs = {"weighting": weighting, "relu": False}
        together = gradient_map(model, images, target=torch.tensor([0, 1]), **kwargs)
        assert together.shape == (2, *grid)
        assert (together != 0).flatten(1).any(dim=1).all()
        single = gradient_map(model, images[1:], target=torch.tensor([1]), **kwargs)
        scale = float(single.abs().max())
        torch.testing.assert_close(together[1:] / scale, single / scale, rtol=1e-3, atol=1e-3)


def test_class_token_map_uses_inputs_of_the_last_block() -> None:
    torch.manual_seed(2)
    model = TimmClassifier("test_vit", num_classes=3, img_size=64).eval()
    images, vit = seeded(2, 3, 64, 64), model.backbone
    before = {key: value.clone() for key, value in model.state_dict().items()}
    actual = gradient_map(model, images, target=torch.tensor([2, 0]), relu=False)

    tokens = vit.norm_pre(vit._pos_embed(vit.patch_embed(images)))
    tokens = vit.blocks[:-1](tokens).detach().requires_grad_()
    logits = vit.forward_head(vit.norm(vit.blocks[-1](tokens)))
    terms = terms_of(model)
    torch.testing.assert_close(model(images).logits, logits, **close(logits, terms))
    (gradient,) = torch.autograd.grad(logits[0, 2] + logits[1, 0], tokens)
    weight = gradient[:, 1:].mean(dim=1, keepdim=True)
    expected = (weight * tokens[:, 1:]).sum(dim=2).reshape(2, 4, 4)
    torch.testing.assert_close(actual, expected.detach(), **close(expected, terms))
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_class_token_of_another_transformer_raises() -> None:
    options = {"img_size": 32, "patch_size": 16, "embed_dim": 16, "depth": 1, "num_heads": 1}
    model = TimmClassifier("beit_base_patch16_224", num_classes=2, global_pool="token", **options)
    with pytest.raises(ModelError, match=r"global_pool='avg'.*vit_"):
        gradient_map(model, seeded(1, 3, 32, 32))
