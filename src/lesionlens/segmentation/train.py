"""Train a segmentation model on tables with masks and evaluate it, or resume an interrupted run exactly."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from pydantic import ValidationError
from rich.console import Console

from lesionlens.core.console import activity, make_console, print_line, print_warning, progress_bar
from lesionlens.core.errors import RunError
from lesionlens.core.fileio import default_cache_dir
from lesionlens.data.datamodule import LesionDataModule
from lesionlens.data.sampler import EpochSampler
from lesionlens.datasets.excluded import ExcludedImage, write_excluded
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import DatasetSplits
from lesionlens.datasets.splits.factory import SPLIT_NAMES
from lesionlens.models.saved_model import resolve_device, save_model
from lesionlens.runs.absolute_paths import absolute_path, absolute_source
from lesionlens.runs.run_dir import RunDir, check_run_dir, create_run_dir, resumable
from lesionlens.segmentation.config import SegmentationConfig
from lesionlens.segmentation.dataset import (
    AugmentedSegmentationDataset,
    ImageAndMask,
    SegmentationDataset,
    decode_to_memmap,
)
from lesionlens.segmentation.evaluate import evaluate_model
from lesionlens.segmentation.models import (
    SegmentationModelCard,
    check_input_size,
    load_encoder_weights,
    load_segmentation_model,
)
from lesionlens.segmentation.module import SegmentationModule
from lesionlens.segmentation.samples import SourceTables, load_source_tables, samples_by_split, split_samples
from lesionlens.training.loop import LoopConfig, run_loop

_RESUME_COMMAND = "lesionlens segment train --resume"


@dataclass(frozen=True)
class SegmentationData:
    """Decoded images of a run, and their splits.

    Attributes
    ----------
    excluded
        Images that are not used, with the reasons.
    """

    source_tables: SourceTables
    pixels: dict[str, ImageAndMask]
    splits: DatasetSplits
    excluded: tuple[ExcludedImage, ...]

    @property
    def fingerprints(self) -> list[str]:
        """Fingerprints of the tables."""
        return [table.fingerprint() for table in self.source_tables.tables]

    def split_pixels(self, name: str) -> list[ImageAndMask]:
        """Return the decoded images and masks of a split."""
        return [self.pixels[image] for image in self.splits.splits[name]]


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
    console = console or make_console(stderr=True)
    name = "-".join(filter(None, ("segmentation", config.arch, config.encoder)))
    sources, config = [absolute_source(source) for source in sources], _with_absolute_paths(config)
    check_run_dir(name, out=out, runs_dir=runs_dir)
    with activity(console, "reading the tables"):
        source_tables = load_source_tables(
            sources, within_root=config.within_root, max_images=config.max_images
        )
    with activity(console, "building the model; downloading ImageNet weights unless they are cached"):
        module = _build_module(config)
    with _load_data(source_tables, config, console) as data:
        _print_warnings(data, console)
        run_dir = create_run_dir(
            name,
            out=out,
            runs_dir=runs_dir,
            write=lambda run_dir: _save_metadata(run_dir, sources, data, config),
        )
        with resumable(run_dir.path, _RESUME_COMMAND):
            _fit(run_dir, module, data, console)
    with resumable(run_dir.path, _RESUME_COMMAND):
        return _evaluate(run_dir, data, config, console)


def _with_absolute_paths(config: SegmentationConfig) -> SegmentationConfig:
    """Return the settings with absolute paths, so that the run can be resumed from any working directory."""
    paths = {
        "weights": absolute_path(config.weights, names=("none", "imagenet")),
        "split": absolute_path(config.split, names=SPLIT_NAMES),
    }
    return config.model_copy(update=paths)


def resume_segmentation(path: Path, *, console: Console | None = None) -> Path:
    """Resume an interrupted segmentation run, and return its directory.

    Raises
    ------
    RunError
        The directory is not a segmentation run, the run is finished, or its dataset has changed.
    """
    console, run_dir = console or make_console(stderr=True), RunDir(path)
    try:
        metadata = run_dir.metadata()
        config = SegmentationConfig.model_validate(metadata["config"])
        sources, fingerprints = metadata["data"]["sources"], metadata["data"]["fingerprints"]
    except (OSError, KeyError, TypeError) as error:
        raise RunError(f"{path} is not the directory of a segmentation run") from error
    except ValidationError as error:
        raise run_dir.damaged(f"its config is not valid: {error.errors()[0]['msg']}") from error
    run_dir.check_resumable()
    with activity(console, "reading the tables"):
        source_tables = load_source_tables(
            sources, within_root=config.within_root, max_images=config.max_images
        )
    with activity(console, "building the model; downloading ImageNet weights unless they are cached"):
        module = _build_module(config)
    with _load_data(source_tables, config, console) as data:
        run_dir.check_dataset(fingerprints, data.fingerprints)
        with resumable(run_dir.path, _RESUME_COMMAND):
            _fit(run_dir, module, data, console)
    with resumable(run_dir.path, _RESUME_COMMAND):
        return _evaluate(run_dir, data, config, console)


def _build_module(config: SegmentationConfig) -> SegmentationModule:
    """Build the model with its initial weights, which depend only on the seed."""
    torch.manual_seed(config.seed)
    model = config.architecture.build()
    load_encoder_weights(model, config.weights, encoder=config.encoder)
    check_input_size(model, config.input_size)
    resolve_device(config.device)  # an error before images are decoded
    model = model.to(memory_format=torch.channels_last)  # 20 % faster
    return SegmentationModule(model, config)


@contextmanager
def _load_data(
    source_tables: SourceTables, config: SegmentationConfig, console: Console
) -> Iterator[SegmentationData]:
    """Decode the images into a temporary file, which exists as long as the context, and split them.

    The file has no name, so that the operating system removes it when the process ends, however it ends.
    """
    cache = default_cache_dir()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=cache) as file:
        with progress_bar(console) as progress:
            task_id = progress.add_task("decoding images", total=len(source_tables.samples))
            pixels, unusable = decode_to_memmap(
                source_tables.samples,
                config.preprocessing,
                file,
                on_progress=lambda done, _: progress.update(task_id, completed=done),
            )
        splits = split_samples(source_tables, unusable, config)
        of_splits = [ExcludedImage(image, "", reason) for image, reason in splits.excluded]
        excluded = (*source_tables.excluded, *unusable, *of_splits)
        yield SegmentationData(source_tables, pixels, splits, excluded)


def _print_warnings(data: SegmentationData, console: Console) -> None:
    warnings = [warning for table in data.source_tables.tables for warning in table.warnings]
    if data.excluded:
        image, _, reason = data.excluded[0]
        warnings.append(
            f"{pluralize(len(data.excluded), 'image')} excluded, for example {image}: {reason}. "
            "excluded.csv lists them"
        )
    for warning in (*warnings, *(caveat.text for caveat in data.splits.caveats)):
        print_warning(console, warning)


def _save_metadata(
    run_dir: RunDir, sources: Sequence[str], data: SegmentationData, config: SegmentationConfig
) -> None:
    data.splits.save(run_dir.splits_csv)
    write_excluded(run_dir.excluded, data.excluded)
    run_dir.start(
        packages=["segmentation-models-pytorch"],
        status="running",
        seconds=0.0,
        config=config.model_dump(mode="json"),
        data={
            "sources": list(sources),
            "fingerprints": data.fingerprints,
            "images": {name: len(ids) for name, ids in data.splits.splits.items()},
            "excluded": len(data.excluded),
            "split": data.splits.description,
            "caveats": [caveat._asdict() for caveat in data.splits.caveats],
        },
    )


def _fit(run_dir: RunDir, module: SegmentationModule, data: SegmentationData, console: Console) -> None:
    config, device = module.config, resolve_device(module.config.device)
    run_loop(
        module,
        _make_datamodule(data, config),
        run_dir,
        LoopConfig(
            epochs=config.epochs,
            accelerator=device.type,
            devices=1 if device.index is None else [device.index],
            monitor="val_jaccard",
        ),
        save_fn=lambda epoch, jaccard: _save_best(run_dir, module, epoch, jaccard),
        resume_command=_RESUME_COMMAND,
        console=console,
    )


def _make_datamodule(
    data: SegmentationData, config: SegmentationConfig
) -> LesionDataModule[AugmentedSegmentationDataset]:
    images = data.split_pixels("train")
    return LesionDataModule(
        AugmentedSegmentationDataset(images, config.augment, config.seed),
        SegmentationDataset(data.split_pixels("validation")),
        EpochSampler(
            np.zeros(len(images), dtype=np.int64), crops_per_image=1, sampling="shuffle", seed=config.seed
        ),
        batch_size=config.batch_size,
        val_batch_size=config.batch_size,
        num_workers=config.num_workers,
    )


def _save_best(run_dir: RunDir, module: SegmentationModule, epoch: int, jaccard: float) -> None:
    """Save the model of an epoch with a better validation Jaccard."""
    config, data = module.config, run_dir.metadata()["data"]
    card = SegmentationModelCard(
        architecture=config.architecture,
        preprocessing=module.preprocessing,
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
    save_model(run_dir.best_model, module.model, card)


def _evaluate(run_dir: RunDir, data: SegmentationData, config: SegmentationConfig, console: Console) -> Path:
    """Evaluate the best model on validation and test, at the images' own size, and return the run directory."""
    loaded = load_segmentation_model(run_dir.best_model, device=config.device)
    for name, samples in samples_by_split(data.source_tables, data.splits).items():
        if name == "train":
            continue
        with activity(console, f"evaluating {name}"):
            scores = evaluate_model(loaded, samples)
            scores.save(run_dir.evaluation(name))
        print_line(console, f"{name}: {scores.mean}")
    run_dir.update(status="finished")
    return run_dir.path
