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

from lesionlens.bar import bar
from lesionlens.data.problems import counted
from lesionlens.data.splits import Split
from lesionlens.data.store import default_folder
from lesionlens.models.bundle import chosen_device, save_model
from lesionlens.preprocessing import Preprocessing
from lesionlens.segment.bundle import Card, load_masker
from lesionlens.segment.cases import Sources, divide, part_cases, read_sources
from lesionlens.segment.data import Pixels, decode
from lesionlens.segment.fit import Fitting, fit
from lesionlens.segment.network import Architecture, check_size
from lesionlens.segment.options import Options
from lesionlens.segment.score import score_network
from lesionlens.segment.weights import load_encoder
from lesionlens.training.folder import RunFolder, new_folder, versions
from lesionlens.training.left_out import LeftOut, write_left_out


def train(
    sources: Sequence[str],
    options: Options,
    *,
    out: Path | None = None,
    runs: Path = Path("runs"),
    console: Console | None = None,
) -> Path:
    """Train a segmentation network and score it on validation and test; everything lands in one new folder.

    Parameters
    ----------
    sources
        Tables with masks, as ``load_table`` takes them.
    out
        The run's folder, not there yet; default the next free one in ``runs``.
    console
        Where progress is shown; default: standard error.

    Raises
    ------
    LesionLensError
        Data, network, weights or folder cannot be used.
    """
    console = console or Console(stderr=True)
    read = read_sources(sources)
    model = _network(options)
    preprocessing = Preprocessing(input_size=options.size, shorter_side=None)
    cache = default_folder()
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="segment-", dir=cache) as scratch:
        pixels, unusable = _decoded(read, preprocessing, Path(scratch) / "pixels.npy", console)
        split = divide(read, unusable, options)
        left_out = (*read.left_out, *unusable, *(LeftOut(image, "", why) for image, why in split.left_out))
        _say(read, left_out, split, console)
        folder = new_folder(f"segment-{options.network}-{options.encoder}", out=out, runs=runs)
        _write_down(folder, sources, read, left_out, split, options)
        parts = {
            part: [pixels[image] for image in ids] for part, ids in split.parts.items() if part != "test"
        }
        _fit(folder, Fitting(model, parts, preprocessing, options), console)
    _finish(folder, read, split, options, console)
    folder.note(status="finished")
    return folder.path


def _decoded(
    read: Sources, preprocessing: Preprocessing, file: Path, console: Console
) -> tuple[dict[str, Pixels], tuple[LeftOut, ...]]:
    with bar(console) as progress:
        line = progress.add_task("decoding images", total=len(read.cases))
        return decode(
            read.cases,
            preprocessing,
            file,
            progress=lambda done, _: progress.update(line, completed=done),
        )


def _network(options: Options) -> nn.Module:
    """Build it with its first weights: the same for the same seed."""
    torch.manual_seed(options.seed)
    model = Architecture(network=options.network, encoder=options.encoder).build()
    load_encoder(model, options.weights, encoder=options.encoder)
    check_size(model, options.size)
    return model.to(chosen_device(options.device)).to(memory_format=torch.channels_last)  # a fifth faster


def _say(read: Sources, left_out: Sequence[LeftOut], split: Split, console: Console) -> None:
    warnings = [warning for table in read.tables for warning in table.warnings]
    if left_out:
        image, _, reason = left_out[0]
        warnings.append(
            f"{counted(len(left_out), 'image')} left out, for example {image}: {reason}. left-out.csv lists them"
        )
    for warning in (*warnings, *split.remarks):
        console.print(f"[yellow]warning:[/] {escape(warning)}", highlight=False, soft_wrap=True)


def _write_down(
    folder: RunFolder,
    sources: Sequence[str],
    read: Sources,
    left_out: Sequence[LeftOut],
    split: Split,
    options: Options,
) -> None:
    split.save(folder.split)
    write_left_out(folder.path / "left-out.csv", left_out)
    folder.note(
        name=folder.path.name,
        command=" ".join(sys.argv),
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        status="running",
        options=options.model_dump(mode="json"),
        versions={**versions(), "segmentation-models-pytorch": version("segmentation-models-pytorch")},
        data={
            "sources": list(sources),
            "fingerprints": [table.fingerprint() for table in read.tables],
            "images": {part: len(ids) for part, ids in split.parts.items()},
            "left_out": len(left_out),
            "split": split.how,
            "remarks": list(split.remarks),
        },
    )


def _fit(folder: RunFolder, fitting: Fitting, console: Console) -> None:
    started, status = time.monotonic(), "interrupted"
    try:
        fit(fitting, folder.log, save=lambda *best: _keep(folder, fitting, *best), console=console)
        status = "trained"
    finally:
        folder.note(
            status=status,
            seconds=round(time.monotonic() - started, 1),
            device=str(fitting.device),
            threads=torch.get_num_threads(),
        )


def _keep(folder: RunFolder, fitting: Fitting, epoch: int, jaccard: float) -> None:
    """Save the bundle of a better epoch."""
    options, data = fitting.options, folder.record()["data"]
    card = Card(
        architecture=Architecture(network=options.network, encoder=options.encoder),
        preprocessing=fitting.preprocessing,
        tidy=options.tidy,
        trained_on={
            "sources": data["sources"],
            "fingerprints": data["fingerprints"],
            "weights": options.weights,
            "seed": options.seed,
            "epoch": epoch,
            "val_jaccard": jaccard,
        },
    )
    save_model(folder.best, fitting.model, card)


def _finish(folder: RunFolder, read: Sources, split: Split, options: Options, console: Console) -> None:
    """Score the best network on validation and test, at the images' own size."""
    loaded = load_masker(folder.best, device=options.device)
    for part, cases in part_cases(read, split).items():
        if part == "train":
            continue
        scored = score_network(loaded, cases)
        scored.save(folder.evaluation(part))
        console.print(f"{part}: {scored.mean}", highlight=False, soft_wrap=True)
