"""Open the inference engine for a model: torch, ONNX Runtime or OpenVINO."""

import warnings
from typing import get_args

import torch

from lesionlens.core.errors import BackendError, LesionLensError, unknown_name_message
from lesionlens.core.optional_packages import missing_packages
from lesionlens.core.runtime import available_cpus
from lesionlens.inference.engine import Engine, EngineName, Precision
from lesionlens.models.saved_model import LoadedModel
from lesionlens.models.tta import num_tta_views


def open_engine(
    loaded: LoadedModel,
    name: EngineName = "auto",
    *,
    precision: Precision = "fp32",
    num_images: int,
    num_threads: int | None = None,
) -> Engine:
    """Make a trained network ready to score images, on the device on which it was loaded.

    Parameters
    ----------
    name
        What computes. ``auto``: OpenVINO on a processor where it is installed and so many images are to be scored that
        it pays, fewer where the network was exported before; else torch.
    precision
        ``fp32``: all engines agree within 1e-4. ``bf16``: faster where the machine has it, with scores up to 0.2
        apart (MobileNet-v2 on photographs): compare first, as ``lesionlens export --verify-on`` does.
    num_images
        How many are to be scored: whether exporting the network pays.
    num_threads
        How many compute, here and in all that torch computes in this process from then on. Default: torch's, at most
        one for each core that this process may use.

    Raises
    ------
    BackendError
        The engine does not exist, or cannot be had here; ``auto`` falls back on torch, with a warning.
    """
    from lesionlens.inference.onnx_engine import open_onnx_engine
    from lesionlens.inference.torch_engine import open_torch_engine

    if name not in get_args(EngineName):
        raise BackendError(unknown_name_message("engine", name, get_args(EngineName)))
    if precision not in get_args(Precision):
        raise BackendError(unknown_name_message("precision", precision, get_args(Precision)))
    # torch does not see the quota of a container
    torch.set_num_threads(num_threads or min(torch.get_num_threads(), available_cpus()))
    if name in ("onnxruntime", "openvino"):
        return open_onnx_engine(loaded, name, precision=precision)
    if name == "auto" and _worth_compiling(loaded, num_images):
        try:
            return open_onnx_engine(loaded, "openvino", precision=precision)
        except LesionLensError as error:
            warnings.warn(f"torch computes, not OpenVINO, which would be faster: {error}", stacklevel=2)
    return open_torch_engine(loaded, precision=precision)


def _worth_compiling(loaded: LoadedModel, num_images: int) -> bool:
    """Say whether OpenVINO gains more than preparing it takes; it takes less where the network was exported before."""
    from lesionlens.inference.onnx_engine import onnx_cache_path

    on_cpu = next(loaded.model.parameters()).device.type == "cpu"
    if not on_cpu or missing_packages("openvino", "onnx", "onnxscript"):
        return False
    seen = loaded.card.preprocessing
    passes = num_images * seen.crop_count * num_tta_views(seen.tta)
    return passes >= MIN_PASSES_TO_EXPORT or (
        passes >= MIN_PASSES_IF_EXPORTED and onnx_cache_path(loaded).is_file()
    )


# Images, crops and turns counted singly. Measured on two cores in float32, 32 at once: OpenVINO gained what exporting
# took on 900 (ResNet-50), 4,400 (DenseNet-121) and 5,200 of them (MobileNet-v2), what reading an export took on 80 to
# 700; on ResNet-18 and VGG-16 it gained next to nothing.
MIN_PASSES_TO_EXPORT, MIN_PASSES_IF_EXPORTED = 5_000, 700
