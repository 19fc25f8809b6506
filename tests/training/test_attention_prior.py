"""A prior finds the maps of any mechanism, brings them to one scale and draws them into the mask."""

import pytest
import torch

from lesionlens.core.errors import ModelError, RecipeError
from lesionlens.models.factory import create_model
from lesionlens.runs.schema import AttentionPriorRecipe
from lesionlens.training.attention_prior import make_attention_prior

LESION = AttentionPriorRecipe(target="lesion")
SIZE = (64, 64)


@pytest.mark.parametrize(
    ("attention", "options", "maps", "shares"),
    [
        ("gate", {}, {"layer2": 0.001, "layer3": 0.01}, False),
        ("gate", {"normalization": "softmax"}, {"layer2": 0.001, "layer3": 0.01}, True),
        ("arl", {"taps": ["layer1", "layer4"]}, {"layer1": 0.001, "layer4": 0.01}, True),
        ("soft", {}, {"soft": 0.01}, True),
        ("patch+gate", {"crops": 5, "end": True}, {"layer2": 0.001, "layer3": 0.01}, False),
    ],
)
def test_maps_and_their_usual_weights(attention: str, options: dict, maps: dict, shares: bool) -> None:
    model = create_model(backbone="test_resnet", attention=attention, num_classes=2, **options)
    prior = make_attention_prior(LESION, model, SIZE)
    assert prior is not None
    assert (prior.weights, prior.normalize_by_max) == (maps, shares)


@pytest.mark.parametrize(
    "attention",
    ["gate", *(pytest.param(name, marks=pytest.mark.slow) for name in ("arl", "soft", "ran", "patch+soft"))],
)
def test_training_on_the_term_alone_draws_every_map_into_the_mask(attention: str) -> None:
    torch.manual_seed(0)
    options = {"crops": 5} if "patch" in attention else {}
    model = create_model(backbone="test_resnet", attention=attention, num_classes=2, **options).train()
    prior = make_attention_prior(LESION, model, SIZE)
    assert prior is not None
    crops = 5 if options else 1
    masks = torch.zeros(4, crops, *SIZE, dtype=torch.uint8)
    masks[:, :, :32, :32] = 255
    images = torch.rand(4, crops, 3, *SIZE) * 0.3 + masks[:, :, None] / 255
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    known = torch.tensor([True, True, True, False])
    terms = []
    for _ in range(30):
        found = model(images if options else images[:, 0], maps=True).maps
        each = prior(found, masks, known)
        terms.append(float(sum(each.values()).detach()))
        optimizer.zero_grad()
        sum(each.values()).backward()
        optimizer.step()
    assert terms[-1] < 0.93 * terms[0]


def test_networks_without_maps_of_places_are_refused() -> None:
    plain = create_model(backbone="test_resnet", attention="none", num_classes=2)
    with pytest.raises(ModelError, match="TimmClassifier has none of places"):
        make_attention_prior(LESION, plain, SIZE)
    channel = create_model(backbone="test_resnet", attention="arl", num_classes=2, normalization="channel")
    with pytest.raises(ModelError, match="ARLResNet has none of places"):
        make_attention_prior(LESION, channel, SIZE)


@pytest.mark.parametrize(
    ("backbone", "taps", "maps"),
    [
        ("mobilenetv2_100", ["blocks.1"], {"blocks.1": 0.01}),
        pytest.param("mobilenetv2_100", None, {"blocks.2": 0.001, "blocks.4": 0.01}, marks=pytest.mark.slow),
        pytest.param("vgg11", None, {"pool3": 0.001, "pool4": 0.01}, marks=pytest.mark.slow),
        pytest.param("vgg11", ["pool4", "pool2"], {"pool2": 0.001, "pool4": 0.01}, marks=pytest.mark.slow),
    ],
)
def test_gates_stand_where_taps_say_and_each_has_a_prior(
    backbone: str, taps: list[str] | None, maps: dict[str, float]
) -> None:
    model = create_model(backbone=backbone, attention="gate", num_classes=2, taps=taps)
    prior = make_attention_prior(LESION, model, SIZE)
    assert prior is not None
    assert prior.weights == maps


def test_maps_that_are_not_named_have_no_prior() -> None:
    gate = create_model(backbone="test_resnet", attention="gate", num_classes=2)
    prior = make_attention_prior(AttentionPriorRecipe(target="lesion", weight={"layer3": 0.5}), gate, SIZE)
    assert prior is not None
    maps = gate(torch.rand(2, 3, *SIZE), maps=True).maps
    assert list(maps) == ["layer2", "layer3"]
    terms = prior(maps, torch.full((2, 1, *SIZE), 255, dtype=torch.uint8), torch.tensor([True, True]))
    assert list(terms) == ["layer3"]


def test_a_share_of_none_is_no_prior() -> None:
    plain = create_model(backbone="test_resnet", attention="none", num_classes=2)
    assert make_attention_prior(AttentionPriorRecipe(target="lesion", mask_fraction=0), plain, SIZE) is None


def test_a_map_that_is_not_made_is_named() -> None:
    gate = create_model(backbone="test_resnet", attention="gate", num_classes=2)
    with pytest.raises(
        RecipeError,
        match=r"unknown attention map in attention_prior\.weight 'pool3'.*Allowed: layer2, layer3",
    ):
        make_attention_prior(AttentionPriorRecipe(target="lesion", weight={"pool3": 0.1}), gate, SIZE)
    assert make_attention_prior(AttentionPriorRecipe(), gate, SIZE) is None
