"""Fonts of figures: installed fallbacks are used, missing characters are named, and wrapped lines fit."""

from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from lesionlens.core import fonts
from lesionlens.core.figure_style import figure_style, save_figure
from lesionlens.core.fonts import font_families, missing_glyphs, text_width, wrap_text


def write_font(path: Path, family: str, characters: str) -> None:
    """Write a font whose characters are squares, 1.5 font sizes wide."""
    names = {ord(character): f"c{number}" for number, character in enumerate(characters)}
    pen = TTGlyphPen(None)
    pen.moveTo((100, 0))
    for corner in ((100, 800), (1400, 800), (1400, 0)):
        pen.lineTo(corner)
    pen.closePath()
    glyphs = [".notdef", *names.values()]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder(glyphs)
    builder.setupCharacterMap(names)
    builder.setupGlyf(dict.fromkeys(glyphs, pen.glyph()))
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1500, 100)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": family, "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(path)


@pytest.fixture
def no_fallbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FALLBACK_FONTS", ())


def test_installed_fallback_font_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FALLBACK_FONTS", ("Not Installed", "Squares for Tests"))
    monkeypatch.setattr(fontManager, "ttflist", [*fontManager.ttflist])
    write_font(tmp_path / "squares.ttf", "Squares for Tests", "黑色")
    fontManager.addfont(tmp_path / "squares.ttf")
    assert font_families() == [fonts.DEFAULT_FONT, "Squares for Tests"]
    assert missing_glyphs("a 黑\n色 素") == "素"
    assert text_width("黑色", 72) == pytest.approx(1.04 * 2 * 1.5, rel=0.01)
    with figure_style():
        figure = Figure(dpi=100)
        text = figure.text(0, 0.5, "a黑色", fontsize=72)
    save_figure(figure, tmp_path / "text.png", suffix="png")
    assert text.get_window_extent().width == pytest.approx(100 * (0.613 + 3), rel=0.02)


@pytest.mark.usefixtures("no_fallbacks")
@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("melanoma", ""),
        ("näevus αβ меланома", ""),
        ("黑色素瘤", "瘤素色黑"),
        ("メラノーマ a", "ノマメラー"),
        ("", ""),
    ],
)
def test_missing_characters_are_named(text: str, missing: str) -> None:
    assert missing_glyphs(text) == missing


@pytest.mark.usefixtures("no_fallbacks")
def test_names_with_dollar_signs_are_no_formulas(tmp_path: Path) -> None:
    with figure_style():
        figure = Figure()
        figure.text(0, 0, "$a_b$ and 5 $ \\frac 黑色")
    for suffix in ("png", "svg", "pdf"):
        save_figure(figure, tmp_path / f"text.{suffix}", suffix=suffix)
    assert "$a_b$ and 5 $ \\frac 黑色</text>" in (tmp_path / "text.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "melanoma, superficial spreading, of the trunk",
        "W" * 50,
        "黑色素瘤" * 8,
        "a-b_c/d" * 9,
        "first line\nsecond",
        "",
    ],
)
def test_wrapped_lines_fit_and_lose_nothing(text: str, bold: bool) -> None:
    wrapped = wrap_text(text, 0.8, 7, bold=bold)
    assert text_width(wrapped, 7, bold=bold) <= 0.8
    assert "".join(wrapped.split()) == "".join(text.split())


def test_long_names_retain_both_ends() -> None:
    name = "melanoma " * 20 + "of subtype 7"
    wrapped = wrap_text(name, 1.2, 7, max_lines=2)
    assert wrapped.count("\n") == 1
    assert text_width(wrapped, 7) <= 1.2
    assert wrapped.startswith("melanoma")
    assert wrapped.endswith("subtype 7")
    assert "…" in wrapped
    assert wrap_text("nevus", 1.2, 7, max_lines=2) == "nevus"
