"""The loaders of a run: batches of training visits, and of whole images with their test crops."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
from torch.utils.data import DataLoader, Dataset

from lesionlens.data.in_threads import ThreadedDataset
from lesionlens.data.part import Batch, SplitData
from lesionlens.data.train_crops import TrainDataset
from lesionlens.data.visits import EpochSampler
from lesionlens.preprocessing import Preprocessing


@dataclass(frozen=True)
class EvalDataset(Dataset[Batch]):
    """The test crops of an image, which are scored together; masks are not cut."""

    __test__ = False  # no test class for pytest
    split_data: SplitData
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.split_data)

    def __getitem__(self, index: int) -> Batch:
        views = self.preprocessing.extract_crops(self.split_data.load_image(index), self.split_data.lesion_box(index))
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
        self, train_dataset: TrainDataset, val_dataset: EvalDataset, sampler: EpochSampler, *, batch_size: int, num_workers: int
    ) -> None:
        super().__init__()
        self.train_dataset, self.val_dataset, self.sampler = train_dataset, val_dataset, sampler
        self.batch_size, self.num_workers, self.num_threads, self.pin_memory = batch_size, num_workers, 1, False

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
        return dataset if self.num_workers or self.num_threads == 1 else ThreadedDataset(dataset, self.num_threads)
