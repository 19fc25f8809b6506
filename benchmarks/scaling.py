"""Cost by size: time of the sizes in turn, and peak memory of each in a new process.

python benchmarks/scaling.py [--rounds N] [--json FILE] [--full] [--figure docs/img/speed-scaling.svg]
"""

import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import isqrt
from pathlib import Path

import numpy as np
import torch
import train_steps
from harness import parse_options, parser, report_results, time_variants
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from peak_memory import measure_peak_memory
from sample_images import SAMPLE_CLASSES, write_labeled_images
from scaling_curves import ScalingCurve

from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.predict import predict
from lesionlens.models.factory import build_network, make_model_spec
from lesionlens.models.model_card import ModelCard
from lesionlens.models.saved_model import save_model
from lesionlens.training.autotune import TrainPrecision, choose_precision

INPUT_SIZE, BATCH_SIZE, NUM_STEPS = 224, 8, 1000
STEP_BY_PRECISION = {"fp32": train_steps.fp32_step, "bf16": train_steps.bf16_step}
LINE_COLOR, GUIDE_COLOR = "#0072B2", "#8A8A8A"
TITLE_FONT_SIZE, LABEL_FONT_SIZE = 8.0, 7.0  # points; legible in print
PANEL_INCHES = 1.9  # inches


@dataclass(frozen=True)
class Workload:
    """Work at several sizes: `prepare` returns the work of one size."""

    name: str
    size: str
    sizes: Sequence[int]
    prepare: Callable[[int], Callable[[], object]]


def prepare_batch_step(network: str, precision: TrainPrecision, batch: int) -> Callable[[], object]:
    return STEP_BY_PRECISION[precision]({"backbone": network}, batch, INPUT_SIZE)


def prepare_pixels_step(network: str, precision: TrainPrecision, pixels: int) -> Callable[[], object]:
    return STEP_BY_PRECISION[precision]({"backbone": network}, BATCH_SIZE, isqrt(pixels))


def prepare_prediction(folder: Path, num_images: int) -> Callable[[], object]:
    """Prepare the prediction of a number of files of the folder."""
    files = sorted(folder.rglob("*.jpg"))[:num_images]
    return lambda: predict(folder / "model", files, out=folder / "scores.csv")


def prepare_cropping(count: int) -> Callable[[], object]:
    """Prepare the extraction of a number of crops from a decoded image."""
    image = np.random.default_rng(0).integers(0, 256, (450, 600, 3), dtype=np.uint8)
    preprocessing = Preprocessing(crops="multi-scale", crop_count=count)
    return lambda: preprocessing.extract_crops(image)


def list_workloads(network: str, folder: Path, *, full: bool) -> Sequence[Workload]:
    """Return the workloads with their sizes; training uses the precision that a run would choose."""
    sides = [64, 112, 224, 320]
    made, processor = make_model_spec(None, backbone=network), torch.device("cpu")
    kind = choose_precision(made, (INPUT_SIZE, INPUT_SIZE), processor, steps=NUM_STEPS)
    return (
        Workload("training step", "images a batch", [1, 4, 16], partial(prepare_batch_step, network, kind)),
        Workload(
            "training step",
            "pixels an image",
            [side**2 for side in sides],
            partial(prepare_pixels_step, network, kind),
        ),
        Workload("prediction", "images", prediction_sizes(full=full), partial(prepare_prediction, folder)),
        Workload("cropping", "crops", [1, 4, 16, 60, 240], prepare_cropping),
    )


def prediction_sizes(*, full: bool) -> list[int]:
    return [64, 512, 4096] if full else [8, 32, 128]


def write_prediction_folder(folder: Path, network: str, count: int) -> Path:
    """Write sample images and a saved model."""
    write_labeled_images(folder, count)
    made = make_model_spec(None, backbone=network)
    card = ModelCard(
        architecture=made,
        classes=SAMPLE_CLASSES,
        preprocessing=Preprocessing(input_size=(INPUT_SIZE, INPUT_SIZE)),
    )
    save_model(folder / "model", build_network(made, len(SAMPLE_CLASSES)), card)
    return folder


