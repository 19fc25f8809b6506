"""Networks of crops: averages, GRU and attention against independent implementations."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from lesionlens.core.errors import ModelError
from lesionlens.models import weights as weight_files
from lesionlens.models.arl_resnet import ARLResNet
from lesionlens.models.backbone import meta_device
from lesionlens.models.base import Classifier, TimmClassifier
from lesionlens.models.multi_stage import GatedClassifier, MultiStageClassifier
from lesionlens.models.patch_attention import CROP_AVERAGES, GRUHead, PatchAttentionNet, mask_crops
from lesionlens.models.spec import DEFAULT_NUM_CROPS
from lesionlens.models.tta import predict_proba

from ..helpers.tolerances import close, terms_of


@pytest.mark.parametrize(("width", "parameters"), [(1024, 6_297_600), (2048, 9_443_328)])
def test_counts_the_recurrent_parameters(width: int, parameters: int) -> None:
    with meta_device():
        layer = GRUHead(width, 7)
    assert sum(p.numel() for p in layer.gru.parameters()) == parameters


def test_gru_equals_an_independent_implementation() -> None:
    torch.manual_seed(0)
    layer, vectors = GRUHead(20, 3).double(), torch.rand(2, 4, 20, dtype=torch.float64)
    p = dict(layer.named_parameters())
    state = torch.zeros(2, 1024, dtype=torch.float64)
    for crop in vectors.unbind(dim=1):
        ours = (crop @ p["gru.weight_ih_l0"].T + p["gru.bias_ih_l0"]).chunk(3, dim=1)
        before = (state @ p["gru.weight_hh_l0"].T + p["gru.bias_hh_l0"]).chunk(3, dim=1)
        reset, update = (torch.sigmoid(ours[gate] + before[gate]) for gate in (0, 1))
        state = (1 - update) * torch.tanh(ours[2] + reset * before[2]) + update * state
    expected = state @ p["head.weight"].T + p["head.bias"]
    torch.testing.assert_close(layer(vectors), expected, rtol=0, atol=1e-12)


def test_gru_of_two_layers_and_directions_equals_single_ones() -> None:
    """Each layer and direction is a GRU of one layer and direction with the same weights."""
    torch.manual_seed(0)
    head = GRUHead(6, 3, width=5, num_layers=2, bidirectional=True)
    x = states = torch.rand(2, 4, 6)
    for layer in range(2):
        outputs = []
        for suffix, order in (("", 1), ("_reverse", -1)):
            single = torch.nn.GRU(states.shape[2], 5, batch_first=True)
            weights = {
                key: getattr(head.gru, key.replace("l0", f"l{layer}{suffix}")) for key in single.state_dict()
            }
            single.load_state_dict(weights)
            directed = states if order == 1 else states.flip(1)
            output = single(directed)[0]
            outputs.append(output if order == 1 else output.flip(1))
        states = torch.cat(outputs, dim=2)
    last = torch.cat([states[:, -1, :5], states[:, 0, 5:]], dim=1)
    torch.testing.assert_close(head(x), head.head(last))


def test_averages() -> None:
    logits = torch.tensor([[[3.0, 1.0], [1.0, 1.0]]]).log()  # probabilities 3/4, 1/4 and 1/2, 1/2
    torch.testing.assert_close(CROP_AVERAGES["logits"](logits).exp(), torch.tensor([[3.0**0.5, 1.0]]))
    torch.testing.assert_close(CROP_AVERAGES["probabilities"](logits).exp(), torch.tensor([[0.625, 0.375]]))


def test_votes_of_crops_and_ties() -> None:
    logits = torch.tensor([[[0.0, 3.0, 1.0], [0.2, 0.1, 0.0], [0.0, 9.0, 2.0], [5.0, 1.0, 1.0]]])
    fractions = CROP_AVERAGES["vote"](logits).softmax(dim=1)
    torch.testing.assert_close(fractions, torch.tensor([[0.5, 0.5, 0.0]]))


def test_voting_network_trains_on_mean_logits() -> None:
    model, x = patch_net(average="vote").train(), sample_crops()
    model(x).logits.sum().backward()
    assert bool(model.inner.backbone.fc.weight.grad.any())  # type: ignore[union-attr]
    model.zero_grad()
    logits = model.eval()(x).logits
    votes = 4 * logits.detach().softmax(dim=1)
    torch.testing.assert_close(votes, votes.round())
    logits[:, 0].sum().backward()  # as Grad-CAM does
    assert bool(model.inner.backbone.fc.weight.grad.any())  # type: ignore[union-attr]


def test_confident_crops_give_finite_scores_in_bf16() -> None:
    confident = torch.tensor([[[500.0, -500.0], [400.0, -400.0]]], dtype=torch.bfloat16)
    actual = CROP_AVERAGES["probabilities"](confident)
    assert actual.dtype == torch.float32
    assert bool(actual.isfinite().all())


INNER = {
    "none": TimmClassifier,
    "arl": ARLResNet,
    "gate": GatedClassifier,
    "multi-stage": MultiStageClassifier,
}


def patch_net(inner: str = "none", backbone: str = "test_resnet", **options: Any) -> PatchAttentionNet:
    """Build a network of four crops and three classes."""
    torch.manual_seed(0)
    options = {"crops": 4, **options}
    return PatchAttentionNet(INNER[inner](backbone, num_classes=3), num_classes=3, **options)


def sample_crops(b: int = 2, n: int = 4, size: int = 64) -> Tensor:
    return torch.rand(b, n, 3, size, size, generator=torch.Generator().manual_seed(1))


def assert_same(actual: Tensor, expected: Tensor, model: PatchAttentionNet) -> None:
    """Compare float32 results for all crops together and crop by crop."""
    torch.testing.assert_close(actual, expected, **close(expected, terms_of(model), torch.float32))


def test_logits_or_probabilities_are_averaged() -> None:
    x = sample_crops() * torch.tensor([0.2, 1.0, 2.0, -1.0])[:, None, None, None]
    model = patch_net().eval()
    model.inner.backbone.fc.weight.data.mul_(300)  # type: ignore[union-attr, operator]  # crops that disagree
    crop_outputs = torch.stack([model.inner(crop).logits for crop in x.unbind(dim=1)], dim=1)
    assert_same(model(x).logits, crop_outputs.mean(dim=1), model)
    model.average = "probabilities"
    expected = crop_outputs.softmax(dim=2).mean(dim=1)
    assert_same(model(x).logits.exp(), expected, model)
    assert_same(predict_proba(model, x), expected.double(), model)
    assert_same(predict_proba(model, x), predict_proba(model.inner, x), model)
    assert not torch.allclose(expected, crop_outputs.mean(dim=1).softmax(dim=1), atol=1e-3)


def test_without_attention_any_number_of_crops_is_averaged() -> None:
    model = patch_net(average="probabilities").eval()
    assert model(sample_crops(n=7)).logits.shape == (2, 3)


def test_attention_scales_crops_and_vectors() -> None:
    model, x = patch_net(initial=True, end=True).eval(), sample_crops()
    output = model(x, maps=True)
    first, last = output.maps["initial crops"], output.maps["end crops"]
    inputs = x * first[:, :, None, None, None]
    vectors = torch.stack(
        [model.inner.pool(model.inner.forward_features(crop)) for crop in inputs.unbind(dim=1)], dim=1
    )
    assert_same(last, model.end.linear(vectors.mean(dim=2)).sigmoid(), model)  # type: ignore[union-attr]
    assert_same(model.pool(model.forward_features(x)), vectors * last[:, :, None], model)
    crop_outputs = model.inner.compute_logits((vectors * last[:, :, None]).flatten(0, 1)).reshape(2, 4, 3)
    assert_same(output.logits, crop_outputs.mean(dim=1), model)


@torch.no_grad()
def test_attention_after_layers_scales_their_feature_maps() -> None:
    model, x = patch_net(after=["layer2", "layer4"]).eval(), sample_crops()
    resnet, (second, fourth) = model.inner.backbone, model.inside.attention
    stem = resnet.maxpool(resnet.act1(resnet.bn1(resnet.conv1(x.flatten(0, 1)))))
    after2 = resnet.layer2(resnet.layer1(stem)).unflatten(0, (2, 4))
    weights2 = second.linear(after2.mean(dim=(2, 3, 4))).sigmoid()
    scaled = (after2 * weights2[:, :, None, None, None]).flatten(0, 1)
    after4 = resnet.layer4(resnet.layer3(scaled)).unflatten(0, (2, 4))
    weights4 = fourth.linear(after4.mean(dim=(2, 3, 4))).sigmoid()
    expected = (after4.mean(dim=(3, 4)) * weights4[:, :, None]) @ resnet.fc.weight.T + resnet.fc.bias
    output = model(x, maps=True)
    assert_same(output.logits, expected.mean(dim=1), model)
    assert list(output.maps) == ["layer2 crops", "layer4 crops"]
    assert_same(output.maps["layer2 crops"], weights2, model)
    assert not resnet.layer2._forward_hooks


@pytest.mark.parametrize(
    ("inner", "options", "message"),
    [
        ("none", {"after": ["layer9"]}, "unknown layer 'layer9'.*layer4"),
        ("arl", {"after": ["layer2"]}, "does not call this layer"),
        ("none", {"gru_layers": 2}, "need combine=gru"),
        ("none", {"combine": "gru", "gru_layers": 99999}, "Set gru_layers from 1 to 16"),
        ("none", {"combine": "gru", "gru_width": 0}, "gru_width from 1 to 16,384"),
    ],
)
def test_layers_and_grus_that_do_not_work_are_rejected(
    inner: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        patch_net(inner, **options)(sample_crops())


def test_the_recurrent_layer_reads_the_attended_vectors() -> None:
    model, x = patch_net(combine="gru", end=True).eval(), sample_crops()
    crop_outputs = [model.inner.pool(model.inner.forward_features(crop)) for crop in x.unbind(dim=1)]
    attended = model.end(torch.stack(crop_outputs, dim=1)).crops  # type: ignore[misc]
    assert_same(model(x).logits, model.recurrent(attended), model)  # type: ignore[misc]


@pytest.mark.parametrize("combine", ["average", "gru"])
@pytest.mark.parametrize(
    ("inner", "backbone"),
    [
        *((inner, "test_resnet") for inner in INNER),
        ("none", "test_convnext"),
        ("none", "test_efficientnet"),
        ("none", "test_vit"),
        ("none", "mobilenetv3_small_050"),
    ],
)
def test_every_parameter_learns_around_every_network(inner: str, backbone: str, combine: str) -> None:
    model = patch_net(inner, backbone, combine=combine, initial=True, end=True)
    output = model(sample_crops(size=160 if backbone == "test_vit" else 64), maps=True)
    output.logits.square().sum().backward()
    assert output.logits.shape == (2, 3)
    assert not [name for name, parameter in model.named_parameters() if parameter.grad is None]


def test_maps_of_crops() -> None:
    model, x = patch_net("arl", initial=True, end=True).eval(), sample_crops()
    maps = model(x, maps=True).maps
    assert {name: tuple(values.shape) for name, values in maps.items()} == {
        "initial crops": (2, 4),
        "layer1": (2, 4, 16, 16),
        "layer2": (2, 4, 8, 8),
        "layer3": (2, 4, 4, 4),
        "layer4": (2, 4, 2, 2),
        "end crops": (2, 4),
    }
    crop = x[1, 2][None] * maps["initial crops"][1, 2]
    assert_same(maps["layer3"][1, 2], model.inner(crop, maps=True).maps["layer3"][0], model)
    assert model(x).maps == {}


@torch.no_grad()
def test_patch_dropout_masks_crops_only_in_training() -> None:
    model = patch_net(initial=True, patch_dropout=0.25).train()
    inputs: list[Tensor] = []
    model.initial.register_forward_pre_hook(lambda _, given: inputs.append(given[0]))  # type: ignore[union-attr]
    x = sample_crops(8, size=32) + 0.1
    torch.manual_seed(3)
    for _ in range(40):
        model(x)
    masked = torch.stack([(crops == 0).flatten(2).all(dim=2) for crops in inputs])
    torch.testing.assert_close(
        torch.stack(inputs)[~masked], x.expand(40, -1, -1, -1, -1, -1)[~masked]
    )  # not rescaled
    assert float(masked.float().mean()) == pytest.approx(0.25, abs=3 * (0.25 * 0.75 / masked.numel()) ** 0.5)
    assert len({tuple(row.tolist()) for row in masked.flatten(0, 1)}) > 8  # crops are independent
    inputs.clear()
    model.eval()(x)
    assert torch.equal(inputs[0], x)


def test_masked_crops_are_exact_zeros() -> None:
    masked = torch.tensor([[True, False], [False, False]])
    actual = mask_crops(torch.full((2, 2, 3, 4, 4), torch.inf), masked)
    assert torch.equal((actual == 0).flatten(2).all(dim=2), masked)


def test_attributes_of_the_inner_network() -> None:
    inner = ARLResNet("test_resnet", num_classes=3)
    model = PatchAttentionNet(inner, num_classes=3)
    assert model.backbone is inner.backbone
    assert (model.num_crops, model.num_features, model.linear_head_weight()) == (
        DEFAULT_NUM_CROPS,
        inner.num_features,
        None,
    )
    names = dict(model.named_parameters())
    assert model.attention_scales
    assert all(names[name].ndim == 0 for name in model.attention_scales)
    assert not [key for key in model.state_dict() if key.startswith("backbone.")]  # not saved twice


@pytest.mark.parametrize("combine", ["average", "gru"])
def test_weights_of_the_backbone_fit(tmp_path: Path, combine: str) -> None:
    torch.manual_seed(5)
    state = TimmClassifier("test_resnet", num_classes=1000).backbone.state_dict()
    torch.save(state, tmp_path / "weights.pth")
    model = patch_net(combine=combine, end=True)
    new_keys = weight_files.load_backbone_weights(
        model, str(tmp_path / "weights.pth"), backbone="test_resnet"
    )
    assert torch.equal(
        model.state_dict()["inner.backbone.layer2.0.conv1.weight"], state["layer2.0.conv1.weight"]
    )
    assert {key.split(".")[0] for key in new_keys} == {
        "end",
        "inner" if combine == "average" else "recurrent",
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crops": 0}, "crops=0"),
        ({"combine": "grue"}, r"unknown combine 'grue': did you mean 'gru'\? Allowed: average, gru"),
        ({"average": "logit"}, "did you mean 'logits'"),
        ({"patch_dropout": 1.0}, "patch_dropout=1.0 is not allowed"),
    ],
)
def test_option_errors(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        patch_net(**options)


def test_nested_networks_of_crops_raise() -> None:
    inner: Classifier = patch_net()
    with pytest.raises(ModelError, match="must take single images"):
        PatchAttentionNet(inner, num_classes=3)


def test_input_shape_errors() -> None:
    with pytest.raises(ModelError, match=r"\(images, crops, 3, height, width\); got \(2, 3, 64, 64\)"):
        patch_net()(torch.rand(2, 3, 64, 64))
    with pytest.raises(ModelError, match=r"built for 4 crops per image; got 5.*crops=5"):
        patch_net(end=True)(sample_crops(n=5))
    with pytest.raises(ModelError, match="built for 4 crops"):
        patch_net(initial=True)(sample_crops(n=3))
