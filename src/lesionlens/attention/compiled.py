"""Formulas of attention residual learning on (b, h, w, c), compiled once for all sizes, or run as they stand."""

import types
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

Formula = Callable[..., tuple[Any, ...]]
# images, height, width, channels: no two alike, none 1, so that all may be other; large enough for many threads, as a
# compiler leaves little work to one
EXAMPLE_SHAPE = (11, 29, 31, 96)


class DenseTensorSpec(NamedTuple):
    """What a compiled formula relies on of a tensor that lies densely: all but its sizes.

    Attributes
    ----------
    dtype, device
        The tensor's own.
    unit_dims
        Which sides are of size one, which is a case of its own.
    """

    dtype: torch.dtype
    device: torch.device
    unit_dims: tuple[bool, ...]

    def example(self) -> Tensor:
        """Make a tensor whose sides all differ, and may change: equal ones would be taken for the same."""
        sides = EXAMPLE_SHAPE[len(EXAMPLE_SHAPE) - len(self.unit_dims) :]
        shape = [1 if one else side for one, side in zip(self.unit_dims, sides, strict=True)]
        made = torch.zeros(shape, dtype=self.dtype, device=self.device)
        torch._dynamo.mark_dynamic(made, [axis for axis, one in enumerate(self.unit_dims) if not one])
        return made


def run_compiled(formula: Formula, *args: Any) -> tuple[Any, ...]:
    """Run a formula on tensors, numbers and named tuples of them, compiled.

    It is compiled once for all sizes (tens of seconds), again for images that come singly, for grids with a side of one
    and for another number of threads; where that fails a warning says so once, and it runs as it stands.
    """
    kinds = map_tensors(
        args, Tensor, lambda each: DenseTensorSpec(each.dtype, each.device, tuple(n == 1 for n in each.shape))
    )
    return _compile(formula, kinds, torch.get_num_threads())(*args)


def map_tensors(value: Any, leaf_type: type, fn: Callable[[Any], Any]) -> Any:
    """Replace each value of a kind in tuples of tuples, named or not."""
    if isinstance(value, leaf_type):
        return fn(value)
    if not isinstance(value, tuple):
        return value
    parts = [map_tensors(each, leaf_type, fn) for each in value]
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)


@cache
def _compile(formula: Formula, specs: tuple[Any, ...], _threads: int) -> Formula:
    # of one code torch compiles eight cases and no more, silently: each case has a code of its own
    assert isinstance(formula, types.FunctionType)
    own = types.FunctionType(formula.__code__.replace(), formula.__globals__, closure=formula.__closure__)
    run: Formula = torch.compile(own)
    try:
        run(*map_tensors(specs, DenseTensorSpec, DenseTensorSpec.example))
    except Exception as error:  # whatever a compiler or its absence raises
        _warn_uncompiled((str(error).strip() or type(error).__name__).splitlines()[0])
        return formula
    return run


@cache
def _warn_uncompiled(reason: str) -> None:
    warnings.warn(
        f"attention residual learning runs uncompiled, slower but with equal results: {reason}", stacklevel=1
    )
