"""How far an exported network's numbers lie from torch's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lesionlens.models.bundle import LoadedModel

OUTPUT_TOLERANCE = 1e-4


def reference_outputs(loaded: LoadedModel, x: Tensor, *, maps: bool) -> dict[str, Tensor]:
    """Compute logits and maps with torch, by the names of an export."""
    with torch.inference_mode():
        found = loaded.model(x, maps=maps)
    return {"logits": found.logits, **{f"map {name}": values for name, values in found.maps.items()}}


def max_abs_errors(
    outputs: Sequence[NDArray[Any]], reference: dict[str, Tensor], *, multilabel: bool
) -> dict[str, float]:
    """Give the largest difference of the scores, of the logits and of each map, float32 or wider.

    That of the logits is in units of the largest of them, where that is above 1.
    """
    logits, by_torch = outputs[0].astype(np.float64), reference["logits"].double().numpy()
    scores = [_scores_from_logits(values, multilabel) for values in (logits, by_torch)]
    apart = {"scores": _max_abs_diff(*scores), "logits": _max_abs_diff(logits, by_torch) / max(1.0, np.abs(by_torch).max())}
    maps = zip(list(reference.items())[1:], outputs[1:], strict=True)
    return apart | {name: _max_abs_diff(values.double().numpy(), ours) for (name, values), ours in maps}


def _scores_from_logits(logits: NDArray[np.float64], multilabel: bool) -> NDArray[np.float64]:
    x = torch.from_numpy(logits)
    found: NDArray[np.float64] = (x.sigmoid() if multilabel else x.softmax(dim=-1)).numpy()
    return found


def _max_abs_diff(a: NDArray[Any], b: NDArray[Any]) -> float:
    """NaN counts as infinitely far."""
    largest = float(np.abs(a - b).max())
    return largest if np.isfinite(largest) else float("inf")
