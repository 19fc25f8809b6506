"""Attention prior: spatial maps of each mechanism, normalization of their values, and training toward the masks."""

import pytest
import torch

from lesionlens.core.errors import ModelError, RecipeError
from lesionlens.models.factory import create_model
from lesionlens.runs.schema import AttentionPriorRecipe
from lesionlens.training.attention_prior import make_attention_prior, uneven_grids

LESION = AttentionPriorRecipe(target="lesion")
SIZE = (64, 64)


@pytest.mark.parametrize(
    ("attention", "options", "maps", "normalized"),
    [
        ("gate", {}, {"layer2": 0.001, "layer3": 0.01}, False),
        ("gate", {"normalization": "softmax"}, {"layer2": 0.001, "layer3": 0.01}, True),
        ("arl", {"taps": ["layer1", "layer4"]}, {"layer1": 0.001, "layer4": 0.01}, True),
        ("soft", {}, {"soft": 0.01}, True),
        ("patch+gate", {"crops": 5, "end": True}, {"layer2": 0.001, "layer3": 0.01}, False),
    ],
)
def test_default_weights_of_maps(attention: str, options: dict, maps: dict, normalized: bool) -> None:
    model = create_model(backbone="test_resnet", attention=attention, num_classes=2, **options)
    prior = make_attention_prior(LESION, model, SIZE)
    assert prior is not None
    assert (prior.weights, prior.normalize_by_max) == (maps, normalized)


@pytest.mark.parametrize(
    "attention",
    ["gate", *(pytest.param(name, marks=pytest.mark.slow) for name in ("arl", "soft", "ran", "patch+soft"))],
)
def test_training_moves_maps_into_the_mask(attention: str) -> None:
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
    has_mask = torch.tensor([True, True, True, False])
    losses = []
    for _ in range(30):
        maps = model(images if options else images[:, 0], maps=True).maps
        loss = sum(prior(maps, masks, has_mask).values())
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.93 * losses[0]


def test_models_without_spatial_maps_are_rejected() -> None:
    without_attention = create_model(backbone="test_resnet", attention="none", num_classes=2)
    with pytest.raises(ModelError, match="TimmClassifier has none"):
        make_attention_prior(LESION, without_attention, SIZE)
    channel = create_model(backbone="test_resnet", attention="arl", num_classes=2, normalization="channel")
    with pytest.raises(ModelError, match="ARLResNet has none"):
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
def test_every_gate_of_taps_has_a_prior(
    backbone: str, taps: list[str] | None, maps: dict[str, float]
) -> None:
    model = create_model(backbone=backbone, attention="gate", num_classes=2, taps=taps)
    prior = make_attention_prior(LESION, model, SIZE)
    assert prior is not None
    assert prior.weights == maps


def test_unnamed_maps_have_no_prior() -> None:
    gate = create_model(backbone="test_resnet", attention="gate", num_classes=2)
    prior = make_attention_prior(AttentionPriorRecipe(target="lesion", weight={"layer3": 0.5}), gate, SIZE)
    assert prior is not None
    maps = gate(torch.rand(2, 3, *SIZE), maps=True).maps
    assert list(maps) == ["layer2", "layer3"]
    terms = prior(maps, torch.full((2, 1, *SIZE), 255, dtype=torch.uint8), torch.tensor([True, True]))
    assert list(terms) == ["layer3"]


def test_masks_are_averaged_around_the_centers_of_cells() -> None:
    """The cells of layer3 are centered at pixels 0, 16, 32 and 48, those of ConvNeXt in the middle of equal parts."""
    gate = create_model(backbone="test_resnet", attention="gate", num_classes=2)
    grids = uneven_grids(gate, SIZE)
    masks = torch.zeros(1, 1, *SIZE, dtype=torch.uint8)
    masks[:, :, 8:24, 24:40] = 255  # the cell (1, 2), up to half a pixel
    prior = make_attention_prior(LESION, gate, SIZE)
    assert prior is not None
    maps = {name: torch.zeros(1, cells, cells) for name, cells in (("layer2", 8), ("layer3", 4))}
    for cell, expected in (((1, 2), 0.0), ((1, 1), 1.0), ((0, 2), 1.0)):
        maps["layer3"][:] = 0
        maps["layer3"][0, cell[0], cell[1]] = 1
        loss = prior(maps, masks, torch.tensor([True]))["layer3"]
        assert float(loss) == pytest.approx(expected, abs=0.08)
    assert (4, 4) in grids
    assert uneven_grids(create_model(backbone="test_convnext", attention="gate", num_classes=2), SIZE) == {}


@pytest.mark.slow
def test_cells_of_vgg_are_even() -> None:
    assert uneven_grids(create_model(backbone="vgg16", attention="gate", num_classes=2), SIZE) == {}


def test_mask_fraction_of_zero_disables_the_prior() -> None:
    without_attention = create_model(backbone="test_resnet", attention="none", num_classes=2)
    assert (
        make_attention_prior(AttentionPriorRecipe(target="lesion", mask_fraction=0), without_attention, SIZE)
        is None
    )


def test_unknown_map_is_rejected() -> None:
    gate = create_model(backbone="test_resnet", attention="gate", num_classes=2)
    with pytest.raises(
        RecipeError,
        match=r"unknown attention map in attention_prior\.weight 'pool3'.*Allowed: layer2, layer3",
    ):
        make_attention_prior(AttentionPriorRecipe(target="lesion", weight={"pool3": 0.1}), gate, SIZE)
    assert make_attention_prior(AttentionPriorRecipe(), gate, SIZE) is None
