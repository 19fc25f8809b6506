"""The figures of an experiment, drawn from its finished runs in the shape of the papers' own."""

from lesionlens.reproduction.figures.base import WrittenFigure
from lesionlens.reproduction.figures.factory import render_figure

__all__ = ["WrittenFigure", "render_figure"]
