"""A figure as SVG that can lie inside a page beside others."""

import re
from io import StringIO

from markupsafe import Markup
from matplotlib import rc_context
from matplotlib.figure import Figure

_NO_METADATA = {"Creator": None, "Date": None, "Format": None, "Type": None}


def inline_svg(figure: Figure, *, name: str) -> Markup:
    """Draw a figure as an ``<svg>`` element: text stays text, and the same figure gives the same element.

    Parameters
    ----------
    figure
        The figure.
    name
        Different for each figure of a page: every id inside begins with it.
    """
    stream = StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(stream, format="svg", metadata=_NO_METADATA, transparent=True)
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r"(url\(#|href=\"#)", rf"\1{name}-", text)
    width = re.search(r'width="([\d.]+)pt"', text)
    assert width is not None, "matplotlib gives every SVG a width"
    # the page decides on the size, up to 1.35 times the one for print
    size = f'style="max-width: {1.35 * float(width.group(1)):.0f}pt"'
    text = re.sub(
        r'width="[\d.]+pt" height="[\d.]+pt"|height="[\d.]+pt" (.*?)width="[\d.]+pt"',
        rf"\1{size}",
        text,
        count=1,
    )
    return Markup(text)  # noqa: S704 - matplotlib escapes the text that it writes
