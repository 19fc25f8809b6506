"""How many bytes operations read and write, each on its own."""

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class MemoryTraffic(TorchDispatchMode):
    """Count what each operation reads and writes; views move nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        if not func.is_view:
            self.bytes += sum(
                each.nbytes for each in tree_leaves((args, kwargs, found)) if isinstance(each, torch.Tensor)
            )
        return found
