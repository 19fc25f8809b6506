"""The items of a batch made side by side in threads: decoding, warping and resizing release Python's lock."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from torch.utils.data import Dataset

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
