"""Data loaders of a run: augmented training crops, and validation images with their test crops."""

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
TrainSet = TypeVar("TrainSet", bound=Dataset[Any])


class ThreadedDataset(Dataset[Item], Generic[Item]):
    """Dataset that loads the items of a batch in threads, in order.

    A ``DataLoader`` without worker processes requests a batch at a time through ``__getitems__``. The threads live as
    long as the dataset, whereas ``lesionlens.core.prefetch`` starts new ones for each sequence of items, which would be
    once per batch.

    Parameters
    ----------
    dataset
        Map-style dataset whose items depend only on their index.
    num_threads
        Number of items loaded at the same time.
    """

    def __init__(self, dataset: Dataset[Item], num_threads: int) -> None:
        self._dataset, self._pool = dataset, ThreadPoolExecutor(num_threads)

    def __len__(self) -> int:
        return len(self._dataset)  # type: ignore[arg-type]

    def __getitem__(self, key: Any) -> Item:
        return self._dataset[key]

    def __getitems__(self, keys: Sequence[Any]) -> list[Item]:
        """Load the items of one batch; PyTorch's data loader calls this if it exists."""
        return list(self._pool.map(self._dataset.__getitem__, keys))


@dataclass(frozen=True)
class EvalDataset(Dataset[Batch]):
    """Validation images with all test crops of each; masks are not loaded."""

    split_data: SplitData
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.split_data)

    def __getitem__(self, index: int) -> Batch:
        image, box = self.split_data.load_image(index), self.split_data.lesion_box(index)
        return self.split_data.make_sample(index, self.preprocessing.extract_crops(image, box))


class LesionDataModule(L.LightningDataModule, Generic[TrainSet]):
    """Data loaders of the training and validation splits.

    Attributes
    ----------
    train_dataset
        Dataset of the training split, indexed by the sampler's ``SampleIndex``.
    val_dataset
        Dataset of the validation split, indexed by integers.
    sampler
        Order of the training samples.
    batch_size, val_batch_size
        Number of training and of validation samples per batch.
    num_workers
        Number of loader processes; 0: load in this process.
    num_threads
        Number of loader threads if ``num_workers`` is 0.
    pin_memory
        Whether batches are copied to pinned memory, from which a GPU reads fastest.
    """

    def __init__(
        self,
        train_dataset: TrainSet,
        val_dataset: Dataset[Any],
        sampler: EpochSampler,
        *,
        batch_size: int,
        val_batch_size: int,
        num_workers: int,
    ) -> None:
        super().__init__()
        self.train_dataset, self.val_dataset, self.sampler = train_dataset, val_dataset, sampler
        self.batch_size, self.val_batch_size, self.num_workers = batch_size, val_batch_size, num_workers
        self.num_threads, self.pin_memory = 1, False

    def state_dict(self) -> dict[str, Any]:
        """Return the number of the next epoch for the checkpoint written after an epoch."""
        return {"next_epoch": self.sampler.epoch + 1}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Set the sampler's epoch: loader processes request indices before Lightning calls ``set_epoch``."""
        self.sampler.set_epoch(state_dict["next_epoch"])

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the training loader; it drops a smaller last batch (batch norm) unless it is the only one."""
        return self.epoch_dataloader(self.train_dataset)

    def epoch_dataloader(
        self, dataset: Dataset[Any], *, collate_fn: Callable[[list[Any]], Any] | None = None
    ) -> DataLoader[Any]:
        """Return a loader of a dataset that is indexed by the sampler's ``SampleIndex``."""
        return DataLoader(
            self._with_threads(dataset),
            batch_size=self.batch_size,
            sampler=self.sampler,
            num_workers=self.num_workers,
            drop_last=len(self.sampler) > self.batch_size,
            persistent_workers=self.num_workers > 0,
            collate_fn=collate_fn,
            pin_memory=self.pin_memory and collate_fn is None,
        )

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation loader, in order."""
        return DataLoader(
            self._with_threads(self.val_dataset),
            batch_size=self.val_batch_size,
            num_workers=self.num_workers,
            pin_memory=self.pin_memory,
        )

    def _with_threads(self, dataset: Dataset[Any]) -> Dataset[Any]:
        return (
            dataset
            if self.num_workers or self.num_threads == 1
            else ThreadedDataset(dataset, self.num_threads)
        )


def eval_batch_size(batch_size: int, train_dataset: TrainDataset, preprocessing: Preprocessing) -> int:
    """Return the number of validation images per batch that have about as many crops as a training batch."""
    return max(1, batch_size * train_dataset.crops_per_sample // preprocessing.crop_count)


def channel_statistics(images: Iterable[NDArray[np.uint8]]) -> tuple[RGBValues, RGBValues]:
    """Compute the mean and standard deviation of each channel over all pixels of all images.

    Parameters
    ----------
    images
        RGB images, (h, w, 3) each.

    Returns
    -------
    mean, std
        Means and standard deviations of red, green and blue on a scale from 0 to 1; the standard deviation of a
        constant channel is 1.
    """
    pixels, total, squares = 0, np.zeros(3), np.zeros(3)
    for image in images:
        count = image.shape[0] * image.shape[1]
        mean, std = (np.asarray(values).reshape(3) / 255 for values in cv2.meanStdDev(image))
        pixels, total, squares = pixels + count, total + count * mean, squares + count * (std**2 + mean**2)
    mean = total / pixels
    std = np.sqrt(np.maximum(squares / pixels - mean**2, 0))
    std[std < 1e-6] = 1
    return _round_channels(mean), _round_channels(std)


def _round_channels(values: NDArray[np.float64]) -> RGBValues:
    red, green, blue = (round(float(value), 6) for value in values)
    return red, green, blue
