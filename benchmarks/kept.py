"""How many bytes a forward pass keeps for the backward pass."""

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from lesionlens.models import computed_again


def kept_bytes(model: nn.Module, x: Tensor) -> int:
    """Count each memory once, with what is kept in place of a grid that is computed again."""
    found: dict[int, int] = {}

    def note(kept: Any) -> Any:
        # detached: an operation that kept its own output as it is would never be freed
        tensor = kept.detach() if isinstance(kept, Tensor) else kept.given
        storage = tensor.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return tensor if isinstance(kept, Tensor) else kept

    def inside(keep: Callable[[Tensor], Any], give: Callable[[Any], Tensor]) -> saved_tensors_hooks:
        """Note what hooks of the model's own keep: they take the place of ours."""
        return saved_tensors_hooks(lambda tensor: note(keep(tensor)), give)

    with (
        patch.object(computed_again, "saved_tensors_hooks", inside),
        saved_tensors_hooks(note, lambda kept: kept),
    ):
        output = model(x)  # held until all is counted: what is freed could be counted for something else
    del output
    return sum(found.values())
