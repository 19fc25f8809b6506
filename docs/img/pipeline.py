"""Draw the pipeline from image files to the report as docs/img/pipeline.svg: python docs/img/pipeline.py."""

from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

INK, PAPER, ACCENT = "#22313f", "#f4f1ec", "#b5543c"
ROWS = {"top": 2.6, "bottom": 0.8}
BOXES = {  # name: (x, row, label, package)
    "files": (0.9, "top", "image files\nand CSVs", ""),
    "table": (3.2, "top", "LesionTable\nand splits", "datasets"),
    "crops": (5.5, "top", "crops and\naugmentation", "imaging, data"),
    "network": (7.8, "top", "network\nand attention", "models, training"),
    "output": (10.1, "top", "ModelOutput\nlogits, maps", "models"),
    "saved": (7.8, "bottom", "saved model\nweights, card", "models"),
    "predictions": (5.5, "bottom", "predictions.csv", "inference"),
    "metrics": (3.2, "bottom", "metrics\nwith intervals", "evaluation"),
    "report": (0.9, "bottom", "report.html", "report"),
    "overlays": (10.1, "bottom", "map overlays", "explanation"),
}
ARROWS = [
    ("files", "table"), ("table", "crops"), ("crops", "network"), ("network", "output"), ("network", "saved"),
    ("output", "overlays"), ("saved", "predictions"), ("predictions", "metrics"), ("metrics", "report"),
]  # fmt: skip
WIDTH, HEIGHT = 1.7, 0.86


def main() -> None:
    figure = Figure(figsize=(11, 3.6))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 11), ylim=(0, 3.6))
    axes.axis("off")
    for name, (x, row, label, package) in BOXES.items():
        y = ROWS[row]
        corner = (x - WIDTH / 2, y - HEIGHT / 2)
        edge = ACCENT if name in {"predictions", "report"} else INK
        axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, "round,pad=0.02", fc=PAPER, ec=edge, lw=1.4))
        axes.text(x, y, label, ha="center", va="center", fontsize=11, color=INK)
        axes.text(
            x,
            y - HEIGHT / 2 - 0.1,
            package,
            ha="center",
            va="top",
            fontsize=8.5,
            color="#6b7680",
            family="monospace",
        )
    for start, end in ARROWS:
        axes.add_patch(arrow(start, end))
    figure.savefig(Path(__file__).with_name("pipeline.svg"), facecolor="white", metadata={"Date": None})


def arrow(start: str, end: str) -> FancyArrowPatch:
    (x0, row0, *_), (x1, row1, *_) = BOXES[start], BOXES[end]
    y0, y1 = ROWS[row0], ROWS[row1]
    direction = (x1 > x0) - (x1 < x0)
    gap = WIDTH / 2 + 0.06
    points = (
        ((x0 + direction * gap, y0), (x1 - direction * gap, y1))
        if direction
        else ((x0, y0 - 0.7), (x1, y1 + 0.5))
    )
    return FancyArrowPatch(
        *points, arrowstyle="-|>", mutation_scale=13, color=INK, lw=1.3, shrinkA=0, shrinkB=0
    )


if __name__ == "__main__":
    main()
