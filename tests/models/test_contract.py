"""The contract that every network keeps: mechanisms by backbones, and every name of the zoo."""

import copy
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import pytest
import torch
from timm.layers import DropPath
from torch import Tensor

from lesionlens.models.base import Classifier
from lesionlens.models.factory import ModelSpec
from lesionlens.models.zoo import ZOO


class Case(NamedTuple):
    """One network, and the height and width of images that it can take."""

    architecture: ModelSpec
    size: tuple[int, int]

    def __str__(self) -> str:
        made = self.architecture
        return f"{made.backbone}-{made.attention}"


DENSE = {"growth_rate": 8, "block_config": (2, 2, 2, 2), "bn_size": 2}
SWIN = {
    "img_size": (64, 96),
    "window_size": 2,
    "embed_dim": 16,
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 1, 2, 2),
}
VIT = {"img_size": (96, 64), "dynamic_img_size": True}
ODD = (75, 107)
BACKBONES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {  # options that make it tiny, size of images
    "test_resnet": ({}, ODD),
    "test_efficientnet": ({}, ODD),
    "mobilenetv3_small_050": ({}, ODD),
    "densenet121": (DENSE, ODD),
    "test_convnext": ({}, ODD),
    "test_vit": (VIT, (96, 64)),
    "swin_tiny_patch4_window7_224": (SWIN, (64, 96)),
}
FAMILIES = {  # real members of every family that the mechanisms are made for
    **{name: ({}, (97, 129)) for name in (
        "resnet18", "resnext50_32x4d", "seresnet50", "legacy_seresnext50_32x4d", "densenet121", "vgg11", "vgg11_bn",
        "inception_v3", "inception_v4", "inception_resnet_v2", "mobilenetv2_100", "mobilenetv3_large_100",
        "efficientnet_b0", "efficientnetv2_rw_t", "convnext_atto",
    )},
    "vit_tiny_patch16_224": ({"dynamic_img_size": True}, (96, 128)),
    "deit_tiny_patch16_224": ({"dynamic_img_size": True}, (96, 128)),
    "swin_tiny_patch4_window7_224": ({"img_size": (224, 224)}, (224, 224)),
    "swinv2_tiny_window8_256": ({"img_size": (256, 256)}, (256, 256)),
}  # fmt: skip
RESIDUAL = ("test_resnet", "resnet18", "resnext50_32x4d", "seresnet50")
ANYWHERE = ("none", "multi-stage", "gate", "soft", "patch")
STACKED = ("patch+gate", "patch+soft", "patch+arl", "patch+ran")


def grid(backbones: dict[str, tuple[dict[str, Any], tuple[int, int]]]) -> Iterator[Case]:
    """Give every mechanism on every backbone where it works; what is stacked, on one of them."""
    for name, (options, size) in backbones.items():
        mechanisms = [*ANYWHERE, *(("arl", "ran") if name in RESIDUAL else ())]
        for attention in [*mechanisms, *(STACKED if name == "test_resnet" else ())]:
            crops = {"crops": 5, "initial": True, "end": True} if attention.startswith("patch") else {}
            yield Case(ModelSpec(name, attention, {**options, **crops}), size)


def zoo() -> Iterator[Case]:
    for found in ZOO.values():
        yield Case(ModelSpec(found.backbone, found.attention, dict(found.kwargs)), (97, 129))


TINY = list(grid(BACKBONES))
LARGE = [*grid(FAMILIES), *zoo()]
CASES = [
    *(pytest.param(case, id=str(case)) for case in TINY),
    *(pytest.param(case, id=f"{case}-{n}", marks=pytest.mark.slow) for n, case in enumerate(LARGE)),
]
every = pytest.mark.parametrize(
    "case", CASES, scope="module"
)  # all tests of a network together: it is built once
# tracing takes a second or two each: all mechanisms on one backbone always, the others with the slow ones
CASES_EXPORTED = [
    pytest.param(*case.values, id=case.id, marks=case.marks)
    if case.marks or case.values[0].architecture.backbone == "test_resnet"
    else pytest.param(*case.values, id=case.id, marks=pytest.mark.slow)
    for case in CASES
]


@lru_cache(maxsize=2)
def _built(backbone: str, attention: str, options: str) -> Classifier:
    torch.manual_seed(0)
    made = next(c.architecture for c in [*TINY, *LARGE] if _key(c) == (backbone, attention, options))
    return made.build(3)


def _key(case: Case) -> tuple[str, str, str]:
    made = case.architecture
    return made.backbone, made.attention, repr(made.kwargs)


def network(case: Case) -> Classifier:
    """Build a network once for all tests that leave it as it is."""
    return _built(*_key(case)).eval()


def images(case: Case, count: int = 2) -> Tensor:
    """Draw images, or bags of crops, of an odd size that is not square, where the network allows it."""
    crops = [case.architecture.num_crops] if case.architecture.num_crops else []
    return torch.rand(count, *crops, 3, *case.size, generator=torch.Generator().manual_seed(1))


