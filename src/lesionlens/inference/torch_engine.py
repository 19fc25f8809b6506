"""Torch computes the network itself, on a processor or an accelerator."""

import torch
from torch import Tensor

from lesionlens.core.runtime import retain_freed_memory
from lesionlens.inference.engine import InferenceEngine, Precision
from lesionlens.models.saved_model import LoadedModel


def open_torch_engine(loaded: LoadedModel, *, precision: Precision) -> InferenceEngine:
    """Let torch compute, channels last; the loaded model's memory is laid out anew, its values stay."""
    retain_freed_memory()
    model = loaded.model.eval().to(memory_format=torch.channels_last)
    device = next(model.parameters()).device

    def logits_of(x: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits: Tensor = model(x).logits
        return logits

    return InferenceEngine(
        "torch", loaded.card, logits_of, multi_crop=model.num_crops is not None, device=device
    )
