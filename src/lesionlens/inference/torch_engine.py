"""Inference with PyTorch, on the CPU or a GPU."""

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.core.runtime import retain_freed_memory
from lesionlens.inference.engine import EngineOutput, InferenceEngine, Precision
from lesionlens.models.saved_model import LoadedModel


def open_torch_engine(loaded: LoadedModel, *, precision: Precision) -> InferenceEngine:
    """Prepare a model for inference with PyTorch.

    The loaded model itself is switched to eval mode and channels-last memory; its weights do not change.
    """
    retain_freed_memory()
    model = loaded.model.eval().to(memory_format=torch.channels_last)
    device = next(model.parameters()).device

    def forward(crops: NDArray[np.uint8]) -> EngineOutput:
        pixels = torch.from_numpy(crops).to(device)
        x = loaded.card.preprocessing.normalize(pixels.reshape(-1, *pixels.shape[-3:]))
        x = x.reshape(*pixels.shape[:-3], *x.shape[1:])
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            output = model(x)
        return EngineOutput(output.logits.float().cpu().numpy(), output.features.float().cpu().numpy())

    return InferenceEngine("torch", forward, multi_crop=model.num_crops is not None)
