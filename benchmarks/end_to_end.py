"""Training with default settings from image files, compared with the same steps on a batch in memory.

    python benchmarks/end_to_end.py [--rounds N] [--json FILE] [--full]

Roofline: only the steps, without loader and trainer. Baseline: PIL and torchvision in PyTorch's loader, and a loop in
fp32. Work done once per epoch (start, validation, saved model) is in none of them.
"""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from time import perf_counter

import lightning as L
import timm
import torch
from baseline_common import COLOR_JITTER, INPUT_SIZE, make_loader, silence, write_dataset
from harness import ResultRow, make_row, parse_options, report_results
from sample_images import SAMPLE_CLASSES
from torch.nn.functional import cross_entropy

from lesionlens.core.runtime import retain_freed_memory
from lesionlens.runs.run_dir import create_run_dir
from lesionlens.runs.schema import Recipe
from lesionlens.training.build import RunComponents, build
from lesionlens.training.fit import make_loop_config
from lesionlens.training.loop import make_trainer
from lesionlens.training.module import make_optimizer
from lesionlens.training.resolve import resolve
from lesionlens.training.setup import set_up_run

NETWORKS = {"mobilenetv2_100": 80, "resnet50": 80}
BATCH_SIZE, NUM_EPOCHS = (
    16,
    1000,
)  # epochs of the timed run: enough for timing-based choices of ``auto``
MeasureSeconds = Callable[[], float]


class Stopwatch(L.Callback):
    """Mean seconds per step, from the end of the first step to the end of the last."""

    def __init__(self) -> None:
        self.ends = list[float]()

    def on_train_batch_end(self, *_: object) -> None:
        self.ends.append(perf_counter())

    def mean_step_seconds(self) -> float:
        return (self.ends[-1] - self.ends[0]) / (len(self.ends) - 1)


def prepare_run(folder: Path, network: str) -> RunComponents:
    """Set up a run as `lesionlens train` before the first epoch."""
    recipe = {
        "data": {
            "source": f"table:{folder / 'table.csv'}",
            "split": "official",
            "cache_dir": str(folder / "cache"),
        },
        "model": {"backbone": network},
        "crops": {"train": {"strategy": "random-resized"}},
        "augment": {"brightness": COLOR_JITTER, "contrast": COLOR_JITTER, "saturation": COLOR_JITTER},
        "train": {"batch_size": BATCH_SIZE, "epochs": NUM_EPOCHS, "device": "cpu"},
    }
    return build(set_up_run(resolve(Recipe.model_validate(recipe))))


def prepare_ours(folder: Path, components: RunComponents) -> MeasureSeconds:
    one_epoch = replace(make_loop_config(components), epochs=1)
    run = create_run_dir("run", runs_dir=folder)
    loader = components.datamodule.train_dataloader()

    def epoch() -> float:
        watch = Stopwatch()
        with silence():
            trainer = make_trainer(one_epoch, run, [watch])
            trainer.fit(components.module, loader)
        return watch.mean_step_seconds()

    return epoch


def prepare_steps_only(components: RunComponents) -> MeasureSeconds:
    module = components.module
    batch = next(iter(components.datamodule.train_dataloader()))
    optimizer = make_optimizer(module.model, module.recipe)
    bf16 = components.auto_values.precision == "bf16"

    def step(views: torch.Tensor, target: torch.Tensor) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = module.model(module.preprocessing.normalize(views[:, 0])).logits
            loss = module.loss_fn(logits.float(), target, batch.sample_weight)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return lambda: time_steps(
        step, [(batch.crops, batch.target)] * len(components.datamodule.train_dataloader())
    )


def prepare_baseline(folder: Path, network: str) -> MeasureSeconds:
    model = timm.create_model(network, num_classes=len(SAMPLE_CLASSES)).train()
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9)
    loader = make_loader(folder, BATCH_SIZE, train=True)

    def step(x: torch.Tensor, y: torch.Tensor) -> None:
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return lambda: time_steps(step, loader)


def time_steps(step: Callable[..., None], batches: Iterable[tuple[torch.Tensor, torch.Tensor]]) -> float:
    ends = []
    for batch in batches:
        step(*batch)
        ends.append(perf_counter())
    return (ends[-1] - ends[0]) / (len(ends) - 1)


def measure_network(network: str, num_images: int) -> list[ResultRow]:
    with tempfile.TemporaryDirectory() as folder:
        dataset = write_dataset(Path(folder), num_images)
        components = prepare_run(dataset, network)
        variants = {
            "ours": prepare_ours(dataset, components),
            "roofline": prepare_steps_only(components),
            "baseline": prepare_baseline(dataset, network),
        }
        seconds: dict[str, list[float]] = {variant: [] for variant in variants}
        for number in range(parse_options().rounds + 1):  # the first round is a warm-up
            for variant, a_step in variants.items():
                elapsed = a_step()
                seconds[variant] += [elapsed] if number else []
        auto = components.auto_values
        note = f"{auto.num_workers} workers, {auto.num_threads} threads, {auto.precision}, {auto.cache}"
        name = f"{network}, {INPUT_SIZE} px"
        compared = {variant: seconds[variant] for variant in ("ours", "roofline")}
        return [
            make_row(
                f"{name}: fraction of the steps alone",
                compared,
                items=BATCH_SIZE,
                unit="img/s",
                target=0.9,
                note=note,
            ),
            make_row(f"{name}: with a baseline loop", seconds, items=BATCH_SIZE, unit="img/s", note=note),
        ]


def main() -> None:
    retain_freed_memory()
    networks = NETWORKS if parse_options().full else {"mobilenetv2_100": NETWORKS["mobilenetv2_100"]}
    report_results(
        "Training from the disk", [row for network in networks.items() for row in measure_network(*network)]
    )


if __name__ == "__main__":
    main()
