"""Decoding, cropping and augmenting on one core, against Pillow and torchvision's transforms.

python benchmarks/dataloading.py [--rounds N] [--json FILE] [--full]
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
from harness import ResultRow, measure_variants, parse_options, repeat, report_results
from numpy.typing import NDArray
from PIL import Image
from sample_images import write_sample_image
from torch import Tensor
from torch.utils.data import default_collate
from torchvision.transforms import v2

from lesionlens.data.augmentation import Augmentation
from lesionlens.data.cache_formats import CacheFormat, ImageCache
from lesionlens.data.dataset import SplitData, TrainDataset
from lesionlens.data.image_cache import open_image_cache
from lesionlens.data.sampler import SampleIndex
from lesionlens.imaging.crops import MultiScaleCrop
from lesionlens.imaging.decode import read_rgb
from lesionlens.imaging.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing

INPUT_SIZE, NUM_CROPS, BATCH_SIZE = 224, 60, 16
REPEATS_BY_SIZE = {(600, 450): 20, (4000, 3000): 3}  # work of a millisecond is repeated
AUGMENT = Augmentation(rotation=10, brightness=0.2, contrast=0.2, saturation=0.2, hue=0.05)


def load_with_pillow(file: Path) -> Image.Image:
    return Image.open(file).convert("RGB")


def resize_with_pillow(file: Path) -> None:
    image = load_with_pillow(file)
    size = (round(INPUT_SIZE * image.width / image.height), INPUT_SIZE)
    image.resize(size, Image.Resampling.BILINEAR)


def crop_with_pillow(file: Path) -> None:
    """Decode once per crop, as a dataset of crops."""
    rng = np.random.default_rng(0)
    for number in range(NUM_CROPS):
        image = load_with_pillow(file)
        top, left, height, width, _ = MultiScaleCrop()(image.height, image.width, number, rng)
        image.crop((left, top, left + width, top + height)).resize(
            (INPUT_SIZE, INPUT_SIZE), Image.Resampling.BILINEAR
        )


def measure_decoding(file: Path, size: tuple[int, int], target: float) -> ResultRow:
    """Decode a file at the input size; the roofline is libjpeg-turbo without resizing."""
    variants = {
        "baseline": lambda: resize_with_pillow(file),
        "ours": lambda: read_rgb(file, max_short_side=INPUT_SIZE),
        "roofline": lambda: simplejpeg.decode_jpeg(file.read_bytes()),
    }
    often = REPEATS_BY_SIZE[size]
    return measure_variants(
        f"decode {size[0]} × {size[1]} to {INPUT_SIZE}",
        {name: partial(repeat, work, often) for name, work in variants.items()},
        items=often,
        target=target,
    )


def measure_cropping(file: Path, size: tuple[int, int], target: float) -> ResultRow:
    preprocessing = Preprocessing(max_short_side=None, crops="multi-scale", crop_count=NUM_CROPS)
    variants = {
        "baseline": lambda: crop_with_pillow(file),
        "ours": lambda: preprocessing.extract_crops(preprocessing.load_image(file)),
    }
    name = f"{NUM_CROPS} crops of {size[0]} × {size[1]}"
    return measure_variants(name, variants, items=NUM_CROPS, unit="crop/s", target=target)


def torchvision_transforms() -> v2.Transform:
    """Return the transforms of a typical training script: those of AUGMENT, and normalization."""
    return v2.Compose(
        [
            v2.RandomResizedCrop(INPUT_SIZE),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.RandomRotation(AUGMENT.rotation, v2.InterpolationMode.BILINEAR),
            v2.ColorJitter(AUGMENT.brightness, AUGMENT.contrast, AUGMENT.saturation, AUGMENT.hue),
            v2.ToImage(),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )


def prepare_torchvision_batches(images: Callable[[int], Image.Image]) -> Callable[[], Tensor]:
    steps = torchvision_transforms()
    return lambda: torch.stack([steps(images(number)) for number in range(BATCH_SIZE)])


def prepare_our_batches(cache: ImageCache) -> Callable[[], Tensor]:
    split_data = SplitData(cache, np.arange(BATCH_SIZE), np.zeros(BATCH_SIZE, np.int64))
    crops = TrainDataset(split_data, (INPUT_SIZE, INPUT_SIZE), "random-resized", 1, False, AUGMENT, 0)
    epochs: Iterator[int] = count()

    def batch() -> Tensor:
        epoch = next(epochs)
        views = default_collate(
            [crops[SampleIndex(epoch, number, number, 0)] for number in range(BATCH_SIZE)]
        ).crops
        return Preprocessing().normalize(views.flatten(0, 1))

    return batch


class InMemoryImages:
    """Image cache in memory."""

    cache_format: CacheFormat = "memmap"

    def __init__(self, images: Sequence[NDArray[np.uint8]]) -> None:
        self._images = images

    def __len__(self) -> int:
        return len(self._images)

    def shape(self, index: int) -> tuple[int, int]:
        height, width, _ = self._images[index].shape
        return height, width

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._images[index]


def measure_augmentation(files: Sequence[Path], folder: Path) -> list[ResultRow]:
    """Make training batches from decoded images, from files, and from the image cache."""
    decoded = [load_with_pillow(file) for file in files]
    from_memory = {
        "baseline": prepare_torchvision_batches(decoded.__getitem__),
        "ours": prepare_our_batches(InMemoryImages([np.array(image) for image in decoded])),
    }
    rows = [
        measure_variants("crop, flip, rotate, recolor, normalize", from_memory, items=BATCH_SIZE, target=5)
    ]
    cases: list[tuple[CacheFormat, int, str, float | None]] = [
        ("none", 512, "the same from JPEG files", 3.5),
        ("jpeg", 512, "the same from cached JPEGs", None),
        ("memmap", 512, "the same from cached bytes", None),
        ("memmap", 256, "the same from cached bytes, shorter side 256", 10),
    ]
    for kind, shorter_side, name, target in cases:
        cache = open_image_cache(files, max_short_side=shorter_side, option=kind, cache_dir=folder)
        variants = {
            "baseline": prepare_torchvision_batches(lambda n: load_with_pillow(files[n])),
            "ours": prepare_our_batches(cache),
        }
        rows.append(measure_variants(name, variants, items=BATCH_SIZE, target=target))
    return rows


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        small, large = (write_sample_image(folder / f"{w}.jpg", w, h) for w, h in REPEATS_BY_SIZE)
        files = [write_sample_image(folder / f"small-{n}.jpg", 600, 450, seed=n) for n in range(BATCH_SIZE)]
        rows = [
            measure_decoding(small, (600, 450), 1.5),
            measure_decoding(large, (4000, 3000), 2),
            measure_cropping(small, (600, 450), 7),
            *measure_augmentation(files, folder),
        ]
        if parse_options().full:
            rows.append(measure_cropping(large, (4000, 3000), 20))
    report_results("Loading on one core", rows)


if __name__ == "__main__":
    main()
