"""Figures of a table, rendered from its finished runs in the form of the papers' figures."""

from lesionlens.reproduction.figures.base import WrittenFigure
from lesionlens.reproduction.figures.factory import render_figure

__all__ = ["WrittenFigure", "render_figure"]
