"""``lesionlens compare``."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionlens.cli import options
from lesionlens.core.errors import ComparisonError

if TYPE_CHECKING:
    from lesionlens.evaluation.comparison.result import ComparisonReport
    from lesionlens.evaluation.predictions import Predictions
    from lesionlens.evaluation.result import EvaluationResult
    from lesionlens.evaluation.thresholds import Thresholds


_RUN_PARAMS = ("inputs", "metric", "all_pairs", "out")  # parameters that apply to directories of runs


def compare_command(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more predictions.csv of the same images, or directories of several runs each."
        ),
    ],
    labels: options.LabelsOption = None,
    task: options.TaskOption = "all",
    other_class: options.OtherClassOption = None,
    split: options.SplitOption = "",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            "--metric",
            "-m",
            help="Metric to compare, for example auc:melanoma, f1:macro or accuracy. Repeatable. "
            "auc:class:macro is the AUC of a class called macro.",
        ),
    ] = None,
    common_images: Annotated[
        bool, typer.Option(help="Compare on the images that all files contain.")
    ] = False,
    all_pairs: Annotated[
        bool,
        typer.Option("--all-pairs", help="Compare every pair, not only the first model with the others."),
    ] = False,
    out: Annotated[
        Path | None, options.out_folder("Folder for comparison.json, .csv, .png and .svg.")
    ] = None,
    bootstrap_samples: Annotated[
        int, typer.Option(min=1, help="Number of bootstrap resamples over lesions.")
    ] = 2000,
    seed: options.BootstrapSeedOption = 0,
    stratified: Annotated[bool, typer.Option(help="Stratify the bootstrap by class.")] = True,
    decision: options.DecisionOption = "argmax",
    threshold: Annotated[
        str | None,
        typer.Option(help="Threshold in place of --decision, for example 0.3; the same for all models."),
    ] = None,
) -> None:
    """Compare models on the same images (paired differences, 95 % intervals, p-values), or groups of runs."""
    from lesionlens.core.console import activity, make_console
    from lesionlens.evaluation.comparison.tables import comparison_table

    names = _short_names(inputs)
    metrics = metric or ()
    models: tuple[Predictions, ...] = ()
    with activity(make_console(stderr=True), "comparing"):
        if any(path.is_dir() for path in inputs):
            _check_only_folders(inputs, context)
            report = _compare_runs(inputs, names, metrics, all_pairs)
        else:
            from lesionlens.evaluation.comparison.models import compare_models
            from lesionlens.evaluation.predictions_io import read_predictions
            from lesionlens.evaluation.registry import parse_metric_key

            read = partial(
                read_predictions,
                ground_truth=labels,
                other_class=other_class,
                split=split,
                common_images=common_images,
            )
            models, caveats = _align_models(
                [read(file) for file in inputs], names, task, common_images=common_images
            )
            rule = decision if threshold is None else _shared_threshold(threshold, decision, models[0])
            report = compare_models(
                models,
                names,
                keys=[parse_metric_key(text, models[0].classes) for text in metrics],
                all_pairs=all_pairs,
                n_resamples=bootstrap_samples,
                seed=seed,
                stratified=stratified,
                decision=rule,
            ).with_caveats(caveats)
        if out is not None:
            from lesionlens.evaluation.comparison.io import write_comparison
            from lesionlens.evaluation.comparison.plots import write_comparison_figure

            write_comparison(out, report)
            write_comparison_figure(out, report, models, names)
    make_console().print(comparison_table(report))


def _shared_threshold(threshold: str, decision: str, model: "Predictions") -> "Thresholds":
    """Return a constant threshold; tuned thresholds would differ between the models."""
    from lesionlens.evaluation.thresholds import constant_thresholds, parse_threshold

    if decision != "argmax":
        raise ComparisonError(f"--decision {decision} and --threshold {threshold} are mutually exclusive")
    score = parse_threshold(threshold)
    if score is None:
        raise ComparisonError(
            f"--threshold {threshold} is tuned for each model, but compare uses the same threshold for all. Pass a "
            "score such as 0.3, or tune and evaluate each model: lesionlens evaluate --tune-threshold-on FILE"
        )
    return constant_thresholds(score, model)


def _align_models(
    models: "Sequence[Predictions]", names: Sequence[str], task: str, *, common_images: bool
) -> "tuple[tuple[Predictions, ...], tuple[str, ...]]":
    """Convert predictions to the task, and align them by image."""
    from lesionlens.evaluation.binarize import to_binary_task
    from lesionlens.evaluation.comparison.alignment import align

    tasks = [to_binary_task(model, task) for model in models]
    aligned = align([item.predictions for item in tasks], names, intersect=common_images)
    return aligned.predictions, (
        *dict.fromkeys(caveat for item in tasks for caveat in item.caveats),
        *aligned.caveats,
    )


def _compare_runs(
    folders: Sequence[Path], names: Sequence[str], metrics: Sequence[str], all_pairs: bool
) -> "ComparisonReport":
    from lesionlens.evaluation.comparison.runs import common_classes, compare_runs
    from lesionlens.evaluation.registry import parse_metric_key

    groups = [_read_group(folder) for folder in folders]
    classes = common_classes(groups, names)
    keys = [parse_metric_key(text, classes) for text in metrics]
    return compare_runs(groups, names, keys=keys, all_pairs=all_pairs)


def _read_group(path: Path) -> "dict[str, EvaluationResult]":
    """Read the evaluations of the finished runs of a multi-run."""
    from lesionlens.evaluation.result import read_evaluation
    from lesionlens.training.multi_run import STATUS_FINISHED, MultiRunDir

    group = MultiRunDir(path)
    if not group.exists():
        raise ComparisonError(
            f"{path} is not a directory of several runs: it has no multi_run.json. Pass the directory of a recipe with "
            "num_repeats: N or n_folds: N, or prediction files such as RUN/predictions/test.csv"
        )
    metadata = group.metadata()
    finished = [name for name in metadata.get("runs_status", {}) if group.status(name) == STATUS_FINISHED]
    return {
        name: read_evaluation(group.run_dir(name).evaluation(metadata.get("split", "test")))
        for name in finished
    }


def _check_only_folders(inputs: Sequence[Path], context: typer.Context) -> None:
    """Raise an error for files among directories, and for options that do not apply to evaluated runs."""
    files = [path for path in inputs if not path.is_dir()]
    if files:
        raise ComparisonError(
            f"{files[0]} is a file, but others are directories. Compare prediction files, or directories of runs"
        )
    for parameter in context.params:
        source = context.get_parameter_source(parameter)
        if parameter not in _RUN_PARAMS and source is not None and source.name == "COMMANDLINE":
            raise ComparisonError(
                f"--{parameter.replace('_', '-')} applies only to prediction files, because runs are already "
                "evaluated. Remove it"
            )


def _short_names(inputs: Sequence[Path]) -> list[str]:
    """Name each input by the last component of its path in which all differ, without the suffix .csv.

    Examples
    --------
    >>> _short_names([Path("a.csv"), Path("b.csv")])
    ['a', 'b']
    >>> _short_names([Path("x/predictions/test.csv"), Path("y/predictions/test.csv")])
    ['x', 'y']
    """
    if len(inputs) < 2 or len(set(inputs)) < len(inputs):
        raise ComparisonError("Pass two or more different prediction files or directories of runs to compare")
    paths = [path.with_suffix("").parts if path.suffix == ".csv" else path.parts for path in inputs]
    for depth in range(1, min(map(len, paths)) + 1):
        names = [components[-depth] for components in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in inputs]
