"""Downloads of pretrained weights: from a local server in place of the Hub, and from one that never answers."""

import hashlib
import socket
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import timm
import torch
from safetensors.torch import save

from lesionlens.core.errors import WeightsError
from lesionlens.models import hub
from lesionlens.models.weights import download_pretrained

NAME = "test_resnet.r160_in1k"
SHORT = 0.3  # seconds


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty cache of the Hub, without its client's own downloader."""
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(
        hub, "try_to_load_from_cache", partial(hub.try_to_load_from_cache, cache_dir=tmp_path)
    )
    return tmp_path


def set_server(monkeypatch: pytest.MonkeyPatch, address: Any, cache: Path) -> None:
    endpoint = f"http://{address[0]}:{address[1]}"
    download = partial(huggingface_hub.hf_hub_download, endpoint=endpoint, cache_dir=cache)
    monkeypatch.setattr(hub, "hf_hub_download", download)


@pytest.fixture
def silent_server() -> Iterator[Any]:
    """Accept connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def serve(content: bytes, *, first_bytes: int) -> ThreadingHTTPServer:
    """Serve a file as the Hub does; after ``first_bytes`` of it, the connection stays open without data."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.send_header("X-Repo-Commit", "0" * 40)
            self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()

        def do_GET(self) -> None:
            self.do_HEAD()
            self.wfile.write(content[:first_bytes])
            self.wfile.flush()
            if first_bytes < len(content):
                stop.wait(60)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.stop = stop  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def test_weights_are_those_of_the_file_and_downloaded_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    expected = timm.create_model(NAME).state_dict()
    content = save(expected)
    server = serve(content, first_bytes=len(content))
    set_server(monkeypatch, server.server_address, cache)
    first = download_pretrained(NAME)
    server.shutdown()
    server.server_close()
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_, **__: pytest.fail("downloaded twice"))
    for state in (first, download_pretrained(NAME)):
        assert state.keys() == expected.keys()
        assert all(torch.equal(state[key], value) for key, value in expected.items())


def test_server_that_never_answers(cache: Path, silent_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    set_server(monkeypatch, silent_server, cache)
    with pytest.raises(
        WeightsError, match=r"no data arrived for 0\.3 s\. Check the network .*model\.weights=PATH"
    ):
        download_pretrained(NAME, timeout=SHORT)


@pytest.mark.slow
def test_server_that_stops_in_the_middle(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = serve(bytes(10**6), first_bytes=10**5)
    set_server(monkeypatch, server.server_address, cache)
    with pytest.raises(WeightsError, match="no data arrived"):
        download_pretrained(NAME, timeout=SHORT)
    server.stop.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


def test_damaged_file_is_named(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"<html>")
    monkeypatch.setattr(hub, "try_to_load_from_cache", lambda *_, **__: str(file))
    with pytest.raises(WeightsError, match=r"cannot read .*model\.safetensors .*Delete the file"):
        download_pretrained(NAME)
