"""Where a run is computed."""

import torch

from lesionlens.training.train_recipe import TrainRecipe


def resolve_training_device(config: TrainRecipe) -> torch.device:
    """Give the device that a recipe means here: a CUDA card, Apple's, or the CPU."""
    if config.device != "cpu" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    apple = config.device != "cpu" and torch.backends.mps.is_available()
    return torch.device("mps" if apple else "cpu")
