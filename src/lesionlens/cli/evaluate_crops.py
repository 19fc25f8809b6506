"""``lesionlens evaluate-crops``."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionlens.cli import options

if TYPE_CHECKING:
    import pandas as pd
    from rich.table import Table

    from lesionlens.runs.run_dir import RunDir

_TITLES = ("metric", "scope", "mean", "std over draws", "std over runs", "due to crops", "95 % interval")


def evaluate_crops_command(
    run: Annotated[Path, typer.Argument(help="Directory of a run, or of several runs of one recipe.")],
    draws: Annotated[int, typer.Option(min=2, max=999, help="Number of draws of the test crops.")] = 20,
    split: options.SplitOption = "",
    per_image: Annotated[
        bool,
        typer.Option(
            "--per-image",
            help="Draw the crops of every image independently. Default: at the same positions in all images of one "
            "size, as a run is evaluated.",
        ),
    ] = False,
    out: Annotated[
        Path | None, options.out_folder("Folder for crop_draws.csv and crop_draws_summary.csv.")
    ] = None,
    device: options.DeviceOption = "auto",
    num_threads: options.NumThreadsOption = None,
) -> None:
    """Evaluate trained models with many draws of their random test crops: how much a metric depends on them.

    Predictions of each draw are saved in the run. Re-run the same command to resume an interrupted job.
    """
    from lesionlens.core.console import make_console, progress_bar
    from lesionlens.core.runtime import set_num_threads
    from lesionlens.runs.run_predictions import saved_split
    from lesionlens.training.crop_draws import CropDraws, summarize_crop_draws

    set_num_threads(num_threads)
    split_name = saved_split(split)
    runs = open_finished(run, split_name)
    values = {}
    with progress_bar(make_console(stderr=True), unit="draws") as progress:
        task = progress.add_task("evaluating", total=draws * len(runs))
        for index, (name, run_dir) in enumerate(runs.items()):
            crop_draws = CropDraws(
                run_dir,
                draws,
                split_name,
                per_image,
                device,
                lambda done, index=index: progress.update(task, completed=index * draws + done),  # type: ignore[misc]
            )
            values[name] = crop_draws.values()
    summary = summarize_crop_draws(values)
    if out is not None:
        _write(out, values, summary)
    make_console().print(_table(summary))


def open_finished(path: Path, split: str) -> "dict[str, RunDir]":
    """Return the finished runs of a directory by name; "" is the name of a single run."""
    from lesionlens.core.errors import RunError
    from lesionlens.runs.multi_run_dir import MultiRunDir
    from lesionlens.runs.run_group import open_group
    from lesionlens.runs.run_predictions import open_runs

    opened = open_runs(path)
    if not isinstance(opened, MultiRunDir):
        return {"": opened}
    group = open_group(opened, split)
    if not group.finished:
        raise RunError(f"{path} has no finished run; {group.unfinished_message()}")
    return {name: group.run_dir(name) for name in group.finished}


def _write(out: Path, values: "dict[str, pd.DataFrame]", summary: "pd.DataFrame") -> None:
    import pandas as pd

    from lesionlens.runs.run_statistics import write_summary

    tables = [table.assign(run=name) for name, table in values.items()]
    write_summary(out / "crop_draws.csv", pd.concat(tables, ignore_index=True))
    write_summary(out / "crop_draws_summary.csv", summary)
    options.report_out(out)


def _table(summary: "pd.DataFrame") -> "Table":
    """Build a table of the averages over classes and, of two classes, the positive one."""
    from lesionlens.runs.run_statistics import build_table, format_fraction, main_rows, metric_cells

    rows = []
    for row in main_rows(summary):
        values = [format_fraction(row[name]) for name in ("mean", "std_within", "std_between")]
        percentages = [_format_percentage(row[name]) for name in ("fraction_within", "low", "high")]
        rows.append([*metric_cells(row), *values, percentages[0], "–".join(filter(None, percentages[1:]))])
    return build_table(_TITLES, rows)


def _format_percentage(fraction: float) -> str:
    return f"{100 * fraction:.0f} %" if math.isfinite(fraction) else ""
