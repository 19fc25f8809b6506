"""The figures of an experiment, drawn from its finished runs in the shape of the papers' own."""

from lesionlens.experiments.figures.draw import draw
from lesionlens.experiments.figures.sketch import Drawn

__all__ = ["Drawn", "draw"]
