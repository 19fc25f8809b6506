"""Detectors of artifacts on synthetic images, whose artifacts are known."""

import numpy as np
import pytest

from lesionlens.imaging.artifact_detection import ARTIFACT_DETECTORS, DETECTION_SIDE, detect_artifacts
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.sampling import render_images, sample_dataset

# lower bounds of the intervals in docs/subgroups.md: sensitivity, specificity
MEASURED = {
    "hair": (0.78, 0.91),
    "ruler": (0.95, 0.98),
    "ink_markings": (0.90, 0.93),
    "color_patch": (0.89, 0.98),
    "dark_corners": (0.97, 0.98),
}
FREQUENT = ArtifactRates(
    hair=0.4, ruler=0.3, gel_bubbles=0.2, ink_markings=0.3, color_patch=0.3, dark_corners=0.3
)


def detections(num_images: int, *, seed: int, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return which artifacts were detected and which were rendered, (n, artifacts) each."""
    detected, rendered = [], []
    for plan in sample_dataset(num_images, seed=seed, artifacts=FREQUENT):
        for image, capture in zip(render_images(plan, size), plan.captures, strict=True):
            detected.append(list(detect_artifacts(image.rgb).values()))
            rendered.append([name in capture.artifacts for name in ARTIFACT_DETECTORS])
    return np.array(detected), np.array(rendered)


def test_most_artifacts_are_detected() -> None:
    detected, rendered = detections(24, seed=7, size=(150, 200))
    assert (detected == rendered).mean() > 0.85
    for column in range(len(ARTIFACT_DETECTORS)):
        present = rendered[:, column]
        assert detected[present, column].mean() > detected[~present, column].mean() + 0.4


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255), (210, 170, 150), (0, 80, 255)])
def test_uniform_images_have_no_artifact(color: tuple[int, int, int]) -> None:
    image = np.full((80, 90, 3), color, np.uint8)
    assert not any(detect_artifacts(image).values())


def test_any_size_and_selected_names() -> None:
    image = np.random.default_rng(0).integers(120, 140, (9, 700, 3), dtype=np.uint8)
    assert list(detect_artifacts(image, ["ruler", "hair"])) == ["ruler", "hair"]
    large = np.full((2 * DETECTION_SIDE, 3 * DETECTION_SIDE, 3), 180, np.uint8)
    large[:40, :40] = large[:40, -40:] = large[-40:, :40] = large[-40:, -40:] = 3
    assert detect_artifacts(large, ["dark_corners"]) == {"dark_corners": True}


@pytest.mark.slow
def test_errors_are_those_of_the_documentation() -> None:
    detected, rendered = detections(600, seed=200, size=(300, 400))
    for column, (name, (sensitivity, specificity)) in enumerate(MEASURED.items()):
        present = rendered[:, column]
        assert detected[present, column].mean() >= sensitivity, name
        assert (~detected[~present, column]).mean() >= specificity, name