MAPS = {"none": 0, "multi-stage": 0, "gate": 2, "arl": 4, "ran": 3, "soft": 17}


def roughly(logits: Tensor) -> dict[str, float]:
    """Give tolerances for networks of untrained layers, many of which multiply what was rounded before."""
    return {"rtol": 1e-3, "atol": 1e-4 * max(1.0, float(logits.abs().max()))}


def expected_maps(made: ModelSpec) -> int:
    """Count the maps that a mechanism shows: those of what is inside, and the weights of crops."""
    mechanism = made.attention.removeprefix("patch+").replace("patch", "none")
    return MAPS[mechanism] + sum(bool(made.kwargs.get(place)) for place in ("initial", "end"))


@every
@torch.no_grad()
def test_gives_logits_and_maps_only_when_asked(case: Case) -> None:
    model = network(case)
    silent, looking = model(images(case)), model(images(case), maps=True)
    assert silent.logits.shape == (2, 3)
    assert silent.maps == {}
    assert torch.equal(silent.logits, looking.logits)
    assert len(looking.maps) == expected_maps(case.architecture)
    bag = [case.architecture.num_crops] if case.architecture.num_crops else []
    for name, values in looking.maps.items():
        grid = [] if name.endswith("crops") else list(values.shape[-2:])
        assert list(values.shape) == [2, *bag, *grid], name
        assert all(1 <= side <= most for side, most in zip(grid, case.size, strict=False)), name
        assert bool(torch.isfinite(values).all()), name
        assert float(values.min()) >= 0, name


@every
@torch.no_grad()
def test_its_three_steps_are_the_whole(case: Case) -> None:
    model = network(case)
    features = model.forward_features(images(case))
    embedded = model.pool(features)
    assert embedded.shape[-1] == model.num_features
    whole = model(images(case)).logits
    torch.testing.assert_close(model.forward_head(features), whole, **roughly(whole))


@every
@torch.no_grad()
def test_an_image_does_not_feel_its_neighbours(case: Case) -> None:
    model, x = network(case), images(case, 3)
    alone = model(x[1:2]).logits
    torch.testing.assert_close(model(x).logits[1:2], alone, **roughly(alone))


@every
def test_gradient_reaches_every_parameter(case: Case) -> None:
    model = copy.deepcopy(network(case)).train()
    for module in model.modules():
        # timm starts the last norm of some blocks at 0: nothing flows
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm) and module.weight is not None:
            torch.nn.init.constant_(module.weight, 1.0)
        if isinstance(module, torch.nn.Dropout | torch.nn.Dropout2d):
            module.p = 0.0
        if isinstance(module, DropPath):
            module.drop_prob = 0.0
    model(images(case, 4)).logits.square().sum().backward()
    silent = {name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())}
    softmax = case.architecture.kwargs.get("normalization") == "softmax"
    unfelt = ("attention.conv.bias", "phi.bias") if softmax else ("attention.conv.bias",)
    # a softmax over places does not feel what is added to all of them
    assert {name for name in silent if not name.endswith(unfelt)} == set()
    assert all(p.grad is not None for p in model.parameters())


@every
@torch.no_grad()
def test_bf16_and_channels_last_stay_close(case: Case) -> None:
    model, x = copy.deepcopy(network(case)), images(case)
    exact = model(x).logits
    model = model.to(memory_format=torch.channels_last)
    if x.ndim == 4:
        x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(model(x).logits, exact, **roughly(exact))
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(x, maps=True)
    # without training, Inception's scores reach 1e7 and its many layers multiply what is rounded
    assert float((rough.logits.float() - exact).abs().max()) < 0.15 * max(1.0, float(exact.abs().max()))
    assert all(bool(torch.isfinite(values).all()) for values in rough.maps.values())


@every
@torch.no_grad()
def test_comes_back_from_its_state(case: Case) -> None:
    model = network(case)
    again = case.architecture.build(3).eval()
    again.load_state_dict(model.state_dict())
    assert torch.equal(again(images(case)).logits, model(images(case)).logits)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES_EXPORTED, scope="module")
@pytest.mark.filterwarnings("ignore:The tensor attributes self.recurrent.gru")  # torch's own way with a GRU
@torch.no_grad()
def test_can_be_exported(case: Case) -> None:
    """With any number of images, maps included."""
    model, x = network(case), images(case, 3)
    sizes = {"x": {0: torch.export.Dim("b", min=2)}, "maps": None}
    exported = torch.export.export(model, (x[:2],), {"maps": True}, dynamic_shapes=sizes, strict=False)
    found, wanted = exported.module()(x, maps=True), model(x, maps=True)
    torch.testing.assert_close(found.logits, wanted.logits, **roughly(wanted.logits))
    assert list(found.maps) == list(wanted.maps)
