"""``lesionlens compare``."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lesionlens.cli import options
from lesionlens.cli.run_inputs import (
    check_group_options,
    locate_predictions,
    open_inputs,
    read_files,
)
from lesionlens.core.errors import ComparisonError

if TYPE_CHECKING:
    from lesionlens.evaluation.comparison.result import ComparisonReport
    from lesionlens.evaluation.predictions import Predictions
    from lesionlens.evaluation.result import EvaluationResult
    from lesionlens.evaluation.thresholds import Thresholds
    from lesionlens.runs.group_evaluation import GroupEvaluation
    from lesionlens.runs.multi_run_dir import MultiRunDir
    from lesionlens.runs.run_group import RunGroup


# parameters that apply to directories of several runs: of repeats, and of folds
_REPEAT_PARAMS = ("inputs", "task", "split", "metric", "all_pairs", "out", "decision", "threshold")
_FOLD_PARAMS = (*_REPEAT_PARAMS, "common_images", "bootstrap_samples", "seed", "stratified")


def compare_command(
    context: typer.Context,
    inputs: Annotated[
        list[Path],
        typer.Argument(
            help="Two or more predictions.csv or directories of runs (their test split), of the same images; or "
            "directories of several runs each: folds are compared image by image, repeats run by run."
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
    """Compare models on the same images (paired differences, 95 % intervals, p-values), or repeats of recipes."""
    from lesionlens.core.console import activity, make_console
    from lesionlens.evaluation.comparison.compare import align_tasks, short_names
    from lesionlens.evaluation.comparison.models import compare_models
    from lesionlens.evaluation.comparison.tables import comparison_table
    from lesionlens.evaluation.evaluate import evaluate
    from lesionlens.evaluation.registry import parse_metric_key

    opened = open_inputs(inputs)
    groups = _open_groups(opened.groups, split)
    files = [locate_predictions(item, split=split, labels=labels) for item in opened.single]
    names = short_names([group.folder.path for group in groups] or [file.path for file in files])
    metrics = metric or ()
    models: tuple[Predictions, ...] = ()
    with activity(make_console(stderr=True), "comparing"):
        if groups and not _are_folds(groups[0]):
            check_group_options(context, _REPEAT_PARAMS, reason="repeats are compared run by run")

            def evaluate_run(run: "Predictions") -> "EvaluationResult":
                rule = decision if threshold is None else _shared_threshold(threshold, decision, run, task)
                return evaluate(run, n_resamples=0, decision=rule, task=task)

            report = _compare_repeats(groups, names, metrics, evaluate_run, all_pairs=all_pairs)
        else:
            if groups:
                check_group_options(context, _FOLD_PARAMS, reason="each run has its own labels")
            read = partial(read_files, labels=labels, other_class=other_class, common_images=common_images)
            loaded = [_read_folds(group) for group in groups] or [read([file]) for file in files]
            aligned = align_tasks(loaded, names, task, common_images=common_images)
            models = aligned.predictions
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
            ).with_caveats(aligned.caveats)
        if out is not None:
            from lesionlens.evaluation.comparison.io import write_comparison
            from lesionlens.evaluation.comparison.plots import write_comparison_figure

            write_comparison(out, report)
            write_comparison_figure(out, report, models, names)
            options.report_out(out)
    make_console().print(comparison_table(report))


def _shared_threshold(threshold: str, decision: str, model: "Predictions", task: str = "all") -> "Thresholds":
    """Return a constant threshold for a task; tuned thresholds would differ between the models."""
    from lesionlens.evaluation.binarize import to_binary_task
    from lesionlens.evaluation.thresholds import constant_thresholds, parse_threshold

    if decision != "argmax":
        raise ComparisonError(f"--decision {decision} and --threshold {threshold} are mutually exclusive")
    score = parse_threshold(threshold)
    if score is None:
        raise ComparisonError(
            f"--threshold {threshold} is tuned for each model, but compare uses the same threshold for all. Pass a "
            "score such as 0.3, or tune and evaluate each model: lesionlens evaluate --tune-threshold-on FILE"
        )
    return constant_thresholds(score, to_binary_task(model, task).predictions)


def _open_groups(folders: "Sequence[MultiRunDir]", split: str) -> "list[RunGroup]":
    """Open directories of several runs, which must all be folds, repeated folds, or repeats.

    Without ``split``, it is that on which training evaluated the runs.
    """
    from lesionlens.runs.run_group import open_group
    from lesionlens.runs.run_predictions import saved_split

    groups = [
        open_group(folder, saved_split(split or folder.metadata().get("split", ""))) for folder in folders
    ]
    for group in groups[1:]:
        if (group.is_cross_validation, _are_folds(group)) != (
            groups[0].is_cross_validation,
            _are_folds(groups[0]),
        ):
            raise ComparisonError(
                f"{groups[0].folder.path} ({groups[0].describe()}) and {group.folder.path} ({group.describe()}) cannot "
                "be compared: folds are pooled and compared image by image, repeats run by run. Compare directories of "
                "the same kind"
            )
    return groups


def _are_folds(group: "RunGroup") -> bool:
    """Return whether the runs are the folds of one cross-validation."""
    return group.is_cross_validation and group.num_repeats == 1


def _read_folds(group: "RunGroup") -> "Predictions":
    """Read the predictions of all folds as one set."""
    (pool,) = group.pool(group.predictions()).values()
    return pool


def _compare_repeats(
    groups: "Sequence[RunGroup]",
    names: Sequence[str],
    metrics: Sequence[str],
    evaluate_run: "Callable[[Predictions], EvaluationResult]",
    *,
    all_pairs: bool,
) -> "ComparisonReport":
    """Compare repeats run by run; of repeated cross-validations, each pool of folds is one run."""
    from lesionlens.evaluation.comparison.runs import common_classes, compare_runs
    from lesionlens.evaluation.pooling import merge_caveats
    from lesionlens.evaluation.registry import parse_metric_key
    from lesionlens.runs.group_evaluation import evaluate_group

    evaluations = [evaluate_group(group, evaluate_run) for group in groups]
    runs = [evaluation.pools or evaluation.runs for evaluation in evaluations]
    for group, finished in zip(groups, runs, strict=True):
        if len(finished) < 2 and (unfinished := group.unfinished_message()):
            raise ComparisonError(
                f"{group.folder.path} has fewer than two finished runs, the minimum for a comparison; {unfinished}"
            )
    classes = common_classes(runs, names)
    keys = [parse_metric_key(text, classes) for text in metrics]
    caveats = merge_caveats(
        {name: evaluation.caveats for name, evaluation in zip(names, evaluations, strict=True)}
    )
    report = compare_runs(runs, names, keys=keys, all_pairs=all_pairs)
    return report.with_caveats((*caveats, *_image_caveats(evaluations, names)))


def _image_caveats(evaluations: "Sequence[GroupEvaluation]", names: Sequence[str]) -> Iterator[str]:
    """Yield a caveat for each group whose paired runs were evaluated on other images than those of the first."""
    from lesionlens.evaluation.predictions import format_examples

    first, *others = (
        {
            repeat: {image for run in members for image in evaluation.images.get(run, ())}
            for repeat, members in evaluation.group.repeats.items()
        }
        for evaluation in evaluations
    )
    for images, name in zip(others, names[1:], strict=True):
        different = [repeat for repeat in images if repeat in first and images[repeat] != first[repeat]]
        if different:
            runs = f" in {format_examples(different)}" if any(different) else ""
            yield (
                f"{name} was evaluated on other images than {names[0]}{runs}: the pairs have other images, which may "
                "cause the difference."
            )
