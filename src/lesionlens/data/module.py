"""The loaders of a run: batches of training visits, and of whole images with their test crops."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import lightning as L
from torch.utils.data import DataLoader, Dataset

from lesionlens.data.in_threads import InThreads
from lesionlens.data.part import Batch, Part
from lesionlens.data.train_crops import TrainCrops
from lesionlens.data.visits import Visits
from lesionlens.preprocessing import Preprocessing


@dataclass(frozen=True)
class TestCrops(Dataset[Batch]):
    """The test crops of an image, which are scored together; masks are not cut."""

    __test__ = False  # no test class for pytest
    part: Part
    preprocessing: Preprocessing

    def __len__(self) -> int:
        return len(self.part)

    def __getitem__(self, index: int) -> Batch:
        views = self.preprocessing.views(self.part.image(index), self.part.region(index))
        return self.part.batch(index, views)


class LesionData(L.LightningDataModule):
    """Loaders of the training and the validation part.

    Attributes
    ----------
    workers, threads
        Processes that load, and where there are none, threads of this one that do.
    pin
        Put batches where a card fetches them fastest.
    """

    def __init__(
        self, train: TrainCrops, validation: TestCrops, visits: Visits, *, batch_size: int, workers: int
    ) -> None:
        super().__init__()
        self.train, self.validation, self.visits = train, validation, visits
        self.batch_size, self.workers, self.threads, self.pin = batch_size, workers, 1, False

    def state_dict(self) -> dict[str, Any]:
        """Say for the checkpoint after an epoch which one comes next."""
        return {"next_epoch": self.visits.epoch + 1}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Begin there: loader processes ask for visits before Lightning has called ``set_epoch``."""
        self.visits.set_epoch(state_dict["next_epoch"])

    def train_dataloader(self) -> DataLoader[Any]:
        """Give batches of visits; the last, smaller one is left out where there are others (batch norm)."""
        return self.visited(self.train)

    def visited(
        self, visited: Dataset[Any], *, collate: Callable[[list[Any]], Any] | None = None
    ) -> DataLoader[Any]:
        """Give what a set makes of the visits, in batches."""
        drop = len(self.visits) > self.batch_size
        return DataLoader(
            self._in_threads(visited),
            batch_size=self.batch_size,
            sampler=self.visits,
            num_workers=self.workers,
            drop_last=drop,
            persistent_workers=self.workers > 0,
            collate_fn=collate,
            pin_memory=self.pin and collate is None,
        )

    def val_dataloader(self) -> DataLoader[Batch]:
        """Give batches of whole images with their test crops, in order: as many views at once as in training."""
        views = self.batch_size * self.train.views
        images = max(1, views // self.validation.preprocessing.crop_count)
        return DataLoader(
            self._in_threads(self.validation),
            batch_size=images,
            num_workers=self.workers,
            pin_memory=self.pin,
        )

    def _in_threads(self, items: Dataset[Any]) -> Dataset[Any]:
        return items if self.workers or self.threads == 1 else InThreads(items, self.threads)
