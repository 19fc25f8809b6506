"""Training images in an accelerator's memory, where whole batches are cut and changed: no loader keeps up with it.

What is drawn is what the loader would draw; a pixel differs by a grey level or two (see ``resident_cut`` and
``resident_change``).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from lesionlens.data.module import LesionData
from lesionlens.data.part import Batch, Part
from lesionlens.data.resident_change import apply_all
from lesionlens.data.resident_crops import apply_to_crops
from lesionlens.data.resident_cut import cut_all
from lesionlens.data.train_crops import Drawn, TrainCrops
from lesionlens.data.visits import Visit

SHARE = 0.5  # of the memory that is free before training: the rest is for the network and its batches


def fits(part: Part, device: torch.device) -> bool:
    """Say whether all images of a part, and their masks, take less than half of a CUDA device's free memory."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return bytes_of(part) <= SHARE * free


def bytes_of(part: Part) -> int:
    """Count what the images and masks of a part take."""
    pixels = sum(height * width for height, width in map(part.shape, range(len(part))))
    return _channels(part) * pixels


class Resident:
    """The images and masks of a part on a device, and the batches made of them there.

    Parameters
    ----------
    crops
        What the loader would give; its part is copied to the device.
    device
        Any of torch's.
    """

    def __init__(self, crops: TrainCrops, device: torch.device) -> None:
        part = crops.part
        self._crops = crops
        self._pictures = _copied(part, device)
        self._targets = torch.tensor(part.targets, device=device)
        weights = np.ones(len(part)) if part.weights is None else part.weights
        self._weights = torch.tensor(weights, dtype=torch.float32, device=device)
        known = np.zeros(len(part), dtype=bool) if part.masks is None else part.masks.known
        self._known = torch.tensor(known, device=device)

    def batch(self, drawn: Sequence[Drawn]) -> Batch:
        """Make the batch of b visits."""
        pixels = self._together(drawn) if self._crops.together else self._apart(drawn)
        images = torch.tensor([each.image for each in drawn], device=pixels.device)
        pixels = pixels.to(torch.uint8)
        views, masks = pixels[:, :, :3], pixels[:, :, 3:]
        return Batch(
            views=views.movedim(2, -1).contiguous(),
            target=self._targets[images],
            weight=self._weights[images],
            masks=masks[:, :, 0].contiguous()
            if masks.shape[2]
            else pixels.new_zeros(*pixels.shape[:2], 0, 0),
            known=self._known[images],
        )

    def _apart(self, drawn: Sequence[Drawn]) -> Tensor:
        """Cut one crop of each image, then change them all: (b, 1, c, h, w)."""
        pictures = [self._pictures[each.image] for each in drawn]
        boxes = [each.boxes[0] for each in drawn]
        return apply_to_crops([each.change for each in drawn], pictures, boxes, self._crops.size)[:, None]

    def _together(self, drawn: Sequence[Drawn]) -> Tensor:
        """Change each whole image, then cut all its crops: (b, n, c, h, w)."""
        found = []
        for each in drawn:
            changed = apply_all([each.change], self._pictures[each.image][None].float())[0]
            found.append(cut_all([changed] * len(each.boxes), each.boxes, self._crops.size))
        return torch.stack(found)


class ResidentData(LesionData):
    """Loaders whose training part lies on a device: its loader only draws, and the batch is made there.

    Parameters
    ----------
    data
        The loaders without that.
    device
        Where training images shall lie.
    """

    def __init__(self, data: LesionData, device: torch.device) -> None:
        super().__init__(
            data.train, data.validation, data.visits, batch_size=data.batch_size, workers=data.workers
        )
        self._resident = Resident(data.train, device)

    def train_dataloader(self) -> DataLoader[Any]:
        """Give lists of what is drawn, for ``transfer_batch_to_device``."""
        return self.visited(Draws(self.train), collate=list)

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Batch:
        """Make a training batch; move any other, as Lightning does."""
        if isinstance(batch, list):
            return self._resident.batch(batch)
        moved: Batch = super().transfer_batch_to_device(batch, device, dataloader_idx)
        return moved


class Draws(Dataset[Drawn]):
    """What is drawn of each visit, without a pixel."""

    def __init__(self, crops: TrainCrops) -> None:
        self._crops = crops

    def __getitem__(self, visit: Visit) -> Drawn:
        return self._crops.drawn(visit)


def _channels(part: Part) -> int:
    return 3 if part.masks is None else 4


def _copied(part: Part, device: torch.device) -> list[Tensor]:
    """Copy each image, with its mask as a fourth channel, into one block of memory: each (c, h, w)."""
    shapes = [(_channels(part), *part.shape(index)) for index in range(len(part))]
    block = torch.zeros(bytes_of(part), dtype=torch.uint8, device=device)
    places = torch.split(block, [int(np.prod(shape)) for shape in shapes])
    pictures = [place.view(shape) for place, shape in zip(places, shapes, strict=True)]
    for index, picture in enumerate(pictures):
        image, mask = part.seen(index)
        picture[:3] = torch.tensor(image, device=device).permute(2, 0, 1)
        if mask is not None:
            picture[3] = torch.tensor(mask, device=device)
    return pictures
