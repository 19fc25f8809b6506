"""Random predictions with several images per lesion."""

import numpy as np

from lesionlens.core.taxonomy import ISIC2018_CLASSES
from lesionlens.evaluation.predictions import Predictions


def random_predictions(
    n: int = 200,
    *,
    classes: tuple[str, ...] = ISIC2018_CLASSES,
    digits: int = 2,
    seed: int = 0,
    prior: list[float] | None = None,
) -> Predictions:
    """Sample scores that favor the true class and have ties; without a prior each class occurs."""
    rng = np.random.default_rng(seed)
    k = len(classes)
    truth = rng.choice(k, n, p=prior)
    if prior is None:
        truth[:k] = np.arange(k)
    logits = rng.normal(size=(n, k)) + 1.5 * (truth[:, None] == np.arange(k))
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    lesions = rng.integers(0, max(1, 3 * n // 4), n)
    return Predictions(
        np.array([f"ISIC_{image:07d}" for image in range(n)]),
        np.array([f"HAM_{lesion:07d}" for lesion in lesions]),
        np.array(classes)[truth],
        np.round(scores, digits),
        classes,
    )
