"""A second of measuring before a run: what a batch costs to load, and to compute.

Nothing of it is left: steps are computed on a copy, loading draws nothing (see ``Visits``), and torch's random streams
go on as if nothing had been.
"""

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import torch

from lesionlens.cores import compute_threads, cores
from lesionlens.data.module import LesionData
from lesionlens.data.part import Batch
from lesionlens.training.allocator import keep_freed_memory
from lesionlens.training.chosen import with_choice
from lesionlens.training.device import device_of
from lesionlens.training.pace import FEW_STEPS, Times, choose_workers
from lesionlens.training.ready import Ready
from lesionlens.training.task import Classification

SECONDS = 0.3  # for each of three times; at least two batches


def paced(ready: Ready, task: Classification) -> Ready:
    """Put numbers in place of ``auto`` in ``train.workers`` and ``train.threads``, and give them to the loaders."""
    train, data = ready.prepared.recipe.train, ready.data
    threads = compute_threads() if train.threads == "auto" else train.threads
    torch.set_num_threads(threads)
    device, workers = device_of(train), train.workers
    data.threads, data.workers, data.pin = threads, 0, device.type == "cuda"
    if workers == "auto":
        few = train.epochs * len(data.train_dataloader()) < FEW_STEPS
        times = None if few else measure(data, task, device)
        workers = 0 if times is None else choose_workers(times, cores(), on_cpu=device.type == "cpu")
    data.workers = workers
    return replace(ready, prepared=with_choice(ready.prepared, "train", workers=workers, threads=threads))


def measure(data: LesionData, task: Classification, device: torch.device) -> Times:
    """Time loading in this process, in one thread, and a step without the optimiser's part."""
    keep_freed_memory()
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        threads = data.threads
        load = _loading(data)
        data.threads = 1
        load_alone = _loading(data)
        data.threads = threads
        batch = data.transfer_batch_to_device(next(iter(data.train_dataloader())), device, 0)
        return Times(load, load_alone, _stepping(task, batch, device))


def _loading(data: LesionData) -> float:
    batches = _endless(data)
    return _seconds(lambda: next(batches))


def _endless(data: LesionData) -> Iterator[Batch]:
    while True:
        yield from data.train_dataloader()


def _stepping(task: Classification, batch: Batch, device: torch.device) -> float:
    model = copy.deepcopy(task.model).to(device).train()
    views = task.preprocessing.normalised(batch.views.flatten(0, 1))
    crops = views if model.crops is None else views.reshape(*batch.views.shape[:2], *views.shape[1:])
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    bf16 = task.recipe.precision == "bf16"

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            logits = model(crops).logits
        slopes = torch.autograd.grad(logits.float().sum(), weights, allow_unused=True)
        next(slope for slope in slopes if slope is not None).sum().item()  # waits for a device

    return _seconds(step)


def _seconds(work: Callable[[], object]) -> float:
    """Give the seconds of a call: the quickest after the first, which warms up."""
    found: list[float] = []
    started = time.monotonic()
    while len(found) < 2 or time.monotonic() - started < SECONDS:
        before = time.monotonic()
        work()
        found.append(time.monotonic() - before)
    return min(found[1:])
