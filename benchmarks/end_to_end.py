"""Training with our defaults from photographs on the disk, against the same steps on a batch that is there already.

    python benchmarks/end_to_end.py [--rounds N] [--json FILE] [--long]

Limit: steps alone, without loader and trainer. Naive: PIL and torchvision in PyTorch's loader, a plain loop in fp32.
What happens once an epoch (start, validation, bundle) is in none of them.
"""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from time import perf_counter

import lightning as L
import timm
import torch
from harness import Row, finish, options, row
from peer_work import JITTER, SIDE, pictures, quiet, written
from photographs import CLASSES
from torch.nn.functional import cross_entropy

from lesionlens.training.allocator import keep_freed_memory
from lesionlens.training.fit import make_trainer
from lesionlens.training.folder import new_folder
from lesionlens.training.measure_pace import paced
from lesionlens.training.prepare import prepare
from lesionlens.training.ready import Ready, make_data, make_task
from lesionlens.training.recipe import Recipe
from lesionlens.training.task import Classification, make_optimizer

NETWORKS = {"mobilenetv2_100": 80, "resnet50": 80}
BATCH, MANY = 16, 1000  # epochs of the run that is timed: long enough for it to choose its ways by measuring
Seconds = Callable[[], float]


class Stopwatch(L.Callback):
    """Seconds a step, from the end of the first to the end of the last."""

    def __init__(self) -> None:
        self.ends = list[float]()

    def on_train_batch_end(self, *_: object) -> None:
        self.ends.append(perf_counter())

    def a_step(self) -> float:
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


def made(folder: Path, network: str) -> tuple[Ready, Classification]:
    """Do what `lesionlens train` does before the first epoch."""
    recipe = {
        "data": {
            "source": f"table:{folder / 'table.csv'}",
            "split": "official",
            "store_folder": str(folder / "s"),
        },
        "model": {"backbone": network},
        "crops": {"train": "random-resized"},
        "augment": {"brightness": JITTER, "contrast": JITTER, "saturation": JITTER},
        "train": {"batch_size": BATCH, "epochs": MANY, "device": "cpu"},
    }
    prepared = prepare(Recipe.model_validate(recipe))
    model = prepared.network.make(len(CLASSES)).model
    ready = make_data(prepared)
    task = make_task(ready.prepared, model)
    return paced(ready, task), task


def ours(folder: Path, ready: Ready, task: Classification) -> Seconds:
    recipe = ready.prepared.recipe
    short = recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": 1})})
    run = new_folder("run", runs=folder)
    loader = ready.data.train_dataloader()

    def epoch() -> float:
        watch = Stopwatch()
        with quiet():
            make_trainer(short, run, [watch]).fit(task, loader)
        return watch.a_step()

    return epoch


def steps_alone(ready: Ready, task: Classification) -> Seconds:
    batch = next(iter(ready.data.train_dataloader()))
    optimizer = make_optimizer(task.model, task.recipe)
    bf16 = ready.prepared.recipe.train.precision == "bf16"

    def step(views: torch.Tensor, target: torch.Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = task.model(task.preprocessing.normalised(views[:, 0])).logits
            loss = task.objective(logits.float(), target, batch.weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return lambda: timed_steps(step, [(batch.views, batch.target)] * len(ready.data.train_dataloader()))


def naive(folder: Path, network: str) -> Seconds:
    model = timm.create_model(network, num_classes=len(CLASSES)).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    loader = pictures(folder, BATCH, train=True)

    def step(x: torch.Tensor, y: torch.Tensor) -> None:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return lambda: timed_steps(step, loader)


def timed_steps(step: Callable[..., None], batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> float:
    ends = []
    for batch in batches:
        step(*batch)
        ends.append(perf_counter())
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def rows(network: str, images: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        place = written(Path(folder), images)
        ready, task = made(place, network)
        ways = {
            "ours": ours(place, ready, task),
            "limit": steps_alone(ready, task),
            "naive": naive(place, network),
        }
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        for number in range(options().rounds + 1):  # the first warms up
            for way, a_step in ways.items():
                found = a_step()
                seconds[way] += [found] if number else []
        said = ready.prepared.recipe
        note = f"{said.train.workers} workers, {said.train.threads} threads, {said.train.precision}, {said.data.store}"
        name = f"{network}, {SIDE} px"
        share = {way: seconds[way] for way in ("ours", "limit")}
        return [
            row(f"{name}: share of the steps alone", share, items=BATCH, unit="img/s", demand=0.9, note=note),
            row(f"{name}: with a naive loop", seconds, items=BATCH, unit="img/s", note=note),
        ]


def main() -> None:
    keep_freed_memory()
    networks = NETWORKS if options().long else {"mobilenetv2_100": NETWORKS["mobilenetv2_100"]}
    finish("Training from the disk", [each for network in networks.items() for each in rows(*network)])


if __name__ == "__main__":
    main()
