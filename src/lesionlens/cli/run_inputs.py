"""Run directories in place of prediction files, as arguments of ``evaluate`` and ``compare``."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from lesionlens.core.errors import PredictionsError

if TYPE_CHECKING:
    from lesionlens.evaluation.predictions import Predictions
    from lesionlens.runs.multi_run_dir import MultiRunDir
    from lesionlens.runs.run_dir import RunDir


class PredictionsFile(NamedTuple):
    """A file of predictions.

    Attributes
    ----------
    path
        The file.
    caveats
        What the run of the file has recorded about its data.
    split
        Split to select from the file, "" for all images; the files of a run have one split each.
    """

    path: Path
    caveats: tuple[str, ...] = ()
    split: str = ""


class RunInputs(NamedTuple):
    """Opened arguments: either files and single runs, or directories of several runs."""

    single: "list[Path | RunDir]"
    groups: "list[MultiRunDir]"


def open_inputs(paths: Iterable[Path]) -> RunInputs:
    """Open each directory as that of a run or of several runs; other paths are files of predictions.

    Raises
    ------
    RunError
        A directory is neither.
    PredictionsError
        Directories of several runs are mixed with single runs or files.
    """
    from lesionlens.runs.multi_run_dir import MultiRunDir
    from lesionlens.runs.run_predictions import open_runs

    opened = [open_runs(path) if path.is_dir() else path for path in paths]
    groups = [item for item in opened if isinstance(item, MultiRunDir)]
    single = [item for item in opened if not isinstance(item, MultiRunDir)]
    if groups and single:
        other = f"{single[0]} is a file" if isinstance(single[0], Path) else f"{single[0].path} is one run"
        raise PredictionsError(
            f"{groups[0].path} has several runs, but {other}. Pass either directories of several runs, or single runs "
            f"and files; to use one run of {groups[0].path}, pass its own directory in it"
        )
    return RunInputs(single, groups)


def locate_predictions(item: "Path | RunDir", *, split: str, labels: Path | None = None) -> PredictionsFile:
    """Return the file of predictions that an argument means.

    Parameters
    ----------
    item
        A file, or a run.
    split
        Split of ``--split``: that of a run's file ("" for test), or the rows of a file with several splits.
    labels
        Table of labels, whose rows of this split are selected, too.

    Raises
    ------
    RunError
        The run is not finished, or has no predictions of this split.
    """
    if isinstance(item, Path):
        return PredictionsFile(item, split=split)
    from lesionlens.runs.run_predictions import find_predictions, recorded_caveats, saved_split

    name = saved_split(split)
    caveats = recorded_caveats(item.metadata(), name)
    return PredictionsFile(find_predictions(item, name), caveats, split if labels else "")


def read_files(
    files: Sequence[PredictionsFile], *, labels: Path | None, other_class: str | None, common_images: bool
) -> "Predictions":
    """Read one or more files together, with the caveats of their runs."""
    from lesionlens.evaluation.pooling import merge_caveats
    from lesionlens.evaluation.predictions_io import read_predictions

    loaded = read_predictions(
        *(file.path for file in files),
        ground_truth=labels,
        other_class=other_class,
        split=next((file.split for file in files if file.split), ""),
        common_images=common_images,
    )
    recorded = merge_caveats({str(file.path): file.caveats for file in files})
    return replace(loaded, caveats=(*recorded, *loaded.caveats))


def check_group_options(context: typer.Context, allowed: Collection[str], *, reason: str) -> None:
    """Raise an error about an option that does not apply to directories of several runs.

    Parameters
    ----------
    context
        Context of the command.
    allowed
        Names of the parameters that apply.
    reason
        Clause that explains why others do not apply.
    """
    for parameter in context.params:
        source = context.get_parameter_source(parameter)
        if parameter not in allowed and source is not None and source.name == "COMMANDLINE":
            raise PredictionsError(
                f"--{parameter.replace('_', '-')} does not apply to directories of several runs, because {reason}. "
                "Remove it"
            )
