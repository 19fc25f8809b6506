"""Every network by name: its exact options, its paper and the parameters it must have."""

from lesionlens.errors import ModelError, unknown_name_message
from lesionlens.models.zoo import arl, attnmel, patch, soft
from lesionlens.models.zoo.network import ZooEntry

ZOO: dict[str, ZooEntry] = {**arl.ARL_ENTRIES, **attnmel.ATTNMEL_ENTRIES, **patch.PATCH_ENTRIES, **soft.SOFT_ENTRIES}


def get_entry(name: str) -> ZooEntry:
    """Look a network up.

    Raises
    ------
    ModelError
        No such name: gives the nearest and all there are.
    """
    if name not in ZOO:
        raise ModelError(
            unknown_name_message("model", name, ZOO)
            + ". Any timm backbone works too: give a backbone (and attention) instead"
        )
    return ZOO[name]
