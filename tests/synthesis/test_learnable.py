"""Classes are separable by simple color and texture statistics, but not perfectly."""

import cv2
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lesionlens.synthesis.class_priors import CLASS_CODES
from lesionlens.synthesis.sampling import render_images, sample_dataset


def statistics(rgb: np.ndarray) -> np.ndarray:
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB).astype(np.float32)
    h, w = lab.shape[:2]
    skin = np.median(np.concatenate([lab[: h // 8].reshape(-1, 3), lab[-h // 8 :].reshape(-1, 3)]), 0)
    center = lab[h // 5 : -h // 5, w // 4 : -w // 4]
    levels = np.percentile(center.reshape(-1, 3), [5, 25, 50, 75, 95], axis=0) - skin
    bands = [center - cv2.GaussianBlur(center, (0, 0), sigma) for sigma in (1, 3, 6)]
    return np.concatenate([levels.ravel(), *(band.std((0, 1)) for band in bands)])


@pytest.mark.slow
def test_simple_statistics_are_informative_but_not_perfect() -> None:
    plans = sample_dataset(330, seed=2, class_weights=dict.fromkeys(CLASS_CODES, 1.0))
    labels = np.array([plan.lesion.criteria.code for plan in plans])
    features = np.stack([statistics(next(render_images(plan, (120, 160))).rgb) for plan in plans])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    score = balanced_accuracy_score(labels, cross_val_predict(model, features, labels, cv=4))
    assert 0.3 < score < 0.85  # chance is 1/7
