"""Draw how ARL's scale gates move in training: the paper's mask against the one scaled by its area.

python docs/img/alpha_curves.py alpha.png TITLE=spatial_run,…:area_run,… …
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

BLOCKS = ("layer1.0", "layer2.0", "layer3.0", "layer4.0")
KINDS = {"mask of eq. 4, mean 1/(h·w)": "#3b6fb6", "scaled by its area, mean 1": "#d1702c"}
START = 0.001


def curves(runs: str) -> list[pd.DataFrame]:
    """Read the logs of runs whose folders are separated by commas."""
    return [pd.read_csv(Path(run) / "metrics.csv") for run in runs.split(",")]


def main(out: str, *groups: str) -> None:
    figure, axes = plt.subplots(
        len(groups), len(BLOCKS), figsize=(9.6, 2.5 * len(groups)), sharex="row", sharey=True, squeeze=False
    )
    for row, group in zip(axes, groups, strict=True):
        title, _, runs = group.partition("=")
        for (kind, colour), logs in zip(KINDS.items(), map(curves, runs.split(":")), strict=True):
            for number, log in enumerate(logs):
                epochs = np.concatenate([[0], log["epoch"]])
                for axis, block in zip(row, BLOCKS, strict=True):
                    values = np.concatenate([[START], log[f"alpha/{block}"]])
                    label = kind if number == 0 else None
                    axis.plot(epochs, values, color=colour, linewidth=1.4, alpha=0.85, label=label)
        row[0].set_ylabel(f"{title}\nα")
        for axis in row:
            axis.axhline(0, color="0.75", linewidth=0.6, zorder=0)
            axis.set_yscale("symlog", linthresh=START, linscale=0.8)
            axis.set_xlabel("epoch")
            axis.xaxis.set_major_locator(MaxNLocator(integer=True))
            axis.spines[["top", "right"]].set_visible(False)
    for number, axis in enumerate(axes[0], 1):
        axis.set_title(f"stage {number}", fontsize=10)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="upper center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0, 1, 1 - 0.22 / len(groups) / 1.3))
    figure.savefig(out, dpi=150)


if __name__ == "__main__":
    main(*sys.argv[1:])
