"""Torch computes the network itself, on a processor or an accelerator."""

import torch
from torch import Tensor

from lesionlens.engines.engine import Precision, Scorer
from lesionlens.models.bundle import Loaded
from lesionlens.training.allocator import keep_freed_memory


def torch_engine(loaded: Loaded, *, precision: Precision) -> Scorer:
    """Let torch compute, channels last; the loaded model's memory is laid out anew, its values stay."""
    keep_freed_memory()
    model = loaded.model.eval().to(memory_format=torch.channels_last)
    device = next(model.parameters()).device

    def logits_of(x: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits: Tensor = model(x).logits
        return logits

    return Scorer("torch", loaded.card, logits_of, at_once=model.crops is not None, device=device)
