"""The maps that a network makes itself: attention, not an explanation added afterwards."""

from jaxtyping import Float
from torch import Tensor

from lesionlens.errors import ModelError
from lesionlens.explanation.undisturbed import undisturbed
from lesionlens.models.classifier import Classifier


def native_maps(
    model: Classifier, images: Float[Tensor, "b 3 h w"]
) -> dict[str, Float[Tensor, "b grid_h grid_w"]]:
    """Give a network's attention maps, each (b, h, w) on its own grid, by name.

    For ARL these are the masks of each stage's last block, averaged over channels. A spatial mask sums to 1,
    so its values are near ``1 / (h * w)``: compare places within a map, not values between maps.

    Raises
    ------
    ModelError
        The network has no maps of its own.
    """
    maps = maps_if_any(model, images)
    if not maps:
        raise ModelError(
            f"{type(model).__name__} makes no attention maps of its own; ask for method gradcam, "
            "which works on any network"
        )
    return maps


def maps_if_any(
    model: Classifier, images: Float[Tensor, "b 3 h w"]
) -> dict[str, Float[Tensor, "b grid_h grid_w"]]:
    """Give a network's attention maps by name: none where it has none."""
    with undisturbed(model):
        return {name: found.float() for name, found in model(images, maps=True).maps.items()}
