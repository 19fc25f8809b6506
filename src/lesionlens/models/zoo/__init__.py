"""Every network by name: its exact options, its paper and the parameters it must have."""

from lesionlens.errors import ModelError, unknown
from lesionlens.models.zoo import arl, attnmel, patch, soft
from lesionlens.models.zoo.network import Network

ZOO: dict[str, Network] = {**arl.NETWORKS, **attnmel.NETWORKS, **patch.NETWORKS, **soft.NETWORKS}


def row(name: str) -> Network:
    """Look a network up.

    Raises
    ------
    ModelError
        No such name: gives the nearest and all there are.
    """
    if name not in ZOO:
        raise ModelError(
            unknown("model", name, ZOO)
            + ". Any timm backbone works too: give a backbone (and attention) instead"
        )
    return ZOO[name]
