"""How many bytes a forward pass keeps for the backward pass."""

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


def saved_activation_bytes(model: nn.Module, x: Tensor) -> int:
    """Count each memory once."""
    found: dict[int, int] = {}

    def note(kept: Tensor) -> Tensor:
        storage = kept.untyped_storage()
        found[storage.data_ptr()] = storage.nbytes()
        return kept.detach()  # an operation that kept its own output as it is would never be freed

    with saved_tensors_hooks(note, lambda kept: kept):
        output = model(x)  # held until all is counted: what is freed could be counted for something else
    del output
    return sum(found.values())
