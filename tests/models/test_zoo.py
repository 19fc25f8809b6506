"""The contract that every network keeps: one suite over the table, and over backbones that are in no paper."""

import pytest
import torch

from lesionlens.models import backbone
from lesionlens.models.create import create_model
from lesionlens.models.plain import Plain
from lesionlens.models.zoo import ZOO

TINY = [  # backbone, attention
    ("test_resnet", "none"),
    ("test_resnet", "arl"),
    ("test_efficientnet", "none"),
    ("test_vit", "none"),
    ("test_convnext", "none"),
]
CASES = [*ZOO, *TINY]


def build(case: str | tuple[str, str], num_classes: int = 2) -> Plain:
    torch.manual_seed(0)
    if isinstance(case, str):
        return create_model(case, num_classes=num_classes)
    return create_model(backbone=case[0], attention=case[1], num_classes=num_classes)


def images(case: str | tuple[str, str], count: int = 2) -> torch.Tensor:
    """Draw images: not square where the network allows it."""
    size = (160, 160) if case[0] == "test_vit" else (64, 96)
    return torch.rand(count, 3, *size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", ZOO)
def test_has_the_parameters_of_its_row(name: str) -> None:
    assert backbone.parameters(build(name)) == ZOO[name].parameters


@pytest.mark.parametrize("name", ZOO)
def test_names_its_paper(name: str) -> None:
    assert "doi:" in ZOO[name].paper


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gives_logits_and_maps_only_when_asked(case: str | tuple[str, str]) -> None:
    model = build(case, num_classes=7).eval()
    x = images(case)
    with torch.no_grad():
        silent, looking = model(x), model(x, maps=True)
    assert silent.logits.shape == (2, 7)
    assert silent.maps == {}
    assert torch.equal(silent.logits, looking.logits)
    for name, values in looking.maps.items():
        stride = 4 * 2 ** (int(name[-1]) - 1)  # layer1 … layer4
        assert values.shape == (2, 64 // stride, 96 // stride)
        assert bool(torch.isfinite(values).all())
        assert float(values.min()) >= 0


@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_image_does_not_feel_its_neighbours(case: str | tuple[str, str]) -> None:
    model = build(case).eval()
    x = images(case, 3)
    with torch.no_grad():
        together, alone = model(x).logits[1:2], model(x[1:2]).logits
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradient_reaches_every_parameter(case: str | tuple[str, str]) -> None:
    model = build(case).train()
    for module in model.modules():  # timm starts the last norm of a block at 0: nothing flows behind it
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.constant_(module.weight, 1.0)
    model(images(case)).logits.square().sum().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())]
    assert silent == []


@pytest.mark.parametrize("case", ["arl_cnn14", *TINY], ids=str)
def test_bf16_and_channels_last_stay_close(case: str | tuple[str, str]) -> None:
    model = build(case).eval()
    x = images(case)
    with torch.no_grad():
        exact = model(x).logits
        model = model.to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            rough = model(x.to(memory_format=torch.channels_last)).logits
    torch.testing.assert_close(rough.float(), exact, rtol=0.1, atol=0.1)


@pytest.mark.parametrize(("with_arl", "without"), [("arl_cnn14", "resnet14"), ("arl_cnn50", "resnet50")])
def test_alpha_zero_is_the_resnet_bit_for_bit(with_arl: str, without: str) -> None:
    torch.manual_seed(3)
    attending = create_model(with_arl, num_classes=2, alpha=0.0).eval()
    plain = create_model(without, num_classes=2).eval()
    state = {key: torch.randn_like(v) * 0.05 if v.ndim else v for key, v in plain.state_dict().items()}
    state = {key: v.abs() + 0.5 if key.endswith("running_var") else v for key, v in state.items()}
    plain.load_state_dict(state)
    new = attending.load_state_dict(state, strict=False)
    assert set(new.missing_keys) == set(attending.scale_gates)
    x = images(with_arl)
    with torch.no_grad():
        assert torch.equal(attending(x).logits, plain(x).logits)
