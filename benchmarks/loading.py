"""Decoding, cropping and augmenting on one core, against Pillow and torchvision's transforms.

python benchmarks/loading.py [--rounds N] [--json FILE] [--long]
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
import torch
from harness import Row, alternately, finish, options, repeated
from numpy.typing import NDArray
from photographs import photograph
from PIL import Image
from torch import Tensor
from torch.utils.data import default_collate
from torchvision.transforms import v2

from lesionlens.crops.multiscale import Multiscale
from lesionlens.data.images import read_rgb
from lesionlens.data.part import Part
from lesionlens.data.store import open_store
from lesionlens.data.stored import ImageStore, Kind
from lesionlens.data.train_crops import TrainCrops
from lesionlens.data.transforms import Augmentation
from lesionlens.data.visits import Visit
from lesionlens.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

SIDE, CROPS, BATCH = 224, 60, 16
SHRUNK = {(600, 450): 1, (4000, 3000): 4}  # the smallest that libjpeg can give and is twice as large as asked
OFTEN = {(600, 450): 20, (4000, 3000): 3}  # what takes a millisecond is done so often at a time
AUGMENT = Augmentation(rotation=10, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05)


def pillow(file: Path) -> Image.Image:
    return Image.open(file).convert("RGB")


def small_by_pillow(file: Path) -> None:
    image = pillow(file)
    size = (round(SIDE * image.width / image.height), SIDE)
    image.resize(size, Image.Resampling.BILINEAR)


def crops_by_pillow(file: Path) -> None:
    """Decode for every crop, as a data set of crops does."""
    rng = np.random.default_rng(0)
    for number in range(CROPS):
        image = pillow(file)
        top, left, height, width, _ = Multiscale()(image.height, image.width, number, rng)
        image.crop((left, top, left + width, top + height)).resize((SIDE, SIDE), Image.Resampling.BILINEAR)


def decoding(file: Path, size: tuple[int, int], demand: float) -> Row:
    """Bring a file to the network's size; the limit is libjpeg-turbo alone, without resizing."""
    width, height = (side // SHRUNK[size] for side in size)
    bare = partial(simplejpeg.decode_jpeg, min_height=height, min_width=width)
    ways = {
        "naive": lambda: small_by_pillow(file),
        "ours": lambda: read_rgb(file, shorter_side=SIDE),
        "limit": lambda: bare(file.read_bytes()),
    }
    often = OFTEN[size]
    return alternately(
        f"decode {size[0]} × {size[1]} to {SIDE}",
        {name: partial(repeated, work, often) for name, work in ways.items()},
        items=often,
        demand=demand,
    )


def cropping(file: Path, size: tuple[int, int], demand: float) -> Row:
    seen = Preprocessing(shorter_side=None, crops="multiscale", crop_count=CROPS)
    ways = {"naive": lambda: crops_by_pillow(file), "ours": lambda: seen.views(seen.decode(file))}
    name = f"{CROPS} crops of {size[0]} × {size[1]}"
    return alternately(name, ways, items=CROPS, unit="crop/s", demand=demand)


def torchvision_steps() -> v2.Transform:
    """Give the transforms with which a training script begins: what AUGMENT does, and normalising."""
    return v2.Compose(
        [
            v2.RandomResizedCrop(SIDE),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomRotation(AUGMENT.rotation, v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(AUGMENT.brightness, AUGMENT.contrast, AUGMENT.saturation, AUGMENT.hue),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )


def batches_by_torchvision(images: Callable[[int], Image.Image]) -> Callable[[], Tensor]:
    steps = torchvision_steps()
    return lambda: torch.stack([steps(images(number)) for number in range(BATCH)])


def our_batches(store: ImageStore) -> Callable[[], Tensor]:
    part = Part(store, np.arange(BATCH), np.zeros(BATCH, np.int64))
    crops = TrainCrops(part, (SIDE, SIDE), "random-resized", 1, False, AUGMENT, 0)
    epochs: Iterator[int] = count()

    def batch() -> Tensor:
        epoch = next(epochs)
        views = default_collate([crops[Visit(epoch, number, number, 0)] for number in range(BATCH)]).views
        return Preprocessing().normalised(views.flatten(0, 1))

    return batch


class Decoded:
    """Images in memory, as a store."""

    kind: Kind = "memmap"

    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def shape(self, index: int) -> tuple[int, int]:
        height, width, _ = self._images[index].shape
        return height, width

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._images[index]


def augmenting(files: Sequence[Path], folder: Path) -> list[Row]:
    """Make training batches: of decoded images, then of files and of what is kept of them."""
    decoded = [pillow(file) for file in files]
    from_memory = {
        "naive": batches_by_torchvision(decoded.__getitem__),
        "ours": our_batches(Decoded([np.array(image) for image in decoded])),
    }
    rows = [alternately("crop, flip, rotate, recolour, normalise", from_memory, items=BATCH, demand=5)]
    kept: list[tuple[Kind, int, str, float | None]] = [
        ("none", 512, "the same from JPEG files", 3.5),
        ("jpeg", 512, "the same from kept JPEGs", None),
        ("memmap", 512, "the same from kept bytes", None),
        ("memmap", 256, "the same from kept bytes, shorter side 256", 10),
    ]
    for kind, shorter_side, name, demand in kept:
        store = open_store(files, shorter_side=shorter_side, kind=kind, folder=folder)
        ways = {"naive": batches_by_torchvision(lambda n: pillow(files[n])), "ours": our_batches(store)}
        rows.append(alternately(name, ways, items=BATCH, demand=demand))
    return rows


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = (photograph(folder / f"{w}.jpg", w, h) for w, h in SHRUNK)
        files = [photograph(folder / f"small-{n}.jpg", 600, 450, seed=n) for n in range(BATCH)]
        rows = [
            decoding(small, (600, 450), 1.5),
            decoding(large, (4000, 3000), 4.5),
            cropping(small, (600, 450), 7),
            *augmenting(files, folder),
        ]
        if options().long:
            rows.append(cropping(large, (4000, 3000), 20))
    finish("Loading on one core", rows)


if __name__ == "__main__":
    main()
