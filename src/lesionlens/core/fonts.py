"""Fonts of figures: fallbacks for other scripts than Matplotlib's own font has, and texts wrapped to a width.

Matplotlib's own font, DejaVu Sans, has Latin, Greek, Cyrillic and Arabic letters. For other scripts the first installed
font of ``FALLBACK_FONTS`` that has a character is used. Where none has it, images and PDF files show a box; SVG files
keep the text, which the browser shows in its own fonts.
"""

import re
import warnings
from functools import lru_cache
from unicodedata import east_asian_width

from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.textpath import text_to_path

DEFAULT_FONT = "DejaVu Sans"  # part of Matplotlib
FALLBACK_FONTS = (
    # Linux
    "Noto Sans CJK SC", "Noto Sans CJK TC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP",
    "Noto Sans KR", "Source Han Sans SC", "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback",
    "Noto Sans Devanagari", "Noto Sans Thai",
    # macOS
    "PingFang SC", "Heiti TC", "Hiragino Sans GB", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS",
    # Windows
    "Microsoft YaHei", "SimHei", "Microsoft JhengHei", "Yu Gothic", "Malgun Gothic", "Nirmala UI", "Leelawadee UI",
)  # fmt: skip
LINE_SPACING = 1.2  # height of a line in font sizes
_HINTING_MARGIN = 1.04  # hinted glyphs of small images are up to this much wider

# after blanks, separators within names and each character of a script without blanks
_BREAKS = re.compile(r"(?<=\s)(?=\S)|(?<=[-_/\\])(?=\w)|(?<=[\u2e80-\u9fff\uac00-\ud7ff\uf900-\uffef])(?=\S)")


def font_families() -> list[str]:
    """Return Matplotlib's own font and the installed fallbacks, in the order in which they are tried."""
    installed = {font.name for font in fontManager.ttflist}
    return [DEFAULT_FONT, *(name for name in FALLBACK_FONTS if name in installed)]


def missing_glyphs(text: str) -> str:
    """Return the visible characters of a text that no font of `font_families` has, each once."""
    characters = {c for c in text if c.isprintable() and not c.isspace()}
    for family in font_families():
        font = get_font(findfont(FontProperties(family=family)))
        characters = {c for c in characters if not font.get_char_index(ord(c))}
    return "".join(sorted(characters))


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of the longest line, in inches, for a font size in points."""
    families = tuple(font_families())
    lines = text.split("\n")
    return max(_HINTING_MARGIN * size / 72 * sum(_advance(c, bold, families) for c in line) for line in lines)


def text_height(text: str, size: float) -> float:
    """Return the height of all lines, in inches, for a font size in points."""
    return LINE_SPACING * size / 72 * (text.count("\n") + 1)


@lru_cache(maxsize=8192)
def _advance(character: str, bold: bool, families: tuple[str, ...]) -> float:
    """Return the width of a character in font sizes; a missing wide one is as wide as in the browser's font."""
    font = FontProperties(family=list(families), weight="bold" if bold else "normal", size=1.0)
    with warnings.catch_warnings(action="ignore", category=UserWarning):
        width = float(text_to_path.get_text_width_height_descent(character, font, ismath=False)[0])
    return max(width, 1.0) if east_asian_width(character) in "WF" else width


def wrap_text(
    text: str, width: float, size: float, *, bold: bool = False, max_lines: int | None = None
) -> str:
    """Break a text into lines of at most a width, in inches; longer words are broken anywhere.

    Parameters
    ----------
    text
        Text; its own line breaks are retained.
    width
        Maximum width of a line, in inches.
    size
        Font size, in points.
    bold
        Whether the text is bold.
    max_lines
        Maximum number of lines; of a longer text the middle is replaced by an ellipsis, because names often differ at
        their ends.
    """
    lines = _break_lines(text, width, size, bold)
    if max_lines is None or len(lines) <= max_lines:
        return "\n".join(lines)
    fits, too_long = 1, len(text)
    while fits + 1 < too_long:
        retained = (fits + too_long) // 2
        is_short = len(_break_lines(_shorten(text, retained), width, size, bold)) <= max_lines
        fits, too_long = (retained, too_long) if is_short else (fits, retained)
    return "\n".join(_break_lines(_shorten(text, fits), width, size, bold))


def _shorten(text: str, retained: int) -> str:
    """Retain a number of characters, half of them at each end."""
    tail = retained // 2
    return f"{text[: retained - tail].rstrip()}…{text[len(text) - tail :].lstrip()}"


def _break_lines(text: str, width: float, size: float, bold: bool) -> list[str]:
    lines = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _pieces(paragraph, width, size, bold):
            if line and text_width((line + piece).rstrip(), size, bold=bold) > width:
                lines.append(line.rstrip())
                line = ""
            line += piece
        lines.append(line.rstrip())
    return lines


def _pieces(paragraph: str, width: float, size: float, bold: bool) -> list[str]:
    """Split a paragraph where lines may break: words, and the characters of words that are wider than a line."""
    words = _BREAKS.split(paragraph)
    is_wide = [text_width(word.rstrip(), size, bold=bold) > width for word in words]
    return [piece for word, wide in zip(words, is_wide, strict=True) for piece in (word if wide else [word])]
