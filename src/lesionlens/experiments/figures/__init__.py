"""The figures of an experiment, drawn from its finished runs in the shape of the papers' own."""

from lesionlens.experiments.figures.draw import render_figure
from lesionlens.experiments.figures.sketch import WrittenFigure

__all__ = ["WrittenFigure", "render_figure"]
