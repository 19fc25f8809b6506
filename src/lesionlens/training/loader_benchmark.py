"""Time data loading and a training step before a run, for about a second.

The run is not affected: steps are computed on a copy of the model, loading samples nothing (see ``EpochSampler``), and
the state of torch's random number generators is restored.
"""

import copy
import time
from collections.abc import Callable, Iterator

import torch

from lesionlens.core.runtime import retain_freed_memory
from lesionlens.data.datamodule import LesionDataModule
from lesionlens.data.dataset import Batch, TrainDataset
from lesionlens.training.autotune import StepTimings
from lesionlens.training.module import ClassificationModule

TIMING_SECONDS = 0.3  # for each of the three timings; at least two batches


def measure_step_timings(
    datamodule: LesionDataModule[TrainDataset],
    module: ClassificationModule,
    device: torch.device,
    *,
    bf16: bool,
) -> StepTimings:
    """Time loading with all threads and with one, and a training step without the optimizer's update.

    Parameters
    ----------
    datamodule
        Data loaders, without worker processes.
    module
        Model and preprocessing.
    device
        Device that computes the steps.
    bf16
        Whether steps use bf16 autocast.
    """
    retain_freed_memory()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        num_threads = datamodule.num_threads
        load = _time_loading(datamodule)
        datamodule.num_threads = 1
        load_single_thread = _time_loading(datamodule)
        datamodule.num_threads = num_threads
        batch = datamodule.transfer_batch_to_device(next(iter(datamodule.train_dataloader())), device, 0)
        return StepTimings(load, load_single_thread, _time_step(module, batch, device, bf16=bf16))


def _time_loading(datamodule: LesionDataModule[TrainDataset]) -> float:
    batches = _cycle(datamodule)
    return _min_seconds(lambda: next(batches))


def _cycle(datamodule: LesionDataModule[TrainDataset]) -> Iterator[Batch]:
    while True:
        yield from datamodule.train_dataloader()


def _time_step(module: ClassificationModule, batch: Batch, device: torch.device, *, bf16: bool) -> float:
    model = copy.deepcopy(module.model).to(device).train()
    crops = module.preprocessing.normalize(batch.crops.flatten(0, 1))
    if model.num_crops is not None:
        crops = crops.reshape(*batch.crops.shape[:2], *crops.shape[1:])
    weights = [weight for weight in model.parameters() if weight.requires_grad]

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = model(crops).logits
        gradients = torch.autograd.grad(logits.float().sum(), weights, allow_unused=True)
        next(grad for grad in gradients if grad is not None).sum().item()  # waits for the device

    return _min_seconds(step)


def _min_seconds(fn: Callable[[], object]) -> float:
    """Return the shortest time of a call in seconds, without the first call, which warms up."""
    seconds: list[float] = []
    started = time.monotonic()
    while len(seconds) < 2 or time.monotonic() - started < TIMING_SECONDS:
        before = time.monotonic()
        fn()
        seconds.append(time.monotonic() - before)
    return min(seconds[1:])
