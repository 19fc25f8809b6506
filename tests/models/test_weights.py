"""Pretrained weights from a file and from a local replacement of the Hub, and errors for mismatches."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import timm
import torch
from safetensors.torch import save, save_file
from torch._subclasses.fake_tensor import FakeTensorMode

from lesionlens.core.errors import WeightsError
from lesionlens.models.base import TimmClassifier
from lesionlens.models.factory import create_model, make_model_spec
from lesionlens.models.weights import _load_into_backbone, load_backbone_weights
from lesionlens.models.zoo import ZOO

Tensors = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def imagenet() -> Tensors:
    """Create weights of a small residual network with a thousand classes."""
    torch.manual_seed(7)
    return dict(timm.create_model("test_resnet").state_dict())


def load_into(weights: str | Path, attention: str = "arl") -> tuple[TimmClassifier, tuple[str, ...]]:
    model = create_model(backbone="test_resnet", attention=attention, num_classes=7)
    return model, load_backbone_weights(model, str(weights), backbone="test_resnet")


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_file_fills_the_backbone(tmp_path: Path, imagenet: Tensors, suffix: str) -> None:
    file = tmp_path / f"weights{suffix}"
    torch.save(imagenet, file) if suffix == ".pth" else save_file(imagenet, file)
    model, new = load_into(file)
    assert set(new) == {"backbone.fc.weight", "backbone.fc.bias", *model.attention_scales}
    for key, value in model.backbone.state_dict().items():
        if f"backbone.{key}" not in new:
            assert torch.equal(value, imagenet[key]), key


@pytest.mark.parametrize("attention", ["none", "multi-stage", "gate", "soft", "patch", "patch+gate"])
@pytest.mark.parametrize(
    "backbone", ["test_resnet", "test_efficientnet", "test_convnext", "mobilenetv3_small_050"]
)
def test_every_mechanism_accepts_backbone_weights(tmp_path: Path, attention: str, backbone: str) -> None:
    theirs = timm.create_model(backbone).state_dict()
    save_file(theirs, tmp_path / "w.safetensors")
    model = create_model(backbone=backbone, attention=attention, num_classes=3)
    new = set(load_backbone_weights(model, str(tmp_path / "w.safetensors"), backbone=backbone))
    prefix = "inner.backbone." if attention.startswith("patch") else "backbone."
    for key, value in model.backbone.state_dict().items():
        assert prefix + key in new or torch.equal(value, theirs[key]), key
    assert all("head" in key or "classifier" in key or "fc" in key for key in new if key.startswith(prefix))
    assert 2 <= len(new) < len(model.state_dict())


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in ZOO if not ZOO[name].backbone.startswith("datta")])
def test_every_zoo_entry_accepts_imagenet_weights(name: str) -> None:
    """By shapes only, with the auxiliary head of Inception files."""
    spec = make_model_spec(name)
    auxiliary_head = {"aux_logits": True} if spec.backbone.startswith("inception_v3") else {}
    depth = {"layers": spec.kwargs["layers"]} if "layers" in spec.kwargs else {}
    with FakeTensorMode():
        theirs = timm.create_model(spec.backbone, **auxiliary_head, **depth)
        model = create_model(name, num_classes=2)
        new = _load_into_backbone(model, theirs.state_dict(), origin="a file")
    assert len(new) < len(model.state_dict()) / 2 or spec.attention == "ran"


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "module."])
def test_checkpoint_wrappers_are_removed(tmp_path: Path, imagenet: Tensors, wrapper: str) -> None:
    wrapped = {wrapper: imagenet} if "." not in wrapper else {wrapper + k: v for k, v in imagenet.items()}
    torch.save(wrapped, tmp_path / "w.pth")
    model, _ = load_into(tmp_path / "w.pth", attention="none")
    assert torch.equal(model.backbone.state_dict()["conv1.0.weight"], imagenet["conv1.0.weight"])


def test_a_mismatch_lists_the_keys(tmp_path: Path, imagenet: Tensors) -> None:
    wrong = {key: value for key, value in imagenet.items() if not key.startswith("layer4")}
    wrong["layer9.weight"] = torch.zeros(1)
    wrong["bn1.weight"] = torch.zeros(3)
    save_file(wrong, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError) as caught:
        load_into(tmp_path / "w.safetensors")
    assert re.search(r"missing \d+ \(layer4", str(caught.value))
    assert "unexpected 1 (layer9.weight)" in str(caught.value)
    assert "different shape 1 (bn1.weight)" in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not tensors at all", b"PK\x03\x04 damaged"])
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_unreadable_file_raises(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read safely"):
        load_into(tmp_path / name)


class MaliciousObject:
    """Object whose unpickling would run code."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("executed",)


def test_pickled_code_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"conv1.weight": MaliciousObject()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError):
        load_into(tmp_path / "w.pth")
    assert "executed" not in capsys.readouterr().out


def test_missing_file_error() -> None:
    with pytest.raises(WeightsError, match="Allowed: none, imagenet, or the path"):
        load_into("imagenet21k")


class Hub(BaseHTTPRequestHandler):
    """Serve one weights file as the Hub does."""

    content = b""

    def do_HEAD(self) -> None:
        is_weights = self.path.endswith("model.safetensors")
        self.send_response(200 if is_weights else 404)
        if is_weights:
            self.send_header("ETag", '"0123456789abcdef"')
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def hub(imagenet: Tensors, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Replace the Hub by a local server."""
    Hub.content = save(imagenet)
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", endpoint)
        template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
        yield server
        server.shutdown()


@pytest.mark.filterwarnings("ignore")
def test_imagenet_comes_from_the_hub(hub: ThreadingHTTPServer, imagenet: Tensors) -> None:
    model, new = load_into("imagenet")
    assert torch.equal(model.backbone.state_dict()["conv1.0.weight"], imagenet["conv1.0.weight"])
    assert "backbone.fc.weight" in new


def test_download_error_explains_manual_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr("lesionlens.models.hub.hf_hub_download", fail)
    message = r"ConnectionError\. Check .*https://huggingface.co/timm/resnet18.*model.weights=PATH"
    with pytest.raises(WeightsError, match=message):
        load_backbone_weights(TimmClassifier.__new__(TimmClassifier), "imagenet", backbone="resnet18")


@pytest.mark.real_data
def test_the_real_imagenet_file_fits(real_data: Path) -> None:
    model = create_model(
        backbone="mobilenetv2_100",
        num_classes=3,
        weights=str(real_data / "weights" / "mobilenetv2_100_imagenet_timm.pth"),
        pad_type="same",
    )
    assert float(model.backbone.state_dict()["conv_stem.weight"].std()) > 0.1
