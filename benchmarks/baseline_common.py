"""Common to all baselines: dataset, torchvision loader, and suppressed output."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import torch
from sample_images import write_labeled_images
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from lesionlens.core.runtime import available_cpus
from lesionlens.imaging.preprocessing import IMAGENET_MEAN, IMAGENET_STD

INPUT_SIZE, COLOR_JITTER, NUM_HELD_OUT = 224, 0.2, 8


def write_dataset(folder: Path, images: int) -> Path:
    """Write sample images: `train` has a folder per class; `table.csv` lists all images, including held-out ones."""
    lines = ["image,label,split"]
    for first, count, split in (
        (0, images, "train"),
        (images, NUM_HELD_OUT, "validation"),
        (2 * images, NUM_HELD_OUT, "test"),
    ):
        files = write_labeled_images(folder / split, count, first=first)
        lines += [f"{file.relative_to(folder)},{file.parent.name},{split}" for file in files]
    (folder / "table.csv").write_text("\n".join(lines) + "\n")
    return folder


def make_loader(folder: Path, batch: int, *, train: bool) -> DataLoader:
    """Return PyTorch's loader with torchvision's transforms, and one worker per core."""
    change = [v2.RandomResizedCrop(INPUT_SIZE), v2.RandomHorizontalFlip(), v2.RandomVerticalFlip()]
    change += [v2.ColorJitter(COLOR_JITTER, COLOR_JITTER, COLOR_JITTER)]
    transforms = [
        v2.ToImage(),
        v2.ToDtype(torch.float32, scale=True),
        v2.Normalize(IMAGENET_MEAN, IMAGENET_STD),
    ]
    steps = v2.Compose([*(change if train else [v2.Resize((INPUT_SIZE, INPUT_SIZE))]), *transforms])
    return DataLoader(
        ImageFolder(folder / "train", steps),
        batch,
        shuffle=train,
        drop_last=train,
        num_workers=available_cpus(),
        persistent_workers=True,
    )


@contextmanager
def silence() -> Iterator[None]:
    """Hide progress bars and hints; they are computed nevertheless."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        yield
