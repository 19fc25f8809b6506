"""Images and their masks as one array at the network's size, so that whatever moves one moves the other."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from lesionlens.data.change import Change, move, recolour
from lesionlens.data.transforms import Augmentation
from lesionlens.errors import DataError
from lesionlens.preprocessing import Preprocessing
from lesionlens.segment.cases import Case
from lesionlens.segment.masks import read_mask
from lesionlens.training.left_out import LeftOut

Pixels = NDArray[np.uint8]
Progress = Callable[[int, int], None]
AHEAD = 64  # images decoded at a time: a bounded amount of memory


class Batch(NamedTuple):
    """Images uint8 (b, h, w, 3) and whether each pixel is lesion (b, h, w)."""

    images: Tensor
    masks: Tensor


def decode(
    cases: Sequence[Case], preprocessing: Preprocessing, file: Path, *, progress: Progress
) -> tuple[dict[str, Pixels], tuple[LeftOut, ...]]:
    """Decode images and masks into a new memory-mapped file.

    Returns
    -------
    Pixels (h, w, 4) by image id, red, green, blue and the mask of 0 and 255; and what cannot be used.
    """
    shape = (len(cases), *preprocessing.input_size, 4)
    stored = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    pixels: dict[str, Pixels] = {}
    left_out: list[LeftOut] = []
    for place, (case, found) in enumerate(zip(cases, _decoded(cases, preprocessing), strict=True)):
        if isinstance(found, DataError):
            left_out.append(LeftOut(case.image_id, "", str(found)))
        else:
            stored[place] = found
            pixels[case.image_id] = stored[place]
        progress(place + 1, len(cases))
    return pixels, tuple(left_out)


def _decoded(cases: Sequence[Case], preprocessing: Preprocessing) -> Iterator[Pixels | DataError]:
    def one(case: Case) -> Pixels | DataError:
        try:
            return _pixels(case, preprocessing)
        except DataError as error:
            return error

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for start in range(0, len(cases), AHEAD):
            yield from pool.map(one, cases[start : start + AHEAD])


def _pixels(case: Case, preprocessing: Preprocessing) -> Pixels:
    image = preprocessing.decode(case.path)
    mask = read_mask(case.mask_path, size=(image.shape[0], image.shape[1]))
    if not mask.any():
        raise DataError("the mask is empty: it marks no pixel as lesion")
    white = np.repeat(mask[..., None].astype(np.uint8) * 255, 3, axis=2)
    return np.dstack([preprocessing.views(image)[0], preprocessing.views(white)[0][..., :1]])


def changed(change: Change, pixels: Pixels) -> Pixels:
    """Move image and mask together, (h, w, 4); then change the colours of the image alone."""
    moved = move(change, pixels)
    return np.dstack([recolour(change, np.ascontiguousarray(moved[..., :3])), moved[..., 3]])


@dataclass(frozen=True)
class Epoch(Dataset[Batch]):
    """The images of a part in order; what is drawn depends on seed, epoch and position alone, not on the worker.

    Attributes
    ----------
    augment
        None: the images as they are.
    """

    pixels: Sequence[Pixels]
    augment: Augmentation | None = None
    seed: int = 0
    number: int = 0

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, position: int) -> Batch:
        pixels = self.pixels[position]
        if self.augment is not None:
            rng = np.random.default_rng((self.seed, self.number, position))
            pixels = changed(self.augment.draw(rng), pixels)
        return Batch(torch.from_numpy(pixels[..., :3].copy()), torch.from_numpy(pixels[..., 3] > 127))
