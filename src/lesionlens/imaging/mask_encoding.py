"""Which pixels of a mask file are inside: one rule for all encodings that annotation tools write.

Two values: the darker one is outside. More values: they must be the soft edge between dark and bright; the threshold is
half of the range. A palette is read by index, unless its colors are gray. Transparent pixels are outside. All other
content is ambiguous: class numbers of several classes (also one class with 255 for pixels to ignore), several colors, a
photograph.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from lesionlens.imaging.decode import Samples

_Mask = npt.NDArray[np.bool_]
_Levels = npt.NDArray[Any]
_Splitter = Callable[[_Levels], _Mask]

MASK_THRESHOLD = 128  # of 255; brighter is inside, as in the official scorer of the ISIC challenges
_LOSSY_FORMATS = ("JPEG", "WEBP")
_DARK, _BRIGHT = 64, 192  # a soft mask has levels below the first and from the second on
_MAX_SOFT_FRACTION = 0.25  # pixels between dark and bright; in photographs of skin there are more
_MAX_PLATEAU_FRACTION = 0.005  # flat area at one level between dark and bright: a third class, not an edge
_GRAY_TOLERANCE = 8  # difference of the channels of a gray pixel in a JPEG
MIN_PROBABILITY_LEVELS = 16  # a gray mask with fewer levels may number classes
_COLOR_TOLERANCE = 48  # difference of two pixels of one color in a JPEG
_MAX_GROUND = 96  # brightest channel of a dark ground, such as the dark end of a color map


def lesion_pixels(samples: Samples) -> _Mask:
    """Return the pixels inside a lesion mask, (h, w).

    Raises
    ------
    ValueError
        The content is ambiguous; the message is a phrase for the user.
    """
    split_gray = _split_soft if samples.format in _LOSSY_FORMATS else _split_gray
    return _inside(samples, split_gray, _split_color)


def gray_levels(samples: Samples) -> npt.NDArray[np.uint8] | None:
    """Return the levels of a gray mask scaled to 0..255, (h, w); None if it is colored, transparent or lossy."""
    values = samples.values
    if samples.format in _LOSSY_FORMATS or samples.alpha is not None or samples.palette is not None:
        return None
    if values.ndim == 3:
        if (_brightest_channel(values) != _darkest_channel(values)).any():
            return None
        values = values[..., 0]
    if values.dtype.kind == "f":
        return np.asarray(np.rint(values * 255), np.uint8) if 0 <= values.min() <= values.max() <= 1 else None
    if values.dtype.kind != "u":
        return None
    return np.asarray(np.rint(values / (np.iinfo(values.dtype).max / 255)), np.uint8)


def structure_pixels(samples: Samples) -> _Mask:
    """Return the pixels inside a mask of structures, (h, w): all that are neither 0 nor transparent.

    A file may have one bit per structure (up to 16 bits). Files of lossy formats, whose zeros are noisy, are read as
    lesion masks.

    Raises
    ------
    ValueError
        The content is ambiguous.
    """
    if samples.format in _LOSSY_FORMATS:
        return lesion_pixels(samples)
    return _inside(samples, _nonzero_levels, lambda colors: _nonzero_levels(_brightest_channel(colors)))


def _nonzero_levels(levels: _Levels) -> _Mask:
    """Return the nonzero levels, or the greater one of two."""
    low, high = levels.min(), levels.max()
    if low == 0 or low == high:
        return np.asarray(levels != 0)
    if not ((levels == low) | (levels == high)).all():
        raise ValueError(f"it has more than two values, from {low:g} to {high:g}, and none is 0")
    return np.asarray(levels == high)


def _inside(samples: Samples, split_gray: _Splitter, split_color: _Splitter) -> _Mask:
    values, alpha, palette = samples.values, samples.alpha, samples.palette
    if alpha is not None and alpha.min() != alpha.max():
        colors = values if palette is None else palette[values]
        return _inside_opaque(colors, alpha, split_gray, split_color)
    if palette is not None:
        values = _resolve_palette(values, palette)
    constant = values.min() == values.max()
    if alpha is not None and not alpha.any() and not constant:
        raise ValueError("every pixel is transparent")
    if samples.reduced and constant:
        raise ValueError("it has 16 bits per channel, whose upper 8 are the same in every pixel")
    return _split(values, split_gray, split_color)


def _split(values: _Levels, split_gray: _Splitter, split_color: _Splitter) -> _Mask:
    """Split gray levels (h, w) or colors (h, w, 3)."""
    if values.ndim == 2:
        return split_gray(values)
    brightest = _brightest_channel(values)
    gray = (brightest - _darkest_channel(values)).max() <= _GRAY_TOLERANCE
    return split_gray(brightest) if gray else split_color(values)


def _inside_opaque(values: _Levels, alpha: _Levels, split_gray: _Splitter, split_color: _Splitter) -> _Mask:
    """Return the opaque pixels if they have one color, otherwise those inside among them."""
    opaque = _split_gray(alpha)
    colors = values[opaque].reshape(np.count_nonzero(opaque), -1)
    if (np.ptp(colors, axis=0) <= _COLOR_TOLERANCE).all():
        return opaque
    visible = np.where(opaque if values.ndim == 2 else opaque[..., None], values, 0)
    return _split(visible, split_gray, split_color)


def _resolve_palette(indices: _Levels, palette: npt.NDArray[np.uint8]) -> _Levels:
    """Return gray levels of a gray palette, 0 and 1 of two classes, or the colors of more classes."""
    used = np.flatnonzero(np.bincount(indices.ravel(), minlength=len(palette)))
    colors = palette[used].astype(np.int64)
    if len(used) > 1 and not np.ptp(colors, axis=0).any():  # the palette was lost
        return indices
    if not np.ptp(colors, axis=1).any():
        return palette[:, 0][indices]
    if len(used) > 2:
        return palette[indices]
    if len(used) == 1:
        return np.asarray(indices != 0, dtype=np.uint8)
    if colors[0].max() > _MAX_GROUND or colors[1].max() <= colors[0].max():
        raise ValueError(f"{_describe_colors(*colors)}: palette entry {used[0]} is not a dark ground")
    return np.asarray(indices == used[1], dtype=np.uint8)


def _split_gray(levels: _Levels) -> _Mask:
    """Return the greater of only two levels, or split soft levels."""
    low, high = levels.min(), levels.max()
    inside: _Mask = levels == high
    if low < high and (inside | (levels == low)).all():
        return inside
    return _split_soft(levels)


def _split_soft(levels: _Levels) -> _Mask:
    """Split levels at half of the range between dark and bright; a constant is outside if it is 0."""
    low, high = float(levels.min()), float(levels.max())
    if not np.isfinite([low, high]).all():
        raise ValueError("it has values that are not finite numbers")
    if low == high:
        return _constant(levels, low)
    scaled = _to_8_bits(levels, low, high)
    _check_soft(scaled)
    _check_class_numbers(scaled)
    return np.asarray(scaled > MASK_THRESHOLD)


def _constant(levels: _Levels, value: float) -> _Mask:
    full = {1.0, 255.0, 65535.0}
    if value not in {0.0, *full}:
        raise ValueError(f"every pixel has the value {value:g}")
    return np.full(levels.shape, value in full)


def _to_8_bits(levels: _Levels, low: float, high: float) -> npt.NDArray[np.uint8]:
    """Scale levels to 0..255 by the smallest usual range that contains them: 1 (fractions), 255 or 65,535."""
    fractions = levels.dtype.kind == "f"
    limit = next((limit for limit in ((1, 255, 65535) if fractions else (255, 65535)) if high <= limit), 0)
    if low < 0 or low * 255 >= _DARK * limit or high * 255 < _BRIGHT * limit:
        raise ValueError(f"its values from {low:g} to {high:g} may be class numbers or gray levels")
    return np.asarray(levels if limit == 255 and not fractions else levels * (255 / limit)).astype(np.uint8)


def _check_soft(levels: npt.NDArray[np.uint8]) -> None:
    """Raise an error unless all levels between dark and bright can be the soft edge of a region."""
    between = (levels >= _DARK) & (levels < _BRIGHT)
    fraction = np.count_nonzero(between) / levels.size
    if fraction > _MAX_SOFT_FRACTION:
        raise ValueError(f"{fraction:.0%} of its pixels are neither dark nor bright, as in a photograph")
    counts = _flat_areas(levels, between)
    if counts.max() > _MAX_PLATEAU_FRACTION * levels.size:
        raise ValueError(f"it has a third area, of gray level {counts.argmax()}, between dark and bright")


def _check_class_numbers(levels: npt.NDArray[np.uint8]) -> None:
    """Raise an error if several dark levels and 255 have areas with sharp edges: numbers of classes and "undefined"."""
    if ((levels >= _DARK) & (levels < np.max(levels))).any():
        return
    numbers = np.flatnonzero(_flat_areas(levels, levels < _DARK) > _MAX_PLATEAU_FRACTION * levels.size)
    if len(numbers) > 1:
        raise ValueError(
            f"its values {', '.join(map(str, numbers))} and {levels.max()} may be numbers of classes"
        )


def _flat_areas(levels: npt.NDArray[np.uint8], selected: _Mask) -> npt.NDArray[np.intp]:
    """Return the number of pixels of each level in areas of one level, which edges do not have, (256,)."""
    kernel = np.ones((3, 3), np.uint8)
    flat = selected & (cv2.erode(levels, kernel) == cv2.dilate(levels, kernel))
    return np.bincount(levels[flat], minlength=256)


def _split_color(colors: _Levels) -> _Mask:
    """Split one color from a dark ground."""
    first = _has_color(colors, colors[0, 0])
    second_color = colors.reshape(-1, 3)[
        first.argmin()
    ]  # of the first pixel of another color, if there is one
    if not (first | _has_color(colors, second_color)).all():
        inside = _split_soft(_brightest_channel(colors))
        _check_one_color(colors, inside)
        return inside
    pair = np.array([colors[0, 0], second_color], dtype=np.int64)
    ground, color = pair[pair.max(axis=1).argsort(kind="stable")]
    if ground.max() > _MAX_GROUND or color.max() <= ground.max():
        raise ValueError(f"{_describe_colors(ground, color)}: none is a dark ground")
    return _has_color(colors, color)


def _has_color(colors: _Levels, color: _Levels) -> _Mask:
    equal: _Mask = colors[..., 0] == color[0]
    equal &= colors[..., 1] == color[1]
    equal &= colors[..., 2] == color[2]
    return equal


def _brightest_channel(colors: _Levels) -> _Levels:
    return np.asarray(np.maximum(np.maximum(colors[..., 0], colors[..., 1]), colors[..., 2]))


def _darkest_channel(colors: _Levels) -> _Levels:
    return np.asarray(np.minimum(np.minimum(colors[..., 0], colors[..., 1]), colors[..., 2]))


def _describe_colors(*colors: _Levels) -> str:
    names = sorted({"#{:02x}{:02x}{:02x}".format(*color) for color in colors})
    return f"it has the color{'s' if len(names) > 1 else ''} {' and '.join(names)}"


def _check_one_color(colors: _Levels, inside: _Mask) -> None:
    """Raise an error if the region, without its edge, has more than one color."""
    interior = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1) > 0
    other = np.zeros(np.count_nonzero(interior), dtype=np.bool_)
    for channel in range(3):
        levels = colors[..., channel][interior].astype(np.int16)
        if len(levels):
            other |= np.abs(levels - np.int16(np.median(levels))) > _COLOR_TOLERANCE
    if np.count_nonzero(other) > _MAX_PLATEAU_FRACTION * len(other):
        raise ValueError("it has several colors on a dark ground, as for several classes")
