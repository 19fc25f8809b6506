"""How far an exported network's numbers lie from torch's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.models.bundle import Loaded

TOLERANCE = 1e-4


def expected(loaded: Loaded, x: Tensor, *, maps: bool) -> dict[str, Tensor]:
    """Compute logits and maps with torch, by the names of an export."""
    with torch.inference_mode():
        found = loaded.model(x, maps=maps)
    return {"logits": found.logits, **{f"map {name}": values for name, values in found.maps.items()}}


def differences(
    found: Sequence[NDArray[Any]], wanted: dict[str, Tensor], *, independent: bool
) -> dict[str, float]:
    """Give the largest difference of the scores, of the logits and of each map, float32 or wider.

    That of the logits is in units of the largest of them, where that is above 1.
    """
    logits, by_torch = found[0].astype(np.float64), wanted["logits"].double().numpy()
    scores = [_scores(values, independent) for values in (logits, by_torch)]
    apart = {"scores": _apart(*scores), "logits": _apart(logits, by_torch) / max(1.0, np.abs(by_torch).max())}
    maps = zip(list(wanted.items())[1:], found[1:], strict=True)
    return apart | {name: _apart(values.double().numpy(), ours) for (name, values), ours in maps}


def _scores(logits: NDArray[np.float64], independent: bool) -> NDArray[np.float64]:
    x = torch.from_numpy(logits)
    found: NDArray[np.float64] = (x.sigmoid() if independent else x.softmax(dim=-1)).numpy()
    return found


def _apart(one: NDArray[Any], other: NDArray[Any]) -> float:
    """NaN counts as infinitely far."""
    largest = float(np.abs(one - other).max())
    return largest if np.isfinite(largest) else float("inf")
