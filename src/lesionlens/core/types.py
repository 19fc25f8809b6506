"""Types shared by all packages: array aliases and the progress callback."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

ProgressCallback = Callable[[int, int], None]
FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
StrArray = NDArray[np.str_]
ChannelValues = tuple[float, float, float]
RGBValues = tuple[float, float, float]
