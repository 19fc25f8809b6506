"""``lesionlens compare``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionlens.cli import question_options as question
from lesionlens.errors import ComparisonError

if TYPE_CHECKING:
    from lesionlens.evaluation.compare.contrast import Contrasts
    from lesionlens.evaluation.decision import Thresholds
    from lesionlens.evaluation.evaluation import Evaluation
    from lesionlens.evaluation.prediction_table import Predictions

_OVER_RUNS = ("what", "metric", "all_pairs", "out")  # what has a meaning for folders of runs


def compare(
    context: typer.Context,
    what: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more predictions.csv of the same images, or folders of several runs each."
        ),
    ],
    truth: question.Truth = None,
    task: question.Task = "all",
    rest: question.Rest = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", help="In place of the usual ones: auc:melanoma, f1:macro, accuracy."),
    ] = None,
    common: Annotated[bool, typer.Option(help="Compare on the images that all files have.")] = False,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Each with each, not only the first with each other.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for comparison.json, .csv, .png and .svg.")
    ] = None,
    replicates: Annotated[int, typer.Option(min=1, help="Bootstrap resamples of the lesions.")] = 2000,
    seed: question.Seed = 0,
    stratified: Annotated[bool, typer.Option(help="Draw as many lesions of each class as there are.")] = True,
    decision: question.Decision = "argmax",
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Instead of a decision: a score such as 0.3, the same for all."),
    ] = None,
) -> None:
    """Compare models: differences with intervals over lesions and p; or recipes over their runs."""
    from rich.console import Console

    from lesionlens.evaluation.compare.table import comparison_table

    names = _names(what)
    keys = [_key(each) for each in metric or ()]
    models: tuple[Predictions, ...] = ()
    if any(path.is_dir() for path in what):
        _only_folders(what, context)
        found = _runs(what, names, keys, all_pairs)
    else:
        from lesionlens.evaluation.compare.models import compare_models

        models, notes = _models(what, names, truth, task, rest, common)
        how = decision if threshold is None else _same_for_all(threshold, decision, models[0])
        found = compare_models(
            models,
            names,
            keys=keys,
            every=all_pairs,
            replicates=replicates,
            seed=seed,
            stratified=stratified,
            decision=how,
        ).noted(notes)
    Console().print(comparison_table(found))
    if out is not None:
        from lesionlens.evaluation.compare.figure import write_comparison_figure
        from lesionlens.evaluation.compare.files import write_comparison

        write_comparison(out, found)
        write_comparison_figure(out, found, models, names)


def _same_for_all(threshold: float, decision: str, model: "Predictions") -> "Thresholds":
    """Give a threshold as ``lesionlens evaluate`` reads it; one that is chosen would be another for each model."""
    from lesionlens.evaluation.thresholds import given

    if decision != "argmax":
        raise ComparisonError(f"--decision {decision} and --threshold {threshold:g} exclude each other")
    return given(threshold, model)


def _models(
    files: Sequence[Path], names: Sequence[str], truth: Path | None, task: str, rest: str | None, common: bool
) -> "tuple[tuple[Predictions, ...], tuple[str, ...]]":
    """Read each file, reduce it to the question, and bring all to the same images."""
    from lesionlens.evaluation.compare.pairs import aligned
    from lesionlens.evaluation.predictions import read_predictions
    from lesionlens.evaluation.reduced import reduced

    asked = [reduced(read_predictions(file, truth=truth, rest=rest), task) for file in files]
    found = aligned([each.predictions for each in asked], names, common=common)
    return found.predictions, (*dict.fromkeys(note for each in asked for note in each.notes), *found.notes)


def _runs(
    folders: Sequence[Path], names: Sequence[str], keys: "Sequence[tuple[str, str]]", every: bool
) -> "Contrasts":
    from lesionlens.evaluation.compare.runs import compare_runs

    return compare_runs([_group(folder) for folder in folders], names, keys=keys, every=every)


def _group(path: Path) -> "dict[str, Evaluation]":
    """Read the evaluations of a group's finished runs."""
    from lesionlens.evaluation.evaluation import read_evaluation
    from lesionlens.training.group import FINISHED, GroupFolder

    group = GroupFolder(path)
    if not group.is_there():
        raise ComparisonError(
            f"{path} is no folder of several runs: it has no group.json. Give the folder of a recipe with runs: N or "
            "folds: N, or files of predictions such as RUN/predictions/test.csv"
        )
    record = group.record()
    done = [name for name in record.get("children", {}) if group.status(name) == FINISHED]
    return {name: read_evaluation(group.child(name).evaluation(record.get("part", "test"))) for name in done}


def _only_folders(what: Sequence[Path], context: typer.Context) -> None:
    """Refuse files among folders, and options that runs, which are evaluated already, have no use for."""
    files = [path for path in what if not path.is_dir()]
    if files:
        raise ComparisonError(
            f"{files[0]} is no folder and others are: compare files of predictions, or folders of runs"
        )
    for name in context.params:
        source = context.get_parameter_source(name)
        if name not in _OVER_RUNS and source is not None and source.name == "COMMANDLINE":
            raise ComparisonError(
                f"--{name} is for files of predictions; runs are compared as they were evaluated: leave it out"
            )


def _names(what: Sequence[Path]) -> list[str]:
    """Call each by the last part of its path in which all differ, a file without its ending.

    Examples
    --------
    >>> _names([Path("a.csv"), Path("b.csv")]), _names([Path("x/predictions/test.csv"), Path("y/predictions/test.csv")])
    (['a', 'b'], ['x', 'y'])
    """
    if len(what) < 2 or len(set(what)) < len(what):
        raise ComparisonError("give two or more different files of predictions or folders of runs to compare")
    parts = [path.with_suffix("").parts if path.suffix == ".csv" else path.parts for path in what]
    for place in range(1, min(map(len, parts)) + 1):
        names = [each[-place] for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in what]


def _key(text: str) -> tuple[str, str]:
    """Read METRIC or METRIC:OF; without OF it is of all images or the mean of the classes."""
    name, _, of = text.partition(":")
    return name, of or ("all" if name in ("accuracy", "balanced_accuracy") else "macro")
