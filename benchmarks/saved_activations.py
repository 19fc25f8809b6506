"""Bytes that a forward pass saves for the backward pass."""

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks


def saved_activation_bytes(model: nn.Module, x: Tensor) -> int:
    """Return the saved bytes; shared memory counts once."""
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor.detach()  # an operation that saves its own output would never be freed

    with saved_tensors_hooks(note, lambda tensor: tensor):
        output = model(x)  # alive until everything is counted, so that no address is reused
    del output
    return sum(sizes.values())
