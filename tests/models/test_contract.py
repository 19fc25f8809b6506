"""Contract tests of every network: all mechanisms on all backbones, and all entries of the zoo."""

import copy
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import pytest
import torch
from timm.layers import DropPath
from torch import Tensor

from lesionlens.models.base import Classifier
from lesionlens.models.factory import MECHANISMS, build_network
from lesionlens.models.spec import ModelSpec
from lesionlens.models.zoo import MAP_SUMMARIES, ZOO


class Case(NamedTuple):
    """Specification of a network, and height and width of its input."""

    architecture: ModelSpec
    size: tuple[int, int]

    def __str__(self) -> str:
        spec = self.architecture
        return f"{spec.backbone}-{spec.attention}"


DENSE = {"growth_rate": 8, "block_config": (2, 2, 2, 2), "bn_size": 2}
SWIN = {
    "img_size": (64, 96),
    "window_size": 2,
    "embed_dim": 16,
    "depths": (1, 1, 1, 1),
    "num_heads": (1, 1, 2, 2),
}
VIT = {"img_size": (48, 32), "dynamic_img_size": True}
ODD = (65, 75)
BACKBONES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {  # options for a tiny version, image size
    "test_resnet": ({}, ODD),
    "test_efficientnet": ({}, ODD),
    "mobilenetv3_small_050": ({}, ODD),
    "densenet121": (DENSE, ODD),
    "test_convnext": ({}, ODD),
    "test_vit": (VIT, (48, 32)),
    "swin_tiny_patch4_window7_224": (SWIN, (64, 96)),
}
FAMILIES = {  # full-size members of every supported family
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
ONLY_RESIDUAL = ("arl", "ran")
WITH_PAIRS = "arl-stack"  # needs names of layers
ANYWHERE = (*(name for name in MECHANISMS if name not in {*ONLY_RESIDUAL, WITH_PAIRS}), "patch")
STACKED = ("patch+gate", "patch+soft", "patch+arl", "patch+ran")


def grid(backbones: dict[str, tuple[dict[str, Any], tuple[int, int]]]) -> Iterator[Case]:
    """Yield every mechanism on every backbone that supports it; combinations with patch only on one."""
    for name, (options, size) in backbones.items():
        mechanisms = [*ANYWHERE, *(ONLY_RESIDUAL if name in RESIDUAL else ())]
        for attention in [*mechanisms, *(STACKED if name == "test_resnet" else ())]:
            crops = {"crops": 5, "initial": True, "end": True} if attention.startswith("patch") else {}
            yield Case(ModelSpec(name, attention, {**options, **crops}), size)


def zoo() -> Iterator[Case]:
    for entry in ZOO.values():
        yield Case(ModelSpec(entry.backbone, entry.attention, dict(entry.kwargs)), (97, 129))


PAIRS = {"pairs": (("layer1.0.conv2", "layer1.0.bn2"), ("layer3.0.bn2", "layer3.0.bn2"))}
VARIANTS: list[tuple[str, dict[str, Any]]] = [
    ("arl-stack", PAIRS),
    ("patch+arl-stack", PAIRS),
    ("patch", {"after": ("layer2", "layer4")}),
    ("patch", {"combine": "gru", "gru_layers": 2, "gru_width": 16, "gru_bidirectional": True}),
]
TINY = [
    *grid(BACKBONES),
    *(Case(ModelSpec("test_resnet", mechanism, options), ODD) for mechanism, options in VARIANTS),
]
LARGE = [*grid(FAMILIES), *zoo()]
SLOW_BACKBONES = ("mobilenetv3_small_050", "densenet121", "swin_tiny_patch4_window7_224")
CASES = [
    *(
        pytest.param(
            case,
            id=str(case),
            marks=pytest.mark.slow if case.architecture.backbone in SLOW_BACKBONES else (),
        )
        for case in TINY
    ),
    *(pytest.param(case, id=f"{case}-{n}", marks=pytest.mark.slow) for n, case in enumerate(LARGE)),
]
every = pytest.mark.parametrize(
    "case", CASES, scope="module"
)  # all tests of a network run together, so that it is built once
# tracing takes one or two seconds per network: by default all mechanisms on one backbone, the others are slow tests
CASES_EXPORTED = [
    pytest.param(*case.values, id=case.id, marks=case.marks)
    if case.marks or case.values[0].architecture.backbone == "test_resnet"
    else pytest.param(*case.values, id=case.id, marks=pytest.mark.slow)
    for case in CASES
]


@lru_cache(maxsize=2)
def _built(backbone: str, attention: str, options: str) -> Classifier:
    torch.manual_seed(0)
    spec = next(c.architecture for c in [*TINY, *LARGE] if _key(c) == (backbone, attention, options))
    return build_network(spec, 3)


def _key(case: Case) -> tuple[str, str, str]:
    spec = case.architecture
    return spec.backbone, spec.attention, repr(spec.kwargs)


def network(case: Case) -> Classifier:
    """Build a network once for all tests that do not change it."""
    return _built(*_key(case)).eval()


@lru_cache(maxsize=2)
def _logits(backbone: str, attention: str, options: str) -> Tensor:
    case = next(case for case in [*TINY, *LARGE] if _key(case) == (backbone, attention, options))
    with torch.no_grad():
        logits: Tensor = network(case)(images(case)).logits
    return logits


def reference_logits(case: Case) -> Tensor:
    """Return the logits of ``images(case)``, computed once for all tests that compare with them."""
    return _logits(*_key(case))


def images(case: Case, count: int = 2) -> Tensor:
    """Sample images, or crops of images, of an odd and non-square size if the network allows it."""
    crops = [case.architecture.num_crops] if case.architecture.num_crops else []
    return torch.rand(count, *crops, 3, *case.size, generator=torch.Generator().manual_seed(1))


def roughly(logits: Tensor) -> dict[str, float]:
    """Return tolerances for untrained networks, whose layers amplify rounding errors."""
    return {"rtol": 1e-3, "atol": 1e-4 * max(1.0, float(logits.abs().max()))}


def expected_maps(spec: ModelSpec) -> int:
    """Return the number of maps: those listed for the (inner) mechanism, and the weights of crops."""
    mechanism = spec.attention.removeprefix("patch+").replace("patch", "none")
    listed = sum(map(int, re.findall(r"\d+", MAP_SUMMARIES[mechanism])))
    layers = len(spec.kwargs.get("after", ())) + len(spec.kwargs.get("pairs", ()))
    return listed + layers + sum(bool(spec.kwargs.get(layer)) for layer in ("initial", "end"))


@every
@torch.no_grad()
def test_logits_and_maps_only_on_request(case: Case) -> None:
    model = network(case)
    without_maps, with_maps = model(images(case)), model(images(case), maps=True)
    assert without_maps.logits.shape == (2, 3)
    assert without_maps.maps == {}
    assert torch.equal(without_maps.logits, with_maps.logits)
    assert len(with_maps.maps) == expected_maps(case.architecture)
    bag = [case.architecture.num_crops] if case.architecture.num_crops else []
    for name, values in with_maps.maps.items():
        grid = [] if name.endswith("crops") else list(values.shape[-2:])
        assert list(values.shape) == [2, *bag, *grid], name
        assert all(1 <= side <= most for side, most in zip(grid, case.size, strict=False)), name
        assert bool(torch.isfinite(values).all()), name
        assert float(values.min()) >= 0, name


@every
@torch.no_grad()
def test_steps_equal_the_forward_pass(case: Case) -> None:
    model = network(case)
    features = model.forward_features(images(case))
    pooled = model.pool(features)
    assert pooled.shape[-1] == model.num_features
    logits = reference_logits(case)
    torch.testing.assert_close(model.forward_head(features), logits, **roughly(logits))


@every
@torch.no_grad()
def test_images_are_independent(case: Case) -> None:
    model, x = network(case), images(case, 3)
    single = model(x[1:2]).logits
    torch.testing.assert_close(model(x).logits[1:2], single, **roughly(single))


@every
def test_gradient_reaches_every_parameter(case: Case) -> None:
    model = copy.deepcopy(network(case)).train()
    for module in model.modules():
        # timm initializes the last norm of some blocks to 0, which blocks gradients
        if isinstance(module, torch.nn.BatchNorm2d | torch.nn.LayerNorm) and module.weight is not None:
            torch.nn.init.constant_(module.weight, 1.0)
        if isinstance(module, torch.nn.Dropout | torch.nn.Dropout2d):
            module.p = 0.0
        if isinstance(module, DropPath):
            module.drop_prob = 0.0
    model(images(case, 4)).logits.square().sum().backward()
    without_maps = {name for name, p in model.named_parameters() if p.grad is None or not bool(p.grad.any())}
    softmax = case.architecture.kwargs.get("normalization") == "softmax"
    without_gradient = ("attention.conv.bias", "phi.bias") if softmax else ("attention.conv.bias",)
    # a softmax over positions does not depend on a constant offset
    assert {name for name in without_maps if not name.endswith(without_gradient)} == set()
    assert all(p.grad is not None for p in model.parameters())


@every
@torch.no_grad()
def test_bf16_and_channels_last_stay_close(case: Case) -> None:
    model, x = copy.deepcopy(network(case)), images(case)
    exact = reference_logits(case)
    model = model.to(memory_format=torch.channels_last)
    if x.ndim == 4:
        x = x.to(memory_format=torch.channels_last)
    torch.testing.assert_close(model(x).logits, exact, **roughly(exact))
    with torch.autocast("cpu", torch.bfloat16):
        half = model(x, maps=True)
    # untrained, Inception's scores reach 1e7 and its many layers amplify rounding errors
    assert float((half.logits.float() - exact).abs().max()) < 0.15 * max(1.0, float(exact.abs().max()))
    assert all(bool(torch.isfinite(values).all()) for values in half.maps.values())


@every
@torch.no_grad()
def test_state_dict_round_trip(case: Case) -> None:
    restored = build_network(case.architecture, 3).eval()
    restored.load_state_dict(network(case).state_dict())
    assert torch.equal(restored(images(case)).logits, reference_logits(case))


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES_EXPORTED, scope="module")
@pytest.mark.filterwarnings(
    "ignore:The tensor attributes self.recurrent.gru"
)  # a warning of torch about GRUs
@torch.no_grad()
def test_can_be_exported(case: Case) -> None:
    """With a dynamic batch size and with maps."""
    model, x = network(case), images(case, 3)
    sizes = {"x": {0: torch.export.Dim("b", min=2)}, "maps": None}
    exported = torch.export.export(model, (x[:2],), {"maps": True}, dynamic_shapes=sizes, strict=False)
    output, expected = exported.module()(x, maps=True), model(x, maps=True)
    torch.testing.assert_close(output.logits, expected.logits, **roughly(expected.logits))
    assert list(output.maps) == list(expected.maps)
