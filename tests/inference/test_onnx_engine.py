"""ONNX Runtime and OpenVINO: scores equal torch's, one cached export, and errors for what is unavailable."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lesionlens.core import optional_packages as installed
from lesionlens.core import runtime
from lesionlens.core.errors import BackendError, RunError
from lesionlens.inference import onnx_engine as files
from lesionlens.inference.batch import predict_scores
from lesionlens.inference.engines import open_engine
from lesionlens.inference.onnx_engine import get_or_export_onnx, onnx_cache_path
from lesionlens.inference.session_engine import load_session

from .test_engine import images, reference_scores, untrained


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LESIONLENS_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.slow
def test_both_engines_equal_torch_from_one_export(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, crops = untrained(), images(3)
    expected = reference_scores(loaded, crops)
    assert open_engine(loaded, num_images=312).name == "torch"  # 4,992 passes: too few for an export
    for name in ("onnxruntime", "openvino"):
        engine = open_engine(loaded, name, num_images=3)
        assert engine.name == name
        np.testing.assert_allclose(predict_scores(engine, loaded.card, crops).scores, expected, atol=1e-5)
        np.testing.assert_allclose(
            predict_scores(engine, loaded.card, crops[:1]).scores, expected[:1], atol=1e-5
        )
    assert open_engine(loaded, num_images=43).name == "torch"
    assert open_engine(loaded, num_images=44).name == "openvino"  # 704 passes, and the export is cached
    assert [file.suffix for file in sorted((cache / "engines").iterdir())] == [".lock", ".onnx"]
    assert sys.modules["openvino_telemetry"] is None  # no telemetry is sent

    with torch.no_grad():
        loaded.model.linear_head_weight().add_(0.1 * torch.randn(3, 1))  # type: ignore[union-attr]
    assert not onnx_cache_path(loaded).exists()  # other weights have another cache file
    get_or_export_onnx(untrained()).rename(onnx_cache_path(loaded))
    with pytest.raises(BackendError, match=r"differ from PyTorch's by .*, more than 0\.0001"):
        open_engine(loaded, "onnxruntime", num_images=3)


def test_missing_package_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    with pytest.raises(BackendError, match=r"requires openvino, .* pip install '\.\[engines\]'"):
        open_engine(untrained(), "openvino", num_images=1)
    assert open_engine(untrained(), num_images=10**6).name == "torch"


def test_auto_falls_back_with_a_warning(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise BackendError("this network cannot be written as ONNX: no such thing")

    monkeypatch.setattr(files, "get_or_export_onnx", fails)
    with pytest.warns(
        UserWarning, match="Using torch instead of OpenVINO, .*: this network cannot be written"
    ):
        assert open_engine(untrained(), num_images=313).name == "torch"  # 5,008 passes
    with pytest.raises(BackendError, match="cannot be written as ONNX"):
        open_engine(untrained(), "openvino", num_images=13)


def test_unwritable_cache_warns_and_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LESIONLENS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.warns(UserWarning, match=r"Using torch instead of OpenVINO, .*: cannot write .*\.lock"):
        assert open_engine(untrained(), num_images=313).name == "torch"
    with pytest.raises(RunError, match="Choose a writable folder"):
        open_engine(untrained(), "openvino", num_images=13)


def test_cached_export_needs_no_lock(cache: Path) -> None:
    file = onnx_cache_path(untrained())
    file.parent.mkdir()
    file.touch()
    assert get_or_export_onnx(untrained()) == file
    assert list(file.parent.iterdir()) == [file]


def test_broken_package_and_folder_in_place_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(name: str) -> None:
        raise ImportError("libgomp.so.1: cannot open shared object file")

    monkeypatch.setattr(installed, "import_module", fails)
    for name in ("onnxruntime", "openvino"):
        with pytest.raises(BackendError, match=f"{name} is installed but cannot be imported: libgomp"):
            load_session(tmp_path / "x.onnx", name, precision="fp32")  # type: ignore[arg-type]
    (tmp_path / "exported_network").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert installed.missing_packages("exported_network", "numpy") == ["exported_network"]


def test_threads_are_limited_to_the_cores_unless_specified(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    monkeypatch.setattr(runtime, "available_cpus", lambda: 2)
    try:
        for threads, used in ((1, 1), (7, 2)):
            torch.set_num_threads(threads)
            open_engine(untrained(), "torch", num_images=1)
            assert torch.get_num_threads() == used
        for num_threads in (1, 3):  # specified explicitly
            open_engine(untrained(), "torch", num_images=1, num_threads=num_threads)
            assert torch.get_num_threads() == num_threads
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("open_invalid", "message"),
    [
        (
            lambda model: open_engine(model, "onnx", num_images=1),
            "unknown engine 'onnx': Allowed: auto, onnxruntime, openvino, torch",
        ),
        (lambda model: open_engine(model, precision="int8", num_images=1), "unknown precision 'int8'"),
    ],
)
def test_unknown_engine_and_precision_raise(open_invalid: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(BackendError, match=message):
        open_invalid(untrained())


def test_onnxruntime_has_no_bf16(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="Use engine openvino or torch"):
        load_session(tmp_path / "x.onnx", "onnxruntime", precision="bf16")


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_unreadable_file_error(tmp_path: Path, name: Any) -> None:
    (tmp_path / "x.onnx").write_bytes(b"half")
    with pytest.raises(BackendError, match=r"cannot read .*x\.onnx"):
        load_session(tmp_path / "x.onnx", name, precision="fp32")
