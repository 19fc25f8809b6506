"""Model scores of an image while its pixels are removed or restored in the order of a map, and their areas."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from lesionlens.core.types import FloatArray
from lesionlens.explanation.cam import eval_mode
from lesionlens.explanation.perturbation import blur_crops, impute_pixels, replace_pixels
from lesionlens.models.saved_model import LoadedModel
from lesionlens.models.tta import predict_proba

ROAD_FRACTIONS = (0.1, 0.3, 0.5, 0.7, 0.9)
Scorer = Callable[[Tensor], FloatArray]
"""Function from versions of the crops of an image, (v, n, 3, h, w), to the model score of one class, (v,)."""


class PerturbationCurves(NamedTuple):
    """Model scores of one class while an image changes in the order of a map.

    Attributes
    ----------
    deletion, insertion
        Scores at the fractions 0, 1 / steps … 1 of removed or restored pixels, (steps + 1,).
    road_most, road_least
        Scores after the most and after the least important pixels are imputed, at ``ROAD_FRACTIONS``.
    """

    deletion: FloatArray
    insertion: FloatArray
    road_most: FloatArray
    road_least: FloatArray


class PerturbationAreas(NamedTuple):
    """Areas under the curves of one map of one image.

    Attributes
    ----------
    insertion, deletion
        Area under the curve, 0 to 1 (Petsiuk et al. 2018): high insertion and low deletion are faithful.
    road
        Mean score without the least important pixels minus that without the most important ones, divided by two, -0.5
        to 0.5 (Rong et al. 2022): 0 for a map without information about the score.
    """

    insertion: float
    deletion: float
    road: float


def class_scorer(loaded: LoadedModel, target_index: int, *, batch_size: int = 32) -> Scorer:
    """Return a function that scores versions of an image: the mean probability of a class over its test crops.

    Parameters
    ----------
    target_index
        Index of the class.
    batch_size
        Maximum number of crops in the network at a time; a network of crops always takes those of one version together.
    """
    device = next(loaded.model.parameters()).device

    def score(versions: Tensor) -> FloatArray:
        rows = max(1, batch_size // versions.shape[1])
        with eval_mode(loaded.model):
            parts = [
                predict_proba(loaded.model, part.to(device), multilabel=loaded.card.multilabel)[
                    :, target_index
                ]
                for part in torch.split(versions, rows)
            ]
        return torch.cat(parts).numpy()

    return score


def perturbation_curves(
    score: Scorer,
    crops: Float[Tensor, "n 3 h w"],
    ranks: Float[ndarray, "n h w"],
    *,
    steps: int = 20,
    seed: int = 0,
    batch_size: int = 32,
) -> PerturbationCurves:
    """Score an image while its pixels are removed or restored in the order of a map.

    Parameters
    ----------
    score
        Function from ``class_scorer``.
    crops
        Preprocessed test crops of the image.
    ranks
        Order of their pixels, from ``pixel_ranks``.
    steps
        Number of steps of deletion and insertion.
    seed
        Random seed of the noise of imputation.
    batch_size
        As for ``class_scorer``; it limits the versions in memory.
    """
    constant, blurred = torch.zeros_like(crops), blur_crops(crops)  # 0 is the mean color
    rows = max(1, batch_size // len(crops))

    def curve(make_versions: Callable[[FloatArray], Tensor], fractions: FloatArray) -> FloatArray:
        parts = [fractions[start : start + rows] for start in range(0, len(fractions), rows)]
        return np.concatenate([score(make_versions(part)) for part in parts])

    fractions, road_fractions = np.linspace(0, 1, steps + 1), np.array(ROAD_FRACTIONS)
    return PerturbationCurves(
        curve(lambda part: replace_pixels(crops, constant, ranks, part), fractions),
        curve(lambda part: replace_pixels(blurred, crops, ranks, part), fractions),
        curve(lambda part: impute_pixels(crops, ranks, part, seed=seed), road_fractions),
        curve(lambda part: impute_pixels(crops, ranks, part, least=True, seed=seed), road_fractions),
    )


def perturbation_areas(curves: PerturbationCurves) -> PerturbationAreas:
    """Return the areas under the curves, by the trapezoidal rule.

    Examples
    --------
    >>> curves = PerturbationCurves(*map(np.array, ([1.0, 0.0, 0.0], [0.0, 1.0, 1.0], [0.2, 0.2], [0.6, 0.8])))
    >>> [round(area, 3) for area in perturbation_areas(curves)]
    [0.75, 0.25, 0.25]
    """
    steps = len(curves.deletion) - 1
    return PerturbationAreas(
        insertion=float(np.trapezoid(curves.insertion) / steps),
        deletion=float(np.trapezoid(curves.deletion) / steps),
        road=float((curves.road_least - curves.road_most).mean() / 2),
    )
