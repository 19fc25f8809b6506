"""Models by name: of an installed distribution, and of a local server in place of the Hugging Face Hub."""

import hashlib
import json
import socket
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import torch

from lesionlens.core.errors import SavedModelError
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models import model_names
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.model_names import find_model_dir
from lesionlens.models.saved_model import load_saved_model, save_model

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    spec = make_model_spec(backbone="test_resnet")
    card = ModelCard(architecture=spec, classes=("melanoma", "nevus"), preprocessing=Preprocessing())
    save_model(tmp_path / "saved", build_network(spec, 2), card)
    return tmp_path / "saved"


def install(monkeypatch: pytest.MonkeyPatch, folder: Path, **values: str) -> None:
    """Register entry points, and make the modules in a folder importable."""
    monkeypatch.syspath_prepend(str(folder))
    points = tuple(EntryPoint(name, value, model_names.ENTRY_POINT_GROUP) for name, value in values.items())
    monkeypatch.setattr(model_names, "entry_points", lambda group: points)


@pytest.fixture
def hub(saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """Serve the saved model as the repository me/skin of the Hub, with a pickled file in addition."""
    (saved / "optimizer.pkl").write_bytes(b"pickled")
    names = [path.name for path in sorted(saved.iterdir())]
    requested: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, *, body: bool) -> None:
            requested.append(self.path)
            if self.path.startswith("/api/models/me/skin/revision/"):
                siblings = [{"rfilename": name} for name in names]
                content = json.dumps({"id": "me/skin", "sha": REVISION, "siblings": siblings}).encode()
            elif self.path.startswith(f"/api/models/me/skin/tree/{REVISION}"):
                files = [{"type": "file", "path": name, "size": 1, "oid": name} for name in names]
                content = json.dumps(files).encode()
            elif self.path.startswith("/me/skin/resolve/"):
                content = (saved / self.path.rpartition("/")[2]).read_bytes()
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("X-Repo-Commit", REVISION)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if body:
                self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requested = requested  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    set_endpoint(monkeypatch, server.server_address, tmp_path)
    yield server
    server.shutdown()
    server.server_close()


def set_endpoint(monkeypatch: pytest.MonkeyPatch, address: Any, folder: Path) -> None:
    options: dict[str, Any] = {"endpoint": f"http://{address[0]}:{address[1]}", "cache_dir": folder / "hub"}
    monkeypatch.setattr(model_names.constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(
        model_names, "snapshot_download", partial(huggingface_hub.snapshot_download, **options)
    )


def test_installed_model_is_found_by_its_name(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "skin_weights.py").write_text(f"FOLDER = {str(saved)!r}\n")
    install(monkeypatch, tmp_path, skin="skin_weights:FOLDER")
    assert find_model_dir("skin") == saved
    assert load_saved_model("skin").path == saved
    with pytest.raises(SavedModelError, match=r"there is no model skim.*Installed models: skin"):
        find_model_dir("skim")


def test_folder_hides_an_installed_model(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, saved.parent, saved="none:FOLDER")
    monkeypatch.chdir(saved.parent)
    assert find_model_dir("saved") == Path("saved")


@pytest.mark.parametrize("code", ["raise RuntimeError('damaged')", "OTHER = 1", "FOLDER = 3"])
def test_damaged_distribution_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    (tmp_path / "damaged_weights.py").write_text(code)
    monkeypatch.delitem(sys.modules, "damaged_weights", raising=False)
    install(monkeypatch, tmp_path, skin="damaged_weights:FOLDER")
    with pytest.raises(SavedModelError, match=r"'skin' of .* cannot be loaded: damaged_weights:FOLDER"):
        find_model_dir("skin")


@pytest.mark.parametrize("name", ["hf:me/skin", "hf:me/skin@v1"])
def test_model_of_the_hub_is_downloaded_without_pickles(saved: Path, hub: Any, name: str) -> None:
    digest = hashlib.sha256((saved / "model.safetensors").read_bytes()).hexdigest()
    with pytest.warns(UserWarning, match=f"revision {REVISION}; SHA-256 of its weights {digest}"):
        loaded = load_saved_model(name)
    expected = load_saved_model(saved)
    assert loaded.card == expected.card
    state = expected.model.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in loaded.model.state_dict().items())
    assert f"/api/models/me/skin/revision/{name.partition('@')[2] or 'main'}" in hub.requested[0]
    assert not any("pkl" in path for path in hub.requested)


def test_repository_that_cannot_be_downloaded(
    hub: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SavedModelError, match=r"hf:me/other cannot be downloaded: .*Check the name"):
        find_model_dir("hf:me/other")
    for name in ("hf:skin", "hf:/skin", "hf:a/b/c"):
        with pytest.raises(SavedModelError, match="Pass hf:OWNER/NAME"):
            find_model_dir(name)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        set_endpoint(monkeypatch, silent.getsockname(), tmp_path)
        with pytest.raises(SavedModelError, match=r"no data arrived for 0\.3 s"):
            model_names.named_model_dir("hf:me/skin", timeout=0.3)
