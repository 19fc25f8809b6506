"""Dermoscopy-like images drawn from a seed, with the truth about every pixel; for research and tests only."""

from lesionlens.synthesis.artefacts import ARTEFACTS, ArtefactRates
from lesionlens.synthesis.dataset import synthesise
from lesionlens.synthesis.structures import STRUCTURES, read_structures

__all__ = ["ARTEFACTS", "STRUCTURES", "ArtefactRates", "read_structures", "synthesise"]
