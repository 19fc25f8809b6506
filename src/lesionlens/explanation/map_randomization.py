"""Randomize a network from its last layer down, to test whether its maps depend on what it learned.

Adebayo et al. 2018, "Sanity Checks for Saliency Maps", section 3: cascading randomization. A map that hardly changes
shows the image, such as its edges, rather than the network.
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from lesionlens.evaluation.rank_correlation import rank_correlation
from lesionlens.explanation.cam import eval_mode
from lesionlens.models.base import Classifier

RANDOMIZED_FRACTIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Fractions of the layers that are randomized, from the top; 0 is only the last layer."""


def layers_from_top(model: Classifier, images: Float[Tensor, "b ... 3 h w"]) -> list[nn.Module]:
    """Return the modules that have parameters of their own, the one that computes last first.

    A module that is never called itself has the position of the module that contains it.
    """
    names = {module: name for name, module in model.named_modules()}
    finished: dict[str, int] = {}
    calls = iter(range(10**9))

    def record(module: nn.Module, *_: object) -> None:
        finished[names[module]] = next(calls)

    handles = [module.register_forward_hook(record) for module in names]
    try:
        with eval_mode(model):
            model(images)
    finally:
        for handle in handles:
            handle.remove()

    def position(name: str) -> int:
        return finished[name] if name in finished or not name else position(name.rpartition(".")[0])

    owners = [(name, module) for module, name in names.items() if list(module.parameters(recurse=False))]
    return [module for _, module in sorted(owners, key=lambda owner: -position(owner[0]))]


def randomize_from_top(
    model: Classifier, images: Float[Tensor, "b ... 3 h w"], *, seed: int = 0
) -> Iterator[Classifier]:
    """Yield the network with more and more layers randomized, at each of ``RANDOMIZED_FRACTIONS``.

    The values of each parameter are shuffled, so that their distribution remains. The running statistics of batch norms
    in these layers are then estimated again, because otherwise most features would vanish or overflow. The yielded
    network is one copy that changes; ``model`` does not.

    Parameters
    ----------
    model
        Any network.
    images
        Preprocessed images, or crops for a network of crops, for the statistics of batch norms.
    seed
        Random seed of the shuffling.
    """
    network = copy.deepcopy(model)
    layers = layers_from_top(network, images)
    generator = torch.Generator().manual_seed(seed)
    done = 0
    for fraction in RANDOMIZED_FRACTIONS:
        end = max(1, round(fraction * len(layers)))
        for layer in layers[done:end]:
            _shuffle_parameters(layer, generator)
        done = max(done, end)
        _estimate_batch_statistics(network, layers[:done], images)
        yield network


def _shuffle_parameters(layer: nn.Module, generator: torch.Generator) -> None:
    for parameter in layer.parameters(recurse=False):
        order = torch.randperm(parameter.numel(), generator=generator).to(parameter.device)
        parameter.data = parameter.data.flatten()[order].reshape(parameter.shape)


def _estimate_batch_statistics(network: Classifier, layers: list[nn.Module], images: Tensor) -> None:
    """Set the running statistics of batch norms to those of the images and their mirror images."""
    norms = [layer for layer in layers if isinstance(layer, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    with eval_mode(network):  # restores the training flags
        for norm in norms:
            norm.train()
            norm.momentum = 1.0
        network(torch.cat([images, images.flip(-1)]))  # at least two, for a feature map of one position
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def map_rank_correlation(first: Float[ndarray, "..."], second: Float[ndarray, "..."]) -> float:
    """Return Spearman's rank correlation of two maps of the same shape.

    It is NaN if the first map is constant, and 0 if only the second is: nothing of the first map remains.
    """
    if not np.ptp(first):
        return float("nan")
    return float(rank_correlation(first.ravel(), second.ravel())) if np.ptp(second) else 0.0