def measure_scaling(workload: Workload, *, rounds: int) -> ScalingCurve:
    """Time the sizes in turn, and measure the peak memory of each in its own process."""
    seconds = time_variants({str(size): workload.prepare(size) for size in workload.sizes}, rounds=rounds)
    held = measure_peak_memory(partial(workload.prepare, size) for size in workload.sizes)
    return ScalingCurve(
        name=workload.name,
        size=workload.size,
        sizes=tuple(workload.sizes),
        seconds=tuple(statistics.median(times) for times in seconds.values()),
        megabytes=tuple(peak / 1e6 for peak in held),
    )


def draw_scaling_figure(curves: Sequence[ScalingCurve], file: Path) -> None:
    """Write the figure, which is the same file for the same curves."""
    figure = Figure(
        figsize=(PANEL_INCHES * len(curves) + 0.3, 2 * PANEL_INCHES + 0.5), layout="constrained", dpi=200
    )
    panels = figure.subplots(2, len(curves), sharex="col", sharey="row", squeeze=False)
    for curve, above, below in zip(curves, *panels, strict=True):
        draw_proportional_guide(above, curve)
        draw_points(above, curve.sizes, curve.seconds, format_seconds, first_offset=5, ticks=(1.0,))
        draw_points(
            below, curve.sizes, curve.megabytes, format_megabytes, first_offset=-11, ticks=(1.0, 2.0, 5.0)
        )
        above.set_title(curve.name, fontsize=TITLE_FONT_SIZE, loc="left")
        below.set_xlabel(curve.size, fontsize=LABEL_FONT_SIZE)
    panels[0, 0].set_ylabel("time", fontsize=LABEL_FONT_SIZE)
    panels[1, 0].set_ylabel("peak memory", fontsize=LABEL_FONT_SIZE)
    file.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "scaling"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def draw_points(
    axes: Axes,
    sizes: Sequence[int],
    costs: Sequence[float],
    format_cost: Callable[[float], str],
    *,
    first_offset: float,
    ticks: Sequence[float],
) -> None:
    """Plot measured points; label the first (``first_offset`` points above) and the last with their values."""
    axes.plot(sizes, costs, color=LINE_COLOR, marker="o", markersize=3, linewidth=1.2)
    for index, up in ((0, first_offset), (-1, 5)):
        at = (sizes[index], costs[index])
        axes.annotate(
            format_cost(costs[index]),
            at,
            (0, up),
            textcoords="offset points",
            fontsize=LABEL_FONT_SIZE,
            ha="center",
        )
    axes.set(xscale="log", yscale="log")
    axes.set_xticks(sizes, [format_size(size) for size in sizes])
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_major_formatter(lambda cost, _: format_cost(cost))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelsize=LABEL_FONT_SIZE)
    axes.margins(x=0.16, y=0.2)
    axes.spines[["top", "right"]].set_visible(False)


def draw_proportional_guide(axes: Axes, curve: ScalingCurve) -> None:
    """Plot times proportional to the size, through the largest."""
    seconds_per_item = curve.seconds[-1] / curve.sizes[-1]
    middle = (curve.sizes[0] * curve.sizes[-1]) ** 0.5
    axes.plot(
        curve.sizes,
        [size * seconds_per_item for size in curve.sizes],
        color=GUIDE_COLOR,
        linewidth=0.8,
        dashes=(4, 3),
    )
    axes.annotate(
        "in proportion",
        (middle, seconds_per_item * middle),
        (3, -10),
        textcoords="offset points",
        fontsize=LABEL_FONT_SIZE,
        color=GUIDE_COLOR,
    )


def format_size(size: int) -> str:
    return f"{size / 1000:.0f}k" if size >= 1000 else str(size)


def format_seconds(seconds: float) -> str:
    return f"{format_short(seconds)} s" if seconds >= 1 else f"{format_short(1000 * seconds)} ms"


def format_megabytes(megabytes: float) -> str:
    return f"{megabytes / 1000:.2g} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def format_short(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def main() -> None:
    parser.add_argument("--figure", type=Path, help="draw the curves here (.svg, .png)")
    options = parse_options()
    network = "resnet50" if options.full else "mobilenetv2_100"
    with tempfile.TemporaryDirectory() as name:
        os.environ["LESIONLENS_CACHE"] = name  # for all following processes
        folder = write_prediction_folder(Path(name), network, max(prediction_sizes(full=options.full)))
        curves = [
            measure_scaling(work, rounds=options.rounds)
            for work in list_workloads(network, folder, full=options.full)
        ]
    report_results(f"Cost against size ({network})", [], curves)
    if options.figure:
        draw_scaling_figure(curves, options.figure)


if __name__ == "__main__":
    main()
