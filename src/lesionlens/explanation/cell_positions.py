"""Where in the input the cells of a feature map are: the centers of their receptive fields.

Because of padding, they are not on the even grid over which a map is usually resized. In a ResNet, the cell i of the
last stage is centered at pixel 32 i; on an even grid it would be at 32 i + 16, too far to the lower right by 7 % of an
image of 224 pixels (Araujo, Norris and Sim 2019, "Computing receptive fields of convolutional neural networks").
"""

from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from lesionlens.explanation.cam import eval_mode
from lesionlens.imaging.stitching import CellAxis, CellGrid
from lesionlens.models.base import Classifier

CellGrids = dict[tuple[int, int], CellGrid]
"""Positions of the cells by the height and width of the map."""

_WINDOWED = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
_cache: WeakKeyDictionary[nn.Module, dict[tuple[int, int], CellGrids]] = WeakKeyDictionary()


def cell_grids(model: Classifier, crops: Tensor) -> CellGrids:
    """Return the positions of the cells of all feature maps of a network, from one pass over a crop of zeros.

    Positions follow from kernel size, stride, dilation and padding of the convolutions and pooling layers. Maps of the
    same size have the same positions: those of the first layer with this output size. Networks without such layers
    have no positions.

    Parameters
    ----------
    model
        Any network.
    crops
        Crops of the input size of the network, (n, 3, h, w); their pixels do not matter.
    """
    size = (int(crops.shape[-2]), int(crops.shape[-1]))
    by_size = _cache.setdefault(model, {})
    if size not in by_size:
        by_size[size] = _trace(model, size, crops)
    return by_size[size]


def _trace(model: Classifier, size: tuple[int, int], crops: Tensor) -> CellGrids:
    """Trace a pass over zeros of the type and on the device of the crops."""
    unit = CellAxis(0.5, 1.0)
    axes: dict[tuple[int, int], tuple[CellAxis, CellAxis]] = {size: (unit, unit)}

    def record(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        before, after = tuple(inputs[0].shape[-2:]), tuple(output.shape[-2:])
        if inputs[0].dim() == 4 and before in axes and before != after:
            moved = [_move(module, axes[before][d], before[d], after[d], d) for d in (0, 1)]
            axes.setdefault(after, (moved[0], moved[1]))

    modules = [module for module in model.modules() if isinstance(module, _WINDOWED)]
    handles = [module.register_forward_hook(record) for module in modules]
    num_crops = model.num_crops
    shape = (1, 3, *size) if num_crops is None else (1, num_crops, 3, *size)
    try:
        with eval_mode(model):
            model(crops.new_zeros(shape))
    finally:
        for handle in handles:
            handle.remove()
    return {grid: CellGrid(_relative(y, size[0]), _relative(x, size[1])) for grid, (y, x) in axes.items()}


def _move(module: nn.Module, axis: CellAxis, before: int, after: int, dimension: int) -> CellAxis:
    """Return the positions after a layer, in pixels of the input."""
    kernel, stride, padding, dilation = (
        _of_dimension(getattr(module, name, 1), dimension)
        for name in ("kernel_size", "stride", "padding", "dilation")
    )
    extent = dilation * (kernel - 1)
    if not _is_padded_by_itself(module, before, after, extent, stride, padding):
        padding = (
            max((after - 1) * stride + extent + 1 - before, 0) // 2
        )  # "same": the smaller half comes first
    return CellAxis(axis.start + (extent / 2 - padding) * axis.step, axis.step * stride)


def _is_padded_by_itself(
    module: nn.Module, before: int, after: int, extent: int, stride: int, padding: int
) -> bool:
    """Return whether the padding of the layer gives its output size; otherwise its forward function pads."""
    round_up = getattr(module, "ceil_mode", False)
    steps = before + 2 * padding - extent - 1
    return after == (-(-steps // stride) if round_up else steps // stride) + 1


def _of_dimension(value: Any, dimension: int) -> int:
    if isinstance(value, str):  # padding="same" or "valid"
        return 0
    return int(value[dimension] if isinstance(value, tuple | list) else value)


def _relative(axis: CellAxis, length: int) -> CellAxis:
    return CellAxis(axis.start / length, axis.step / length)
