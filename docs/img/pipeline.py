"""Draw the eight steps from image files to the report as docs/img/pipeline.svg: python docs/img/pipeline.py."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, PAPER, ACCENT, MUTED = "#22313f", "#f4f1ec", "#b5543c", "#5f6972"
STEPS = [  # title, what the step writes or returns, package; the order of docs/how-it-works.md
    ("1 Read the dataset", "LesionTable", "datasets"),
    ("2 Split it", "split.csv", "datasets"),
    ("3 Decode images", "image cache", "imaging, data"),
    ("4 Crop and augment", "batches", "data"),
    ("5 Train the network", "model.safetensors", "models, training"),
    ("6 Predict", "predictions.csv", "inference"),
    ("7 Evaluate", "metrics with intervals", "evaluation"),
    ("8 Report", "report.html", "explanation, report"),
]
COLUMNS = 4
WIDTH, HEIGHT = 2.3, 0.9
LEFT, GAP = 0.1, 0.53


def center(step: int) -> tuple[float, float]:
    """Return the center of a box: the first row runs to the right, the second back to the left."""
    row, column = divmod(step, COLUMNS)
    column = COLUMNS - 1 - column if row else column
    return LEFT + WIDTH / 2 + column * (WIDTH + GAP), 0.8 if row else 2.6


def draw_box(axes: Axes, step: int) -> None:
    x, y = center(step)
    title, output, package = STEPS[step]
    edge = ACCENT if output.endswith((".csv", ".html", ".safetensors")) else INK
    corner = (x - WIDTH / 2, y - HEIGHT / 2)
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, "round,pad=0.02", fc=PAPER, ec=edge, lw=1.4))
    axes.text(x, y + 0.18, title, ha="center", va="center", fontsize=12, color=INK, weight="bold")
    axes.text(x, y - 0.18, output, ha="center", va="center", fontsize=11, color=edge)
    below = y - HEIGHT / 2 - 0.1
    axes.text(x, below, package, ha="center", va="top", fontsize=9, color=MUTED, family="monospace")


def arrow(step: int) -> FancyArrowPatch:
    """Return the arrow from a step to the next."""
    (x0, y0), (x1, y1) = center(step), center(step + 1)
    direction = (x1 > x0) - (x1 < x0)
    edge = direction * (WIDTH / 2 + 0.06)
    start, end = ((x0 + edge, y0), (x1 - edge, y1)) if direction else ((x0, y0 - 0.75), (x1, y1 + 0.51))
    return FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=13, color=INK, shrinkA=0, shrinkB=0)


def main() -> None:
    figure = Figure(figsize=(11, 3.4))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 11), ylim=(0, 3.4))
    axes.axis("off")
    for step in range(len(STEPS)):
        draw_box(axes, step)
    for step in range(len(STEPS) - 1):
        axes.add_patch(arrow(step))
    figure.savefig(Path(__file__).with_name("pipeline.svg"), facecolor="white", metadata={"Date": None})


if __name__ == "__main__":
    main()
