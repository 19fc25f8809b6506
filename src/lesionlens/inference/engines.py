"""Choose and open the inference engine for a model: PyTorch, ONNX Runtime or OpenVINO."""

import warnings
from typing import get_args

from lesionlens.core.errors import BackendError, LesionLensError, unknown_name_message
from lesionlens.core.optional_packages import missing_packages
from lesionlens.core.runtime import set_num_threads
from lesionlens.inference.engine import EngineName, InferenceEngine, Precision
from lesionlens.inference.onnx_engine import onnx_cache_path, open_onnx_engine
from lesionlens.inference.torch_engine import open_torch_engine
from lesionlens.models.aggregation import num_tta_views
from lesionlens.models.saved_model import LoadedModel

# Forward passes of single crops from which exporting to OpenVINO saves time. Measured on two cores in float32 with
# batches of 32: the gain equaled the cost of exporting after 900 (ResNet-50), 4,400 (DenseNet-121) and 5,200
# (MobileNet-v2) passes, and the cost of loading an exported file after 80 to 700. ResNet-18 and VGG-16 gain almost
# nothing.
MIN_PASSES_TO_EXPORT = 5_000
MIN_PASSES_IF_EXPORTED = 700


def open_engine(
    loaded: LoadedModel,
    name: EngineName = "auto",
    *,
    precision: Precision = "fp32",
    num_images: int,
    num_threads: int | None = None,
) -> InferenceEngine:
    """Prepare a trained model for inference, on the device on which it was loaded.

    Parameters
    ----------
    name
        Inference engine. ``auto`` uses OpenVINO on a CPU if it is installed and saves time for this number of images
        (fewer are needed if the model was exported before), and torch otherwise.
    precision
        ``fp32``: all engines agree within 1e-4. ``bf16``: faster where the CPU supports it, with scores up to 0.2
        apart (MobileNet-v2 on photographs); compare first, as ``lesionlens export --verify-on`` does.
    num_images
        Number of images to score, from which ``auto`` decides whether an export saves time.
    num_threads
        Compute threads, for this engine and for everything that torch computes in this process from now on. Default:
        torch's number, at most one per available CPU core.

    Raises
    ------
    BackendError
        The engine is unknown or not available. ``auto`` falls back to torch with a warning instead.
    """
    if name not in get_args(EngineName):
        raise BackendError(unknown_name_message("engine", name, get_args(EngineName)))
    if precision not in get_args(Precision):
        raise BackendError(unknown_name_message("precision", precision, get_args(Precision)))
    set_num_threads(num_threads)
    if name in ("onnxruntime", "openvino"):
        return open_onnx_engine(loaded, name, precision=precision)
    if name == "auto" and _worth_exporting(loaded, num_images):
        try:
            return open_onnx_engine(loaded, "openvino", precision=precision)
        except LesionLensError as error:
            warnings.warn(f"Using torch instead of OpenVINO, which would be faster: {error}", stacklevel=2)
    return open_torch_engine(loaded, precision=precision)


def _worth_exporting(loaded: LoadedModel, num_images: int) -> bool:
    """Return whether OpenVINO saves more time than exporting the model, or loading an earlier export, costs."""
    on_cpu = next(loaded.model.parameters()).device.type == "cpu"
    if not on_cpu or missing_packages("openvino", "onnx", "onnxscript"):
        return False
    preprocessing = loaded.card.preprocessing
    passes = num_images * preprocessing.crop_count * num_tta_views(preprocessing.tta)
    return passes >= MIN_PASSES_TO_EXPORT or (
        passes >= MIN_PASSES_IF_EXPORTED and onnx_cache_path(loaded).is_file()
    )
