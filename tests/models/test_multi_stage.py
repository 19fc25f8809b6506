"""AttnMel-CNN and its baselines against the authors' networks, and one training step against a reference."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.models.backbone import meta_device
from lesionlens.models.base import Classifier
from lesionlens.models.factory import create_model
from lesionlens.models.multi_stage import GatedClassifier
from lesionlens.runs.schema import AttentionPriorRecipe
from lesionlens.runs.train_schema import TrainRecipe
from lesionlens.training.attention_prior import make_attention_prior
from lesionlens.training.losses import ClassificationLoss

from ..helpers.deterministic_weights import deterministic_weights, smooth_images
from ..helpers.tolerances import close, terms_of

GOLDEN = Path(__file__).parents[1] / "golden" / "attnmel_network.json"
OURS = {"cls.": "head.", "attn1.": "gates.0.", "attn2.": "gates.1."}


def load_authors_weights(model: Classifier, keys: list[Any]) -> None:
    """Load formula-generated weights: those of the backbone by order, the others by name."""
    theirs = deterministic_weights(keys)
    blocks = [value for key, value in theirs.items() if key.startswith("conv_block")]
    backbone_keys = [key for key in model.backbone.state_dict() if not key.endswith("num_batches_tracked")]
    state = {f"backbone.{key}": value for key, value in zip(backbone_keys, blocks, strict=True)}
    for key, value in theirs.items():
        for prefix, ours in OURS.items():
            if key.startswith(prefix):
                state[ours + key.removeprefix(prefix)] = value
    result = model.load_state_dict(state, strict=False, assign=True)
    assert not result.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in result.missing_keys)


@pytest.mark.parametrize(
    "variant", ["sigmoid", *(pytest.param(name, marks=pytest.mark.slow) for name in ("softmax", "mel_cnn"))]
)
def test_equals_the_authors_network(variant: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    variant_data = golden["variants"][variant]
    options = (
        {"attention": "multi-stage"}
        if variant == "mel_cnn"
        else {"attention": "gate", "normalization": variant}
    )
    with meta_device():  # all weights are replaced
        model = create_model(backbone="vgg16_bn", num_classes=2, **options)
    load_authors_weights(model, variant_data["keys"])
    with torch.inference_mode():
        output = model.eval()(smooth_images(2, 3, 224, 224, phase=golden["phase"]), maps=True)

    def check(ours: Tensor, theirs: str) -> None:
        expected = torch.tensor(variant_data[theirs])
        torch.testing.assert_close(ours, expected, **close(expected, terms_of(model)))

    check(output.logits, "logits")
    assert set(output.maps) == (set() if variant == "mel_cnn" else {"pool3", "pool4"})
    if output.maps:
        check(output.maps["pool4"], "map_pool4")
        check(output.maps["pool3"].mean(dim=(1, 2)) * 28 * 28, "map_pool3_sum")


@pytest.mark.parametrize(
    ("attention", "options", "parameters"),
    [("gate", {}, 15_184_964), ("multi-stage", {}, 14_725_698), ("multi-stage", {"taps": ()}, 14_724_162)],
)
def test_counts_the_authors_parameters(attention: str, options: dict[str, Any], parameters: int) -> None:
    with meta_device():
        model = create_model(backbone="vgg16_bn", attention=attention, num_classes=2, **options)
    assert sum(p.numel() for p in model.parameters()) == parameters


def _reference_gate(
    local: Tensor, last: Tensor, state: dict[str, Tensor], gate: str
) -> tuple[Tensor, Tensor]:
    upsampled = F.interpolate(F.conv2d(last, state[f"{gate}.W_g.weight"]), local.shape[2:], mode="bilinear")
    hidden = F.relu(F.conv2d(local, state[f"{gate}.W_l.weight"]) + upsampled)
    attention = torch.sigmoid(F.conv2d(hidden, state[f"{gate}.phi.weight"], state[f"{gate}.phi.bias"]))
    return (local * attention).mean(dim=(2, 3)), attention[:, 0]


def _reference_forward(x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, list[Tensor]]:
    """Compute VGG-11 in training mode layer by layer, with gates after its third and fourth pooling."""
    tapped, number = [], 0
    for block in (1, 1, 2, 2, 2):
        for _ in range(block):
            name = f"backbone.features.{number}"
            x = F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1)
            mean, var = (
                x.mean(dim=(0, 2, 3), keepdim=True),
                x.var(dim=(0, 2, 3), keepdim=True, unbiased=False),
            )
            norm = f"backbone.features.{number + 1}"
            x = (x - mean) / (var + 1e-5).sqrt()
            x = F.relu(x * state[f"{norm}.weight"][:, None, None] + state[f"{norm}.bias"][:, None, None])
            number += 3
        x = F.max_pool2d(x, 2, 2)
        tapped.append(x)
        number += 1
    gated = [_reference_gate(tapped[index], x, state, f"gates.{gate}") for gate, index in enumerate((2, 3))]
    concatenated = torch.cat([x.mean(dim=(2, 3)), *(pooled for pooled, _ in gated)], dim=1)
    return F.linear(concatenated, state["head.weight"], state["head.bias"]), [
        attention for _, attention in gated
    ]


def _reference_loss(logits: Tensor, target: Tensor, maps: list[Tensor], masks: Tensor) -> Tensor:
    p = torch.exp(logits) / torch.exp(logits).sum(dim=1, keepdim=True)
    p = p[torch.arange(len(target)), target]
    total = (-((1 - p) ** 2) * torch.log(p)).mean()
    for weight, a in zip((0.001, 0.01), maps, strict=True):
        b, h, w = a.shape
        m = masks.reshape(b, h, masks.shape[1] // h, w, masks.shape[2] // w).mean(dim=(2, 4))
        total = total + weight * (1 - 2 * (a * m).sum() / (a + m).sum())
    return total


@pytest.mark.slow
def test_one_training_step_equals_the_reference() -> None:
    generator = torch.manual_seed(0)
    # a small ratio, because timm's head is slow to build and is removed
    model = GatedClassifier("vgg11_bn", num_classes=2, mlp_ratio=0.01).double().train()
    x = torch.rand(2, 3, 64, 64, generator=generator, dtype=torch.float64)
    target, masks = torch.tensor([0, 1]), (x[:, 0] > 0.6).double()
    state = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    logits, maps = _reference_forward(x, state)
    loss = _reference_loss(logits, target, maps, masks)
    gradients = torch.autograd.grad(loss, list(state.values()))
    expected = {
        # SGD with Nesterov momentum: in the first step the momentum is the gradient itself
        name: value.detach() - 0.01 * (1 + 0.9) * (gradient + 1e-4 * value.detach())
        for (name, value), gradient in zip(state.items(), gradients, strict=True)
    }

    optimizer = torch.optim.SGD(model.parameters(), 0.01, 0.9, weight_decay=1e-4, nesterov=True)
    prior = make_attention_prior(AttentionPriorRecipe(target="lesion"), model, (64, 64))
    assert prior is not None
    output = model(x, maps=True)
    terms = prior(output.maps, masks.byte()[:, None] * 255, torch.ones(len(masks), dtype=torch.bool))
    ours = ClassificationLoss(TrainRecipe(loss="focal"))(output.logits, target)
    ours = ours + sum(prior.weights[name] * term for name, term in terms.items())
    torch.testing.assert_close(ours, loss, rtol=0, atol=1e-9)
    ours.backward()
    optimizer.step()
    for name, value in model.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name], rtol=0, atol=1e-12)
    changes = {
        name: float((value - state[name]).detach().abs().max()) for name, value in model.named_parameters()
    }
    assert min(changes[name] for name in changes if name.startswith("gates") and "weight" in name) > 1e-7


def test_taps_select_the_gated_stages() -> None:
    model = create_model(backbone="test_resnet", attention="gate", num_classes=3, taps=("layer3", "layer1"))
    maps = model.eval()(torch.rand(2, 3, 32, 32), maps=True).maps
    assert {name: tuple(values.shape) for name, values in maps.items()} == {
        "layer1": (2, 8, 8),
        "layer3": (2, 2, 2),
    }
    assert model.eval()(torch.rand(2, 3, 32, 32)).maps == {}


def test_unknown_stage_raises() -> None:
    with pytest.raises(
        ModelError, match=r"unknown stage 'pool3'.*Allowed: act1, layer1, layer2, layer3, layer4"
    ):
        create_model(backbone="test_resnet", attention="gate", num_classes=3, taps=("pool3",))


@torch.no_grad()
def test_mel_cnn_is_attnmel_cnn_with_gates_fixed_to_one() -> None:
    gated, baseline = (
        create_model(backbone="test_resnet", attention=attention, num_classes=2).eval()
        for attention in ("gate", "multi-stage")
    )
    baseline.load_state_dict({key: value for key, value in gated.state_dict().items() if "gates." not in key})
    x = torch.rand(2, 3, 64, 80, generator=torch.manual_seed(0))
    assert not torch.allclose(gated(x).logits, baseline(x).logits, atol=1e-6)
    for gate in gated.gates:
        gate.phi.bias.fill_(100.0)
    torch.testing.assert_close(gated(x).logits, baseline(x).logits)
