"""Type aliases shared by all packages."""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

ProgressCallback = Callable[[int, int], None]
"""Called with the number of items done and the total number of items."""
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
StrArray = NDArray[np.str_]
RGBValues = tuple[float, float, float]
"""One value per channel: red, green, blue."""

Sampling = Literal["shuffle", "oversample", "weighted", "balanced", "equal"]
"""Sampling of the images of an epoch, as for the recipe key ``train.sampling``."""
