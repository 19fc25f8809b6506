"""Attention residual learning in timm's residual networks."""

import copy

import pytest
import timm
import torch
import torchvision

from lesionlens.core.errors import ModelError
from lesionlens.models.arl_resnet import INITIAL_ALPHA, ARLBottleneck, ARLResNet, compile_attention
from lesionlens.models.attention import arl_fused
from lesionlens.models.attention.deferred_norm import DeferredNormBranch, deferred_batch_norm
from lesionlens.models.factory import create_model

from ..helpers.tolerances import close, terms_of

FAMILY = [
    "resnet18",
    "resnet26d",
    pytest.param("resnext50_32x4d", marks=pytest.mark.slow),
    pytest.param("seresnet50", marks=pytest.mark.slow),
    "ecaresnet26t",
    "test_resnet",
]


def narrow(name: str) -> dict[str, tuple[int, ...]]:
    """Return options for fewer channels; the widths of ResNeXt-50 and SE-ResNet-50 remain."""
    return (
        {"channels": (64, 16, 32, 64)}
        if name in {"resnet18", "resnet26d", "ecaresnet26t", "seresnet18"}
        else {}
    )


@pytest.mark.parametrize("name", FAMILY)
def test_alpha_zero_equals_timm_itself(name: str) -> None:
    """The reference is timm's forward, also in training mode."""
    torch.manual_seed(0)
    theirs = timm.create_model(name, num_classes=3, zero_init_last=False, **narrow(name)).double()
    ours = ARLResNet(name, num_classes=3, alpha=0.0, **narrow(name))
    ours.backbone.load_state_dict(theirs.state_dict(), strict=False)
    ours = ours.double()  # a convolution in float32 may depend on the memory alignment of its input
    x = torch.rand(2, 3, 64, 64, dtype=torch.float64)
    for mode in (True, False):
        expected = theirs.train(mode)(x).detach()
        torch.testing.assert_close(ours.train(mode)(x).logits, expected, **close(expected, terms_of(ours)))


