"""One run from tables with masks to a network that draws them, and its scores."""

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
    """Train a segmentation network and score it on validation and test; everything lands in one new folder.

    Parameters
    ----------
    sources
        Tables with masks, as ``load_table`` takes them.
    out
        The run's folder, not there yet; default the next free one in ``runs_dir``.
    console
        Where progress is shown; default: standard error.

    Raises
    ------
    LesionLensError
        Data, network, weights or folder cannot be used.
    """
    console = console or Console(stderr=True)
    read = load_source_tables(sources)
    model = _build_model(config)
    preprocessing = Preprocessing(input_size=config.input_size, max_short_side=None)
    cache = default_cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segmentation-", dir=cache) as scratch:
        pixels, unusable = _decode_images(read, preprocessing, Path(scratch) / "pixels.npy", console)
        split = split_samples(read, unusable, config)
        left_out = (
            *read.excluded,
            *unusable,
            *(ExcludedImage(image, "", why) for image, why in split.excluded),
        )
        _print_warnings(read, left_out, split, console)
        folder = create_run_dir(f"segmentation-{config.arch}-{config.encoder}", out=out, runs_dir=runs_dir)
        _save_metadata(folder, sources, read, left_out, split, config)
        parts = {
            part: [pixels[image] for image in ids] for part, ids in split.splits.items() if part != "test"
        }
        _fit_and_record(folder, TrainState(model, parts, preprocessing, config), console)
    _evaluate_splits(folder, read, split, config, console)
    folder.update(status="finished")
    return folder.path


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
    """Build it with its first weights: the same for the same seed."""
    torch.manual_seed(config.seed)
    model = SegmentationModelSpec(arch=config.arch, encoder=config.encoder).build()
    load_encoder_weights(model, config.weights, encoder=config.encoder)
    check_input_size(model, config.input_size)
    return model.to(resolve_device(config.device)).to(memory_format=torch.channels_last)  # a fifth faster


def _print_warnings(
    source_tables: SourceTables, excluded: Sequence[ExcludedImage], splits: DatasetSplits, console: Console
) -> None:
    warnings = [warning for table in source_tables.tables for warning in table.warnings]
    if excluded:
        image, _, reason = excluded[0]
        warnings.append(
            f"{pluralize(len(excluded), 'image')} left out, for example {image}: {reason}. excluded.csv lists them"
        )
    for warning in (*warnings, *splits.caveats):
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
            "images": {part: len(ids) for part, ids in splits.splits.items()},
            "excluded": len(excluded),
            "split": splits.description,
            "caveats": list(splits.caveats),
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
    """Save the bundle of a better epoch."""
    options, data = state.config, run_dir.metadata()["data"]
    card = SegmentationModelCard(
        architecture=SegmentationModelSpec(arch=options.arch, encoder=options.encoder),
        preprocessing=state.preprocessing,
        keep_largest_component=options.keep_largest_component,
        training_data={
            "sources": data["sources"],
            "fingerprints": data["fingerprints"],
            "weights": options.weights,
            "seed": options.seed,
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
    """Score the best network on validation and test, at the images' own size."""
    loaded = load_segmentation_model(run_dir.best_model, device=config.device)
    for part, cases in samples_by_split(source_tables, splits).items():
        if part == "train":
            continue
        scored = evaluate_model(loaded, cases)
        scored.save(run_dir.evaluation(part))
        console.print(f"{part}: {scored.mean}", highlight=False, soft_wrap=True)
