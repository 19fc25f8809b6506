"""``lesionlens compare``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionlens.cli import options as question
from lesionlens.core.errors import ComparisonError

if TYPE_CHECKING:
    from lesionlens.evaluation.comparison.result import ComparisonReport
    from lesionlens.evaluation.predictions import Predictions
    from lesionlens.evaluation.result import EvaluationResult
    from lesionlens.evaluation.thresholds import Thresholds


_RUN_PARAMS = ("inputs", "metric", "all_pairs", "out")  # what has a meaning for folders of runs


def compare_command(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more predictions.csv of the same images, or folders of several runs each."
        ),
    ],
    labels: question.LabelsOption = None,
    task: question.TaskOption = "all",
    other_class: question.OtherClassOption = None,
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", "-m", help="In place of the usual ones: auc:melanoma, f1:macro, accuracy."),
    ] = None,
    common_images: Annotated[bool, typer.Option(help="Compare on the images that all files have.")] = False,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Each with each, not only the first with each other.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for comparison.json, .csv, .png and .svg.")
    ] = None,
    bootstrap_samples: Annotated[int, typer.Option(min=1, help="Bootstrap resamples of the lesions.")] = 2000,
    seed: question.BootstrapSeedOption = 0,
    stratified: Annotated[bool, typer.Option(help="Draw as many lesions of each class as there are.")] = True,
    decision: question.DecisionOption = "argmax",
    threshold: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Instead of a decision: a score such as 0.3, the same for all."),
    ] = None,
) -> None:
    """Compare models: differences with intervals over lesions and p; or recipes over their runs."""
    from rich.console import Console

    from lesionlens.evaluation.comparison.tables import comparison_table

    names = _short_names(inputs)
    keys = [_parse_metric(each) for each in metric or ()]
    models: tuple[Predictions, ...] = ()
    if any(path.is_dir() for path in inputs):
        _check_only_folders(inputs, context)
        report = _compare_runs(inputs, names, keys, all_pairs)
    else:
        from lesionlens.evaluation.comparison.models import compare_models

        models, notes = _load_models(inputs, names, labels, task, other_class, common_images)
        how = decision if threshold is None else _shared_threshold(threshold, decision, models[0])
        report = compare_models(
            models,
            names,
            keys=keys,
            all_pairs=all_pairs,
            n_resamples=bootstrap_samples,
            seed=seed,
            stratified=stratified,
            decision=how,
        ).with_caveats(notes)
    Console().print(comparison_table(report))
    if out is not None:
        from lesionlens.evaluation.comparison.io import write_comparison
        from lesionlens.evaluation.comparison.plots import write_comparison_figure

        write_comparison(out, report)
        write_comparison_figure(out, report, models, names)


def _shared_threshold(threshold: float, decision: str, model: "Predictions") -> "Thresholds":
    """Give a threshold as ``lesionlens evaluate`` reads it; one that is chosen would be another for each model."""
    from lesionlens.evaluation.thresholds import constant_thresholds

    if decision != "argmax":
        raise ComparisonError(f"--decision {decision} and --threshold {threshold:g} exclude each other")
    return constant_thresholds(threshold, model)


def _load_models(
    files: Sequence[Path],
    names: Sequence[str],
    labels: Path | None,
    task: str,
    other_class: str | None,
    common_images: bool,
) -> "tuple[tuple[Predictions, ...], tuple[str, ...]]":
    """Read each file, reduce it to the question, and bring all to the same images."""
    from lesionlens.evaluation.binarize import to_binary_task
    from lesionlens.evaluation.comparison.alignment import align
    from lesionlens.evaluation.predictions_io import read_predictions

    asked = [
        to_binary_task(read_predictions(file, ground_truth=labels, other_class=other_class), task)
        for file in files
    ]
    found = align([each.predictions for each in asked], names, intersect=common_images)
    return found.predictions, (
        *dict.fromkeys(note for each in asked for note in each.caveats),
        *found.caveats,
    )


def _compare_runs(
    folders: Sequence[Path], names: Sequence[str], keys: "Sequence[tuple[str, str]]", all_pairs: bool
) -> "ComparisonReport":
    from lesionlens.evaluation.comparison.runs import compare_runs

    return compare_runs([_read_group(folder) for folder in folders], names, keys=keys, all_pairs=all_pairs)


def _read_group(path: Path) -> "dict[str, EvaluationResult]":
    """Read the evaluations of a group's finished runs."""
    from lesionlens.evaluation.result import read_evaluation
    from lesionlens.training.multi_run import STATUS_FINISHED, MultiRunDir

    group = MultiRunDir(path)
    if not group.exists():
        raise ComparisonError(
            f"{path} is no folder of several runs: it has no multi_run.json. Give the folder of a recipe with "
            "num_repeats: N or n_folds: N, or files of predictions such as RUN/predictions/test.csv"
        )
    metadata = group.metadata()
    finished = [name for name in metadata.get("runs_status", {}) if group.status(name) == STATUS_FINISHED]
    return {
        name: read_evaluation(group.run_dir(name).evaluation(metadata.get("split", "test")))
        for name in finished
    }


def _check_only_folders(inputs: Sequence[Path], context: typer.Context) -> None:
    """Refuse files among folders, and options that runs, which are evaluated already, have no use for."""
    files = [path for path in inputs if not path.is_dir()]
    if files:
        raise ComparisonError(
            f"{files[0]} is no folder and others are: compare files of predictions, or folders of runs"
        )
    for parameter in context.params:
        source = context.get_parameter_source(parameter)
        if parameter not in _RUN_PARAMS and source is not None and source.name == "COMMANDLINE":
            raise ComparisonError(
                f"--{parameter.replace('_', '-')} is for files of predictions; "
                "runs are compared as they were evaluated: leave it out"
            )


def _short_names(inputs: Sequence[Path]) -> list[str]:
    """Call each by the last part of its path in which all differ, a file without its ending.

    Examples
    --------
    >>> _short_names([Path("a.csv"), Path("b.csv")])
    ['a', 'b']
    >>> _short_names([Path("x/predictions/test.csv"), Path("y/predictions/test.csv")])
    ['x', 'y']
    """
    if len(inputs) < 2 or len(set(inputs)) < len(inputs):
        raise ComparisonError("give two or more different files of predictions or folders of runs to compare")
    parts = [path.with_suffix("").parts if path.suffix == ".csv" else path.parts for path in inputs]
    for place in range(1, min(map(len, parts)) + 1):
        names = [each[-place] for each in parts]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in inputs]


def _parse_metric(text: str) -> tuple[str, str]:
    """Read METRIC or METRIC:OF; without OF it is of all images or the mean of the classes."""
    name, _, of = text.partition(":")
    return name, of or ("all" if name in ("accuracy", "balanced_accuracy") else "macro")
