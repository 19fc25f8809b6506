"""Axes of epochs, numbers on axes, and the warning about missing characters."""

import pytest
from matplotlib.figure import Figure

from lesionlens.core import fonts
from lesionlens.core.figure_style import set_plain_ticks, style_epoch_axis, warn_about_missing_glyphs


@pytest.mark.parametrize(
    ("epochs", "ticks"),
    [
        ([1], ["1"]),
        ([7], ["7"]),
        ([1, 2], ["1", "2"]),
        ([1, 2, 3], ["1", "2", "3"]),
        (range(1, 13), ["3", "6", "9", "12"]),
        ([], ["1"]),
    ],
)
def test_epochs_are_integers(epochs: list[int], ticks: list[str]) -> None:
    axes = Figure().add_subplot()
    axes.plot(epochs, epochs)
    style_epoch_axis(axes, list(epochs))
    axes.figure.draw_without_rendering()
    low, high = axes.get_xlim()
    positions = axes.get_xticks()
    labels = [label.get_text() for label in axes.get_xticklabels()]
    assert [label for x, label in zip(positions, labels, strict=True) if low <= x <= high] == ticks


@pytest.mark.parametrize("values", [(0.001, 0.00101), (1e-6, 5e-6), (0.0, 40_000.0)])
def test_numbers_have_neither_offset_nor_power_of_ten(values: tuple[float, float]) -> None:
    axes = Figure().add_subplot()
    axes.plot(values, values)
    set_plain_ticks(axes.yaxis)
    axes.figure.draw_without_rendering()
    assert axes.yaxis.get_offset_text().get_text() == ""
    labels = [float(label.get_text().replace("−", "-")) for label in axes.get_yticklabels()]
    assert labels == pytest.approx(list(axes.get_yticks()))


def test_missing_characters_cause_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "FALLBACK_FONTS", ())
    warn_about_missing_glyphs("melanoma", "PNG")
    message = "No installed font has the characters 色黑: the PNG files show boxes"
    with pytest.warns(UserWarning, match=message) as caught:
        warn_about_missing_glyphs("黑色黑", "PNG", stacklevel=1)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="characters 一丁七丈三上下不丑世丘丙並丸丹主久乍乏乗…: the PNG"):
        warn_about_missing_glyphs("一丁七丈三上下不丑世丘丙並丸丹主久乍乏乗乙九", "PNG")
