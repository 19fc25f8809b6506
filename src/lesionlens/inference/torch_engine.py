"""Inference with PyTorch, on the CPU or a GPU."""

import torch
from torch import Tensor

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

    def forward(x: Tensor) -> EngineOutput:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            output = model(x)
        return EngineOutput(output.logits, output.features)

    return InferenceEngine("torch", forward, multi_crop=model.num_crops is not None, device=device)
