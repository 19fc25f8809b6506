"""Synthetic dermoscopy-like images with ground truth for every pixel; for research and tests only."""

from lesionlens.synthesis.artifacts import ARTIFACTS, ArtifactRates
from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.synthesis.structures import STRUCTURES, read_structures

__all__ = ["ARTIFACTS", "STRUCTURES", "ArtifactRates", "generate_dataset", "read_structures"]
