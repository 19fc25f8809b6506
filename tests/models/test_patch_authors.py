"""Networks of crops against the authors' own: logits of DenseNet-121, parameters of all three trunks."""

import json
from pathlib import Path

import pytest
import torch

from lesionlens.models.patch import Patch
from lesionlens.models.plain import Plain

from ..golden.formula import images, weights

GOLDEN = Path(__file__).parents[1] / "golden" / "patch_network_densenet121.json"


@pytest.mark.parametrize("variant", ["initial=0,end=1", "initial=1,end=1"])
def test_equals_the_authors_network(variant: str) -> None:
    golden = json.loads(GOLDEN.read_text())
    wanted = golden["variants"][variant]
    initial = "initial" in wanted["attention_keys"]
    with torch.device("meta"):  # no weights to draw: all are replaced
        inner = Plain("densenet121", num_classes=7, last_relu=False)
        model = Patch(inner, num_classes=7, crops=golden["crops"], initial=initial, end=True).eval()
    state = {
        key.replace("trunk.", "inner.trunk.features.").replace("head.", "inner.trunk.classifier."): value
        for key, value in weights(wanted["trunk_and_head_keys"]).items()
    }
    for place, keys in wanted["attention_keys"].items():
        state |= {key.replace("fc.0", f"{place}.linear"): value for key, value in weights(keys).items()}
    result = model.load_state_dict(state, strict=False, assign=True)
    assert not result.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in result.missing_keys)
    with torch.inference_mode():
        found = model(images(2, golden["crops"], 3, 224, 224, phase=golden["phase"])).logits
    torch.testing.assert_close(found, torch.tensor(wanted["logits"]), rtol=0, atol=1e-5)


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
    with torch.device("meta"):
        inner = Plain(backbone, num_classes=7)
        model = Patch(inner, num_classes=7, crops=crops, initial=True, end=True)
    assert sum(p.numel() for p in model.parameters()) == parameters + 2 * (crops**2 + crops)
