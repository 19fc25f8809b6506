"""Results of an evaluation of detectors of unknown images: ``ood.json``, ``ood.csv`` and a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from lesionlens.core.bootstrap import Interval
from lesionlens.core.json_file import write_json
from lesionlens.core.notice import RESEARCH_USE_NOTICE
from lesionlens.core.tabular import write_csv_rows
from lesionlens.evaluation.formatting import display_name
from lesionlens.uncertainty.ood_evaluation import DETECTED_FRACTION, Separation

OOD_FORMAT = "lesionlens-ood/1"
KNOWN = "known"  # in place of a kind: the known images
_COLUMNS = (
    "kind", "detector", "num_images", "auroc", "auroc_low", "auroc_high",
    "false_positive_rate", "false_positive_low", "false_positive_high",
)  # fmt: skip


class DetectorResult(NamedTuple):
    """Separation of one kind of unknown images by one detector.

    Attributes
    ----------
    kind
        Kind of the images.
    detector
        Name of the detector.
    num_images
        Number of unknown images.
    separation
        AUROC and FPR95 against known images that calibrated nothing.
    """

    kind: str
    detector: str
    num_images: int
    separation: Separation

    def cells(self) -> tuple[Any, ...]:
        """Return the values of the columns of ``ood.csv``."""
        auroc, auroc_interval, rate, rate_interval = self.separation
        return (
            *(self.kind, self.detector, self.num_images),
            *(auroc, *auroc_interval[:2], rate, *rate_interval[:2]),
        )


@dataclass(frozen=True)
class OODReport:
    """All results of one model.

    Attributes
    ----------
    results
        One for each kind and detector.
    num_calibrating, num_known
        Number of images and lesions that calibrated the detectors, and that were compared with unknown images.
    weights_sha256
        Digest of the weights; "" without one.
    n_resamples, seed
        Bootstrap resamples, and the random seed.
    """

    results: tuple[DetectorResult, ...]
    num_calibrating: tuple[int, int]
    num_known: tuple[int, int]
    weights_sha256: str
    n_resamples: int
    seed: int

    @property
    def kinds(self) -> list[str]:
        """Kinds of unknown images, in the order of the results."""
        return list(dict.fromkeys(result.kind for result in self.results))

    @property
    def detectors(self) -> list[str]:
        """Names of the detectors."""
        return list(dict.fromkeys(result.detector for result in self.results))

    def result(self, kind: str, detector: str) -> DetectorResult:
        """Return the result of a kind and a detector."""
        return next(item for item in self.results if (item.kind, item.detector) == (kind, detector))


def write_ood_report(folder: Path, report: OODReport) -> None:
    """Write ``ood.json`` and ``ood.csv`` to a folder, atomically; undefined numbers are null or empty."""
    rows = [result.cells() for result in report.results]
    write_json(
        folder / "ood.json",
        {
            "format": OOD_FORMAT,
            "notice": RESEARCH_USE_NOTICE,
            "results": [dict(zip(_COLUMNS, row, strict=True)) for row in rows],
            "num_calibrating": dict(zip(("images", "lesions"), report.num_calibrating, strict=True)),
            "num_known": dict(zip(("images", "lesions"), report.num_known, strict=True)),
            "weights_sha256": report.weights_sha256,
            "n_resamples": report.n_resamples,
            "seed": report.seed,
        },
    )
    write_csv_rows(folder / "ood.csv", [_COLUMNS, *map(_format_row, rows)])


def _format_row(row: Sequence[Any]) -> list[str]:
    return ["" if isinstance(cell, float) and np.isnan(cell) else str(cell) for cell in row]


@dataclass(frozen=True)
class OODTable:
    """Renderable for `rich.console.Console.print`: one detector with intervals, the AUROC of the others.

    Attributes
    ----------
    report
        The results.
    detector
        The detector that is shown with intervals.
    """

    report: OODReport
    detector: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table and what its columns mean."""
        report = self.report
        others = [name for name in report.detectors if name != self.detector]
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        table.add_column("Images", overflow="fold")
        table.add_column("n", justify="right")
        table.add_column(f"AUROC of {self.detector}", justify="right", no_wrap=True)
        table.add_column("FPR", justify="right")
        for name in others:
            table.add_column("Mahal." if name == "mahalanobis" else name, justify="right")
        for kind in report.kinds:
            shown = report.result(kind, self.detector)
            table.add_row(
                Text(display_name(kind)),
                str(shown.num_images),
                format_auroc(shown.separation),
                f"{100 * shown.separation.false_positive_rate:.0f} %",
                *(f"{report.result(kind, name).separation.auroc:.3f}" for name in others),
            )
        yield table
        yield Text()
        yield Text(
            f"AUROC: probability that an unknown image is more unusual than one of the {report.num_known[0]} known "
            f"images; 0.5 is chance. FPR: fraction of the known images that are flagged if {100 * DETECTED_FRACTION:g} "
            f"% of the unknown ones are. {report.num_calibrating[0]} other known images calibrated the detectors."
        )


def format_auroc(separation: Separation) -> str:
    """Return an AUROC with its interval; without one if it is the same in every resample."""
    interval: Interval = separation.auroc_interval
    bounds = "" if np.isnan(interval.low) else f" ({interval.low:.3f}–{interval.high:.3f})"
    return f"{separation.auroc:.3f}{bounds}"
