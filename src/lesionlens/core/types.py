"""Types shared by all packages: array aliases and the progress callback."""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from lesionlens.core.fileio import file_lock
from lesionlens.core.fileio import atomic_write
from lesionlens.data.cache_formats import decode_images
from lesionlens.imaging.load import ColorConstancy, HairRemoval, load_image, decoder_version
from lesionlens.data.image_cache import CacheOption, plan_cache
from lesionlens.data.cache_formats import ImageDecoder, ImageCache, CacheIndex, JpegCache, CacheFormat, MemmapCache, NoCache
from typing import Any, NamedTuple
import numpy as np
from numpy.typing import NDArray
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from lesionlens.core.errors import PredictionsError, unknown_name_message
from collections.abc import Iterable
import cv2
from typing import Annotated, Any, Literal
from pydantic import BeforeValidator, Field
from lesionlens.imaging.preprocessing import IMAGENET_MEAN, IMAGENET_STD
from lesionlens.runs.schema import ConfigSection


ProgressCallback = Callable[[int, int], None]


FloatArray = NDArray[np.float64]


BoolArray = NDArray[np.bool_]


StrArray = NDArray[np.str_]


ChannelValues = tuple[float, float, float]


RGBValues = tuple[float, float, float]
