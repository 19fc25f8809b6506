"""A second of measuring before a run: what a batch costs to load, and to compute.

Nothing of it is left: steps are computed on a copy, loading draws nothing (see ``EpochSampler``), and torch's random
streams go on as if nothing had been.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from lesionlens.core.runtime import available_cpus, default_num_threads, retain_freed_memory
from lesionlens.data.datamodule import LesionDataModule
from lesionlens.data.dataset import Batch
from lesionlens.training.autotune import MIN_STEPS_TO_TUNE, StepTimings, choose_workers
from lesionlens.training.build import RunComponents, resolve_auto, resolve_training_device
from lesionlens.training.module import ClassificationModule

TIMING_SECONDS = 0.3  # for each of three times; at least two batches


def tune_workers(components: RunComponents, module: ClassificationModule) -> RunComponents:
    """Put numbers in place of ``auto`` in ``train.num_workers`` and ``train.num_threads``; the loaders get them too."""
    train, data = components.setup.recipe.train, components.datamodule
    threads = default_num_threads() if train.num_threads == "auto" else train.num_threads
    torch.set_num_threads(threads)
    device, workers = resolve_training_device(train), train.num_workers
    data.num_threads, data.num_workers, data.pin_memory = threads, 0, device.type == "cuda"
    if workers == "auto":
        few = train.epochs * len(data.train_dataloader()) < MIN_STEPS_TO_TUNE
        times = None if few else measure_step_timings(data, module, device)
        workers = 0 if times is None else choose_workers(times, available_cpus(), on_cpu=device.type == "cpu")
    data.num_workers = workers
    return replace(
        components, setup=resolve_auto(components.setup, "train", num_workers=workers, num_threads=threads)
    )


def measure_step_timings(
    datamodule: LesionDataModule, module: ClassificationModule, device: torch.device
) -> StepTimings:
    """Time loading in this process, in one thread, and a step without the optimiser's part."""
    retain_freed_memory()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        threads = datamodule.num_threads
        load = _time_loading(datamodule)
        datamodule.num_threads = 1
        load_alone = _time_loading(datamodule)
        datamodule.num_threads = threads
        batch = datamodule.transfer_batch_to_device(next(iter(datamodule.train_dataloader())), device, 0)
        return StepTimings(load, load_alone, _time_step(module, batch, device))


def _time_loading(datamodule: LesionDataModule) -> float:
    batches = _cycle(datamodule)
    return _min_seconds(lambda: next(batches))


def _cycle(datamodule: LesionDataModule) -> Iterator[Batch]:
    while True:
        yield from datamodule.train_dataloader()


def _time_step(module: ClassificationModule, batch: Batch, device: torch.device) -> float:
    model = copy.deepcopy(module.model).to(device).train()
    views = module.preprocessing.normalize(batch.crops.flatten(0, 1))
    crops = views if model.num_crops is None else views.reshape(*batch.crops.shape[:2], *views.shape[1:])
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    bf16 = module.recipe.precision == "bf16"

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = model(crops).logits
        slopes = torch.autograd.grad(logits.float().sum(), weights, allow_unused=True)
        next(slope for slope in slopes if slope is not None).sum().item()  # waits for a device

    return _min_seconds(step)


def _min_seconds(fn: Callable[[], object]) -> float:
    """Give the seconds of a call: the quickest after the first, which warms up."""
    found: list[float] = []
    started = time.monotonic()
    while len(found) < 2 or time.monotonic() - started < TIMING_SECONDS:
        before = time.monotonic()
        fn()
        found.append(time.monotonic() - before)
    return min(found[1:])
