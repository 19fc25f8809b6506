"""Networks of crops against the authors': logits of DenseNet-121, parameter counts of all three backbones."""

import json
from pathlib import Path

import pytest
import torch
import torchvision

from lesionlens.models.backbone import meta_device
from lesionlens.models.base import TimmClassifier
from lesionlens.models.patch_attention import PatchAttentionNet

from ..helpers.deterministic_weights import deterministic_weights, smooth_images
from ..helpers.tolerances import close, terms_of

GOLDEN = Path(__file__).parents[1] / "golden" / "patch_network_densenet121.json"


@pytest.mark.parametrize(
    "variant", [pytest.param("initial=0,end=1", marks=pytest.mark.slow), "initial=1,end=1"]
)
def test_equals_the_authors_network(variant: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    variant_data = golden["variants"][variant]
    initial = "initial" in variant_data["attention_keys"]
    with meta_device():  # all weights are replaced
        inner = TimmClassifier("densenet121", num_classes=7, last_relu=False)
        model = PatchAttentionNet(
            inner, num_classes=7, crops=golden["crops"], initial=initial, end=True
        ).eval()
    state = {
        key.replace("trunk.", "inner.backbone.features.").replace(
            "head.", "inner.backbone.classifier."
        ): value
        for key, value in deterministic_weights(variant_data["trunk_and_head_keys"]).items()
    }
    for layer_name, keys in variant_data["attention_keys"].items():
        state |= {
            key.replace("fc.0", f"{layer_name}.linear"): value
            for key, value in deterministic_weights(keys).items()
        }
    result = model.load_state_dict(state, strict=False, assign=True)
    assert not result.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in result.missing_keys)
    with torch.inference_mode():
        logits = model(smooth_images(2, golden["crops"], 3, 224, 224, phase=golden["phase"])).logits
    expected = torch.tensor(variant_data["logits"])
    torch.testing.assert_close(logits, expected, **close(expected, terms_of(model)))


@pytest.mark.slow
def test_inception_equals_torchvisions_layers() -> None:
    torch.manual_seed(4)
    theirs = torchvision.models.inception_v3(
        num_classes=7, aux_logits=True, init_weights=False, transform_input=False
    ).eval()
    model = PatchAttentionNet(
        TimmClassifier("inception_v3", num_classes=7), num_classes=7, crops=5, initial=True, end=True
    ).eval()
    state = {key: value for key, value in theirs.state_dict().items() if not key.startswith("AuxLogits")}
    model.inner.backbone.load_state_dict(state)
    crops = torch.rand(2, 5, 3, 224, 224)
    layers = [layer for name, layer in theirs.named_children() if name[:4] in {"Conv", "maxp", "Mixe"}]
    with torch.no_grad():
        first = torch.sigmoid(model.initial.linear(crops.mean(dim=(2, 3, 4))))
        grid = torch.nn.Sequential(*layers)((crops * first[..., None, None, None]).flatten(0, 1))
        assert grid.shape == (10, 2048, 5, 5)
        vectors = grid.mean(dim=(2, 3)).reshape(2, 5, 2048)
        last = torch.sigmoid(model.end.linear(vectors.mean(dim=2)))
        expected = theirs.fc(vectors * last[..., None]).mean(dim=1)
        torch.testing.assert_close(model(crops).logits, expected, **close(expected, terms_of(model)))


@pytest.mark.parametrize(
    ("backbone", "parameters"),
    [
        ("inception_v3", 21_799_911),  # timm builds it without the auxiliary head
        ("densenet121", 6_961_031),
        ("legacy_seresnext50_32x4d", 25_525_239),
    ],
)
@pytest.mark.parametrize("crops", [5, 9, 16])
def test_counts_the_authors_parameters(backbone: str, parameters: int, crops: int) -> None:
    with meta_device():
        inner = TimmClassifier(backbone, num_classes=7)
        model = PatchAttentionNet(inner, num_classes=7, crops=crops, initial=True, end=True)
    assert sum(p.numel() for p in model.parameters()) == parameters + 2 * (crops**2 + crops)
