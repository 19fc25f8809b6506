"""The loaders of a run: batches of training visits, and of whole images with their test crops."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import cv2
import lightning as L
import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from lesionlens.core.types import RGBValues
from lesionlens.data.dataset import Batch, SplitData, TrainDataset
from lesionlens.data.sampler import EpochSampler
from lesionlens.imaging.preprocessing import Preprocessing

Item = TypeVar("Item", covariant=True)


class ThreadedDataset(Dataset[Item], Generic[Item]):
    """A data set whose items come one by one or, a batch at a time, from threads; in order, and the same either way.

    Parameters
    ----------
    dataset
        The set; an item must be a function of its key alone.
    num_threads
        How many items are made at once.
    """

    def __init__(self, dataset: Dataset[Item], num_threads: int) -> None:
        self._dataset, self._pool = dataset, ThreadPoolExecutor(num_threads)

    def __len__(self) -> int:
        return len(self._dataset)  # type: ignore[arg-type]

    def __getitem__(self, key: Any) -> Item:
        return self._dataset[key]

    def __getitems__(self, keys: Sequence[Any]) -> list[Item]:
        """Give a whole batch: PyTorch's loader asks for this where it is there."""
        return list(self._pool.map(self._dataset.__getitem__, keys))


@dataclass(frozen=True)
class EvalDataset(Dataset[Batch]):
    """The test crops of an image, which are scored together; masks are not cut."""

    __test__ = False  # no test class for pytest
    split_data: SplitData
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.split_data)

    def __getitem__(self, index: int) -> Batch:
        views = self.preprocessing.extract_crops(
            self.split_data.load_image(index), self.split_data.lesion_box(index)
        )
        return self.split_data.make_sample(index, views)


class LesionDataModule(L.LightningDataModule):
    """Loaders of the training and the validation part.

    Attributes
    ----------
    num_workers, num_threads
        Processes that load, and where there are none, threads of this one that do.
    pin_memory
        Put batches where a card fetches them fastest.
    """

    def __init__(
        self,
        train_dataset: TrainDataset,
        val_dataset: EvalDataset,
        sampler: EpochSampler,
        *,
        batch_size: int,
        num_workers: int,
    ) -> None:
        super().__init__()
        self.train_dataset, self.val_dataset, self.sampler = train_dataset, val_dataset, sampler
        self.batch_size, self.num_workers, self.num_threads, self.pin_memory = (
            batch_size,
            num_workers,
            1,
            False,
        )

    def state_dict(self) -> dict[str, Any]:
        """Say for the checkpoint after an epoch which one comes next."""
        return {"next_epoch": self.sampler.epoch + 1}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Begin there: loader processes ask for visits before Lightning has called ``set_epoch``."""
        self.sampler.set_epoch(state_dict["next_epoch"])

    def train_dataloader(self) -> DataLoader[Any]:
        """Give batches of visits; the last, smaller one is left out where there are others (batch norm)."""
        return self.epoch_dataloader(self.train_dataset)

    def epoch_dataloader(
        self, dataset: Dataset[Any], *, collate_fn: Callable[[list[Any]], Any] | None = None
    ) -> DataLoader[Any]:
        """Give what a set makes of the visits, in batches."""
        drop = len(self.sampler) > self.batch_size
        return DataLoader(
            self._with_threads(dataset),
            batch_size=self.batch_size,
            sampler=self.sampler,
            num_workers=self.num_workers,
            drop_last=drop,
            persistent_workers=self.num_workers > 0,
            collate_fn=collate_fn,
            pin_memory=self.pin_memory and collate_fn is None,
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Give batches of whole images with their test crops, in order: as many views at once as in training."""
        views = self.batch_size * self.train_dataset.crops_per_sample
        images = max(1, views // self.val_dataset.preprocessing.crop_count)
        return DataLoader(
            self._with_threads(self.val_dataset),
            batch_size=images,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
        )

    def _with_threads(self, dataset: Dataset[Any]) -> Dataset[Any]:
        return (
            dataset
            if self.num_workers or self.num_threads == 1
            else ThreadedDataset(dataset, self.num_threads)
        )


def channel_statistics(images: Iterable[NDArray[np.uint8]]) -> tuple[RGBValues, RGBValues]:
    """Measure every pixel of all images, each image (h, w, 3).

    Returns
    -------
    mean, std
        Of red, green and blue, on values from 0 to 1; a channel that is the same everywhere has a std of 1.
    """
    pixels, total, squares = 0, np.zeros(3), np.zeros(3)
    for image in images:
        count = image.shape[0] * image.shape[1]
        mean, std = (np.asarray(each).reshape(3) / 255 for each in cv2.meanStdDev(image))
        pixels, total, squares = pixels + count, total + count * mean, squares + count * (std**2 + mean**2)
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    std[std < 1e-6] = 1
    return _round_channels(mean), _round_channels(std)


def _round_channels(values: NDArray[np.float64]) -> RGBValues:
    red, green, blue = (round(float(value), 6) for value in values)
    return red, green, blue