def test_alpha_zero_equals_torchvision() -> None:
    """A second reference at the paper's depth, with its own random weights."""
    torch.manual_seed(1)
    theirs = torchvision.models.resnet50(num_classes=2, width_per_group=16).eval().double()
    ours = create_model("arl_cnn50", num_classes=2, alpha=0.0, base_width=16).eval().double()
    new = ours.backbone.load_state_dict(theirs.state_dict(), strict=False)
    assert [f"backbone.{key}" for key in new.missing_keys] == list(ours.attention_scales)
    x = torch.rand(1, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs(x)
        torch.testing.assert_close(ours(x).logits, expected, **close(expected, terms_of(ours)))


@pytest.fixture
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the formulas of the compiled operation eagerly."""
    monkeypatch.setattr(arl_fused, "run_compiled", lambda formula, *args: formula(*args))


@pytest.fixture(scope="module")
def bottleneck() -> ARLBottleneck:
    """Build one block in training mode; tests change copies of it."""
    block = create_model("arl_cnn14", num_classes=2, alpha=0.5).train().get_submodule("backbone.layer2.0")
    assert isinstance(block, ARLBottleneck)
    return block


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("activation", [torch.nn.ReLU, torch.nn.SiLU, torch.nn.Identity])
def test_activation_is_applied_once(
    activation: type[torch.nn.Module], compiled: bool, bottleneck: ARLBottleneck, uncompiled: None
) -> None:
    block = copy.deepcopy(bottleneck)
    block.act3, block.compiled = activation(), compiled
    x = torch.randn(2, 256, 8, 8).to(memory_format=torch.channels_last)
    identity, residual = block.identity_and_residual(x)
    mask = residual.flatten(2).softmax(2).reshape(residual.shape)
    expected = activation()(residual + identity + 0.5 * mask * identity)
    tolerance = close(expected, terms_of(block))
    torch.testing.assert_close(block(x), expected, **tolerance)
    torch.testing.assert_close(block.forward_with_mask(x).features, block(x), **tolerance)


def test_activation_with_hook_is_called(uncompiled: None) -> None:
    model = create_model("arl_cnn14", num_classes=2).train()
    compile_attention(model)
    outputs: list[torch.Tensor] = []
    model.get_submodule("backbone.layer2.0.act3").register_forward_hook(
        lambda *args: outputs.append(args[-1])
    )
    model(torch.randn(2, 3, 32, 32))
    assert len(outputs) == 1


NUM_DEFERRED = {
    "resnet26d": 8 + 4,
    "seresnet18": 3,
    "test_resnet": 4 + 3,
}  # norms of F(x), unless squeeze-and-excitation follows, and of shortcuts


def train_one_step(model: torch.nn.Module, *, compiled: bool) -> dict[str, torch.Tensor]:
    """Return all gradients and buffers after one training step."""
    model = copy.deepcopy(model)
    if compiled:
        compile_attention(model)
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x = x.to(memory_format=torch.channels_last)
    torch.nn.functional.cross_entropy(model(x).logits, torch.arange(3)).backward()
    gradients = {key: value.grad for key, value in model.named_parameters() if value.grad is not None}
    assert len(gradients) == len(list(model.parameters()))
    return gradients | {f"buffer {key}": value for key, value in model.named_buffers()}


@pytest.mark.parametrize("name", sorted(NUM_DEFERRED))
def test_deferred_norms_give_the_same_gradients(
    name: str, uncompiled: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float64, so that rounding hides no difference."""
    branches: list[DeferredNormBranch] = []

    def record(norm: torch.nn.Module, x: torch.Tensor) -> DeferredNormBranch:
        branches.append(deferred_batch_norm(norm, x))
        return branches[-1]

    monkeypatch.setattr(arl_fused, "deferred_batch_norm", record)
    torch.manual_seed(0)
    options = {"backbone": name, "attention": "arl", "alpha": 0.5, **narrow(name)}
    model = create_model(num_classes=3, **options).train().double()  # type: ignore[arg-type]
    model = model.to(memory_format=torch.channels_last)
    reference, deferred = (train_one_step(model, compiled=compiled) for compiled in (False, True))
    for key, value in reference.items():
        torch.testing.assert_close(deferred[key], value, rtol=1e-7, atol=1e-10, msg=key)
    assert sum(branch.norm is not None for branch in branches) == len(branches) == NUM_DEFERRED[name]


def test_every_block_has_its_own_alpha() -> None:
    model = create_model("arl_cnn50", num_classes=2, alpha=0.25, base_width=16)
    assert isinstance(model, ARLResNet)
    alphas = {name: block.alpha.item() for name, block in model.arl_blocks()}
    assert [*alphas][::15] == ["layer1.0", "layer4.2"]
    assert set(alphas.values()) == {0.25}
    assert len(alphas) == 16
    paper = create_model("arl_cnn14", num_classes=2, base_width=16)
    assert isinstance(paper, ARLResNet)
    assert [block.alpha.item() for _, block in paper.arl_blocks()] == pytest.approx([INITIAL_ALPHA] * 4)


def test_spatial_maps_are_distributions() -> None:
    model = create_model("arl_cnn14", num_classes=2).eval()
    maps = model(torch.rand(2, 3, 32, 32), maps=True).maps
    assert list(maps) == ["layer1", "layer2", "layer3", "layer4"]
    for values in maps.values():
        torch.testing.assert_close(values.sum(dim=(1, 2)), torch.ones(2))


@pytest.mark.parametrize(
    "name", ["res2net50_26w_4s", "convnext_tiny", "vit_tiny_patch16_224", "mobilenetv2_100"]
)
def test_unsupported_backbone_error_has_examples(name: str) -> None:
    with pytest.raises(ModelError, match=r"x \+ F\(x\).*resnet50"):
        create_model(backbone=name, attention="arl", num_classes=2)


def test_taps_select_stages() -> None:
    model = create_model(backbone="test_resnet", attention="arl", num_classes=2, taps=("layer2", "layer4"))
    assert isinstance(model, ARLResNet)
    assert {name.split(".")[0] for name, _ in model.arl_blocks()} == {"layer2", "layer4"}
    assert list(model.eval()(torch.rand(1, 3, 32, 32), maps=True).maps) == ["layer2", "layer4"]
    with pytest.raises(ModelError, match="did you mean 'layer4'"):
        create_model(backbone="test_resnet", attention="arl", num_classes=2, taps=("layer5",))


def test_compiling_does_not_change_the_state_dict() -> None:
    model = create_model(backbone="test_resnet", attention="patch+arl", crops=5, num_classes=2)
    before = list(model.state_dict())
    assert compile_attention(model)
    assert list(model.state_dict()) == before
    assert not compile_attention(create_model(backbone="test_resnet", num_classes=2))
