"""Segmentation networks by name, unsupported options, and encoder weights."""

import sys
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from lesionlens.core.errors import ModelError, WeightsError
from lesionlens.segmentation.models import (
    SEGMENTATION_ARCHS,
    SegmentationModelSpec,
    check_input_size,
    load_encoder_weights,
    make_segmentation_spec,
)

from ..helpers.tolerances import close, terms_of


@pytest.mark.parametrize("network", SEGMENTATION_ARCHS)
def test_network_returns_a_logit_per_pixel(network: str) -> None:
    encoder = "" if network == "unet_original" else "test_resnet"
    model = make_segmentation_spec(network, encoder, width=4).build().eval()
    with torch.inference_mode():
        assert model(torch.rand(2, 3, 32, 64)).shape == (2, 1, 32, 64)


def test_original_unet_has_the_stages_of_the_paper() -> None:
    """Parameters by the formula of Ronneberger et al. 2015, Fig. 1, for three input channels and one output."""
    widths = [64, 128, 256, 512, 1024]
    conv = [9 * a * b + b for a, b in zip([3, *widths[:-1]], widths, strict=True)] + [
        9 * w * w + w for w in widths
    ]
    up = [4 * 2 * w * w + w for w in widths[:-1]]
    merge = [9 * 2 * w * w + w + 9 * w * w + w for w in widths[:-1]]
    model = make_segmentation_spec("unet_original").build()
    assert sum(p.numel() for p in model.parameters()) == sum(conv + up + merge) + 65
    kernels = [layer.weight for layer in model.modules() if isinstance(layer, torch.nn.Conv2d)]
    assert kernels[-2].std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.03)


def test_original_unet_has_no_encoder() -> None:
    with pytest.raises(ModelError, match="omit the encoder 'resnet34'"):
        make_segmentation_spec("unet_original", "resnet34").build()
    with pytest.raises(WeightsError, match="unet_original starts from random weights"):
        load_encoder_weights(make_segmentation_spec("unet_original", width=1).build(), "imagenet", encoder="")


def test_unknown_network_suggests_the_nearest() -> None:
    with pytest.raises(ModelError, match="did you mean 'unet'"):
        make_segmentation_spec("u-net", "resnet34")


def test_unknown_encoder_suggests_the_nearest() -> None:
    with pytest.raises(ModelError, match="resnet34"):
        SegmentationModelSpec(encoder="resnet43").build()


def test_unsupported_encoder_raises() -> None:
    with pytest.raises(ModelError, match=r"unet does not support the encoder 'test_vit'.*Supported encoders"):
        SegmentationModelSpec(encoder="test_vit").build()


def test_missing_extra_error_has_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(ModelError, match=r"pip install '\.\[segmentation\]'"):
        SegmentationModelSpec().build()


def test_checked_network_is_in_training_mode() -> None:
    model = make_segmentation_spec("deeplabv3plus", "test_resnet").build()
    check_input_size(model, (32, 64))
    assert all(module.training for module in model.modules())


def test_size_not_divisible_by_the_stride_raises() -> None:
    with pytest.raises(ModelError, match=r"30 × 64 pixels.*multiples of 32"):
        check_input_size(make_segmentation_spec("deeplabv3plus", "test_resnet").build(), (30, 64))


@pytest.mark.parametrize("encoder", ["test_resnet", "test_efficientnet", "test_convnext"])
def test_every_tensor_of_the_encoder_comes_from_the_file(tmp_path: Path, encoder: str) -> None:
    """The features of the loaded encoder are those of timm's own network."""
    network = timm.create_model(encoder, pretrained=False).eval()
    save_file(network.state_dict(), tmp_path / "w.safetensors")
    model = SegmentationModelSpec(encoder=encoder).build().eval()
    load_encoder_weights(model, str(tmp_path / "w.safetensors"), encoder=encoder)
    x = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        last = model.encoder.model(x)[-1]
        expected = network.forward_intermediates(x, indices=1, norm=False, intermediates_only=True)[-1]
    torch.testing.assert_close(last, expected, **close(expected, terms_of(model)))


def test_weights_of_another_network_raise(tmp_path: Path) -> None:
    save_file(timm.create_model("test_convnext").state_dict(), tmp_path / "w.safetensors")
    model = SegmentationModelSpec(encoder="test_resnet").build()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(WeightsError, match="missing or have another shape"):
        load_encoder_weights(model, str(tmp_path / "w.safetensors"), encoder="test_resnet")
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


@pytest.mark.real_data
def test_real_imagenet_weights_fit(real_data: Path) -> None:
    file = real_data / "weights" / "mobilenetv2_100_imagenet_timm.pth"
    model = SegmentationModelSpec(encoder="mobilenetv2_100").build()
    load_encoder_weights(model, str(file), encoder="mobilenetv2_100")
    stored = torch.load(file, weights_only=True)
    assert torch.equal(model.encoder.model.conv_stem.weight, stored["conv_stem.weight"])
