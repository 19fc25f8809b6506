"""Train a segmentation model on tables with masks and evaluate it."""

import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import torch
from rich.console import Console
from rich.markup import escape
from torch import nn

from lesionlens.core.console import progress_bar
from lesionlens.core.fileio import default_cache_dir
from lesionlens.datasets.excluded import ExcludedImage, write_excluded
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.models.saved_model import resolve_device, save_model
from lesionlens.runs.run_dir import RunDir, create_run_dir, package_versions
from lesionlens.segmentation.config import SegmentationConfig
from lesionlens.segmentation.dataset import ImageAndMask, decode_to_memmap
from lesionlens.segmentation.evaluate import evaluate_model
from lesionlens.segmentation.loop import TrainState, fit_segmentation
from lesionlens.segmentation.models import (
    SegmentationModelCard,
    SegmentationModelSpec,
    check_input_size,
    load_encoder_weights,
    load_segmentation_model,
)
from lesionlens.segmentation.samples import SourceTables, load_source_tables, samples_by_split, split_samples


def train_segmentation(
    sources: Sequence[str],
    config: SegmentationConfig,
    *,
    out: Path | None = None,
    runs_dir: Path = Path("runs"),
    console: Console | None = None,
) -> Path:
    """Train a segmentation model, evaluate it on validation and test, and write everything to one run directory.

    Parameters
    ----------
    sources
        Tables with masks, in the form that ``load_table`` accepts.
    out
        Run directory to create; default: the next free name in ``runs_dir``.
    console
        Console for progress; default: standard error.

    Raises
    ------
    LesionLensError
        The data, model, weights or directory cannot be used.
    """
    console = console or Console(stderr=True)
    source_tables = load_source_tables(sources)
    model = _build_model(config)
    preprocessing = Preprocessing(input_size=config.input_size, max_short_side=None)
    cache = default_cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segmentation-", dir=cache) as scratch:
        pixels, unusable = _decode_images(source_tables, preprocessing, Path(scratch) / "pixels.npy", console)
        splits = split_samples(source_tables, unusable, config)
        excluded = (
            *source_tables.excluded,
            *unusable,
            *(ExcludedImage(image, "", reason) for image, reason in splits.excluded),
        )
        _print_warnings(source_tables, excluded, splits, console)
        run_dir = create_run_dir(f"segmentation-{config.arch}-{config.encoder}", out=out, runs_dir=runs_dir)
        _save_metadata(run_dir, sources, source_tables, excluded, splits, config)
        pixels_by_split = {
            name: [pixels[image] for image in ids] for name, ids in splits.splits.items() if name != "test"
        }
        _fit_and_record(run_dir, TrainState(model, pixels_by_split, preprocessing, config), console)
    _evaluate_splits(run_dir, source_tables, splits, config, console)
    run_dir.update(status="finished")
    return run_dir.path


def _decode_images(
    source_tables: SourceTables, preprocessing: Preprocessing, path: Path, console: Console
) -> tuple[dict[str, ImageAndMask], tuple[ExcludedImage, ...]]:
    with progress_bar(console) as progress:
        line = progress.add_task("decoding images", total=len(source_tables.samples))
        return decode_to_memmap(
            source_tables.samples,
            preprocessing,
            path,
            on_progress=lambda done, _: progress.update(line, completed=done),
        )


def _build_model(config: SegmentationConfig) -> nn.Module:
    """Build the model with its initial weights, which depend only on the seed."""
    torch.manual_seed(config.seed)
    model = SegmentationModelSpec(arch=config.arch, encoder=config.encoder).build()
    load_encoder_weights(model, config.weights, encoder=config.encoder)
    check_input_size(model, config.input_size)
    return model.to(resolve_device(config.device)).to(memory_format=torch.channels_last)  # 20 % faster


def _print_warnings(
    source_tables: SourceTables, excluded: Sequence[ExcludedImage], splits: DatasetSplits, console: Console
) -> None:
    warnings = [warning for table in source_tables.tables for warning in table.warnings]
    if excluded:
        image, _, reason = excluded[0]
        warnings.append(
            f"{pluralize(len(excluded), 'image')} excluded, for example {image}: {reason}. excluded.csv lists them"
        )
    for warning in (*warnings, *(caveat.text for caveat in splits.caveats)):
        console.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False, soft_wrap=True)


def _save_metadata(
    run_dir: RunDir,
    sources: Sequence[str],
    source_tables: SourceTables,
    excluded: Sequence[ExcludedImage],
    splits: DatasetSplits,
    config: SegmentationConfig,
) -> None:
    splits.save(run_dir.splits_csv)
    write_excluded(run_dir.excluded, excluded)
    run_dir.update(
        name=run_dir.path.name,
        command=" ".join(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        status="running",
        config=config.model_dump(mode="json"),
        versions={
            **package_versions(),
            "segmentation-models-pytorch": version("segmentation-models-pytorch"),
        },
        data={
            "sources": list(sources),
            "fingerprints": [table.fingerprint() for table in source_tables.tables],
            "images": {name: len(ids) for name, ids in splits.splits.items()},
            "excluded": len(excluded),
            "split": splits.description,
            "caveats": [caveat._asdict() for caveat in splits.caveats],
        },
    )


def _fit_and_record(run_dir: RunDir, state: TrainState, console: Console) -> None:
    started, status = time.monotonic(), "interrupted"
    try:
        fit_segmentation(
            state,
            run_dir.metrics_csv,
            on_improvement=lambda *best: _save_best(run_dir, state, *best),
            console=console,
        )
        status = "trained"
    finally:
        run_dir.update(
            status=status,
            seconds=round(time.monotonic() - started, 1),
            device=str(state.device),
            num_threads=torch.get_num_threads(),
        )


def _save_best(run_dir: RunDir, state: TrainState, epoch: int, jaccard: float) -> None:
    """Save the model of an epoch with a better validation Jaccard."""
    config, data = state.config, run_dir.metadata()["data"]
    card = SegmentationModelCard(
        architecture=SegmentationModelSpec(arch=config.arch, encoder=config.encoder),
        preprocessing=state.preprocessing,
        keep_largest_component=config.keep_largest_component,
        training_data={
            "sources": data["sources"],
            "fingerprints": data["fingerprints"],
            "weights": config.weights,
            "seed": config.seed,
            "epoch": epoch,
            "val_jaccard": jaccard,
        },
    )
    save_model(run_dir.best_model, state.model, card)


def _evaluate_splits(
    run_dir: RunDir,
    source_tables: SourceTables,
    splits: DatasetSplits,
    config: SegmentationConfig,
    console: Console,
) -> None:
    """Evaluate the best model on validation and test, at the images' own size."""
    loaded = load_segmentation_model(run_dir.best_model, device=config.device)
    for name, samples in samples_by_split(source_tables, splits).items():
        if name == "train":
            continue
        scores = evaluate_model(loaded, samples)
        scores.save(run_dir.evaluation(name))
        console.print(f"{name}: {scores.mean}", highlight=False, soft_wrap=True)
