"""Look at a network and leave it exactly as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lesionlens.models.classifier import Classifier


@contextmanager
def eval_mode(model: Classifier) -> Iterator[None]:
    """Run the body with the network in evaluation mode, in full precision, without a record of gradients.

    Every module's training flag is as before afterwards; no ``requires_grad`` or ``grad`` is touched. An
    inference mode around the call is lifted, since Grad-CAM needs gradients inside.
    """
    flags = [(module, module.training) for module in model.modules()]
    device = next(model.parameters()).device.type
    model.eval()
    try:
        with torch.inference_mode(False), torch.no_grad(), torch.autocast(device, enabled=False):
            yield
    finally:
        for module, training in flags:
            module.training = training
