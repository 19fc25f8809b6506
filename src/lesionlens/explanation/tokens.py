"""Where to take the gradient of a transformer whose head reads nothing but its class token.

After the last block no place has a part in the score. In it the class token still attends to all places, so the
tokens that enter it are the last ones that have: the usual choice for Grad-CAM on vision transformers.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from timm.models.vision_transformer import VisionTransformer
from torch import Tensor, nn

from lesionlens.errors import ModelError


@contextmanager
def vit_target_layer(network: nn.Module) -> Iterator[Callable[[Tensor], Tensor]]:
    """Let a class-token transformer's features end before its last block while the body runs; give the rest.

    The trunk is as before afterwards. Of any other network the features stay what they are and the rest is nothing.

    Raises
    ------
    ModelError
        The head reads only a class token, and the trunk is not timm's VisionTransformer.
    """
    if getattr(network, "global_pool", None) != "token":
        yield lambda grid: grid
        return
    if not isinstance(network, VisionTransformer):
        raise ModelError(
            f"this network's head reads only its class token, so no place of its last grid has a gradient, and where "
            f"{type(network).__name__} attends last is not known here. Build it with the option global_pool='avg', or "
            "take a vit_* or deit_*"
        )
    block, norm = network.blocks[-1], network.norm
    network.blocks[-1], network.norm = nn.Identity(), nn.Identity()
    try:
        yield lambda tokens: norm(block(tokens))
    finally:
        network.blocks[-1], network.norm = block, norm
