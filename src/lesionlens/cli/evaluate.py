"""``lesionlens evaluate``."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lesionlens.cli import options
from lesionlens.cli.run_inputs import (
    check_group_options,
    locate_predictions,
    open_inputs,
    read_files,
)
from lesionlens.cli.subgroups import MetadataSources, evaluate_by, write_subgroups
from lesionlens.core.errors import PredictionsError

if TYPE_CHECKING:
    from lesionlens.evaluation.predictions import Predictions
    from lesionlens.evaluation.result import EvaluationResult
    from lesionlens.evaluation.thresholds import DecisionRule
    from lesionlens.runs.multi_run_dir import MultiRunDir

# parameters that apply to a directory of several runs
_GROUP_PARAMS = (
    "predictions", "task", "split", "out", "bootstrap_samples", "seed", "decision", "threshold", "prevalence",
)  # fmt: skip


def evaluate_command(
    context: typer.Context,
    predictions: Annotated[
        list[Path],
        typer.Argument(
            help="predictions.csv, a submission of ISIC 2016 to 2019, or the directory of a run: its test split. "
            "Several are parts with the same classes, or one-vs-rest models. Or the directory of several runs of one "
            "recipe: folds are pooled, repeats are averaged."
        ),
    ],
    labels: options.LabelsOption = None,
    task: options.TaskOption = "all",
    other_class: options.OtherClassOption = None,
    split: options.SplitOption = "",
    common_images: Annotated[
        bool, typer.Option(help="Only the images that predictions and --labels have in common.")
    ] = False,
    out: Annotated[
        Path | None,
        options.out_folder("Folder for evaluation.json and figures, and the report.html of several runs."),
    ] = None,
    bootstrap_samples: Annotated[
        int, typer.Option(min=0, help="Number of bootstrap resamples over lesions.")
    ] = 1000,
    seed: options.BootstrapSeedOption = 0,
    decision: options.DecisionOption = "argmax",
    threshold: Annotated[
        str | None,
        typer.Option(
            help="Threshold in place of --decision: a score such as 0.3, or youden or sensitivity:0.89, tuned on "
            "--tune-threshold-on."
        ),
    ] = None,
    tune_threshold_on: Annotated[
        list[Path] | None,
        typer.Option(
            help="Labeled predictions for the validation split, or a run; as many files as are evaluated."
        ),
    ] = None,
    prevalence: Annotated[
        list[str] | None,
        typer.Option(
            help="Also PPV and NPV at this prevalence: CLASS:NUMBER such as melanoma:0.02, or a number for two "
            "classes; repeat for each class."
        ),
    ] = None,
    isic_submission: Annotated[
        Path | None,
        options.out_file("Also write the predictions as an ISIC 2017 submission.", "--isic-submission"),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option(
            help="Also compare subgroups with all other images: columns such as sex,site, and bins such as "
            "age:0,30,50,70."
        ),
    ] = None,
    by_metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Metric of subgroups, as --metric of compare; repeat for each. Default: a few of them."
        ),
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            help="Table with the columns of --by: a CSV or Parquet file with image_id, or a dataset NAME:ROOT. "
            "Default: the columns of --labels, of the predictions, or of the run's dataset."
        ),
    ] = None,
) -> None:
    """Evaluate predictions: every metric with its 95 % confidence interval over lesions."""
    from lesionlens.core.console import activity, make_console
    from lesionlens.evaluation.evaluate import evaluate
    from lesionlens.evaluation.predictive_values import parse_prevalence
    from lesionlens.evaluation.tables import evaluation_table

    if common_images and labels is None:
        raise PredictionsError("--common-images requires --labels FILE, with which the images are compared")
    if by is None and (by_metric or metadata):
        raise PredictionsError("--by-metric and --metadata require --by COLUMNS, which names the subgroups")
    inputs = open_inputs(predictions)
    if inputs.groups:
        check_group_options(context, _GROUP_PARAMS, reason="each run has its own labels and validation split")

        def evaluate_run(run: "Predictions") -> "EvaluationResult":
            run_rule = _resolve_decision(decision, threshold, run, None, task=task, tuned_on="")
            return evaluate(
                run, n_resamples=bootstrap_samples, seed=seed, decision=run_rule, task=task,
                prevalence=parse_prevalence(prevalence or ()),
            )  # fmt: skip

        _evaluate_group(inputs.groups, split, out, evaluate_run)
        return
    with activity(make_console(stderr=True), "evaluating"):
        files = [locate_predictions(item, split=split, labels=labels) for item in inputs.single]
        loaded = read_files(files, labels=labels, other_class=other_class, common_images=common_images)
        tuning = None
        if tune_threshold_on:
            tuning = _read_tuning_predictions(tune_threshold_on, other_class).with_classes_like(
                loaded.classes
            )
        tuned_on = ", ".join(map(str, tune_threshold_on or ()))
        rule = _resolve_decision(decision, threshold, loaded, tuning, task=task, tuned_on=tuned_on)
        result = evaluate(
            loaded, n_resamples=bootstrap_samples, seed=seed, decision=rule, task=task,
            prevalence=parse_prevalence(prevalence or ()),
        )  # fmt: skip
        subgroups = None
        if by is not None:
            runs = tuple(item for item in inputs.single if not isinstance(item, Path))
            paths = tuple(file.path for file in files)
            sources = MetadataSources(tuple(map(str, loaded.image_id)), metadata, labels, paths, runs)
            subgroups = evaluate_by(
                loaded, sources, by=by, by_metric=by_metric or (), n_resamples=bootstrap_samples, seed=seed,
                decision=rule, task=task,
            )  # fmt: skip
        if out is not None and subgroups is not None:
            write_subgroups(out, subgroups)
        _write_results(result, loaded, out=out, isic_submission=isic_submission)
    make_console().print(evaluation_table(result))
    if subgroups is not None:
        from lesionlens.evaluation.subgroups.tables import SubgroupTables

        make_console().print(SubgroupTables(subgroups))


def _write_results(
    result: "EvaluationResult", predictions: "Predictions", *, out: Path | None, isic_submission: Path | None
) -> None:
    if isic_submission is not None:
        from lesionlens.evaluation.isic_formats import write_isic2017

        write_isic2017(isic_submission, predictions)
    if out is not None:
        from lesionlens.evaluation.plots import write_figures
        from lesionlens.evaluation.result import write_evaluation

        write_evaluation(out / "evaluation.json", result)
        write_figures(out, result)
        options.report_out(out)


def _evaluate_group(
    groups: "Sequence[MultiRunDir]",
    split: str,
    out: Path | None,
    evaluate_run: "Callable[[Predictions], EvaluationResult]",
) -> None:
    """Evaluate, write and print several runs of one recipe."""
    from lesionlens.core.console import activity, make_console
    from lesionlens.runs.group_evaluation import evaluate_group
    from lesionlens.runs.group_table import GroupTable
    from lesionlens.runs.run_group import open_group
    from lesionlens.runs.run_predictions import saved_split

    if len(groups) > 1:
        raise PredictionsError(
            f"{groups[0].path} and {groups[1].path} have several runs each; evaluate one of them at a time, or compare "
            "them: lesionlens compare"
        )
    with activity(make_console(stderr=True), "evaluating"):
        evaluation = evaluate_group(open_group(groups[0], saved_split(split)), evaluate_run)
        if out is not None:
            from lesionlens.evaluation.plots import write_figures
            from lesionlens.training.group_report import write_group_evaluation

            write_group_evaluation(out, evaluation)
            for repeat, pool in evaluation.pools.items():
                write_figures(out / repeat, pool)
            options.report_out(out)
    make_console().print(GroupTable(evaluation))


def _read_tuning_predictions(paths: Sequence[Path], other_class: str | None) -> "Predictions":
    """Read predictions of the validation split, which may have no image of the other class."""
    from lesionlens.evaluation.predictions_io import read_predictions

    inputs = open_inputs(paths)
    if inputs.groups:
        raise PredictionsError(
            f"{inputs.groups[0].path} has several runs; pass the run that is evaluated: --tune-threshold-on RUN"
        )
    files = [locate_predictions(item, split="validation").path for item in inputs.single]
    try:
        return read_predictions(*files, other_class=other_class)
    except PredictionsError:
        if other_class is None:
            raise
        return read_predictions(*files)


def _resolve_decision(
    decision: Literal["argmax", "isic"],
    threshold: str | None,
    predictions: "Predictions",
    tuning_predictions: "Predictions | None",
    *,
    task: str,
    tuned_on: str,
) -> "DecisionRule":
    """Return the decision rule that --decision, --threshold and --tune-threshold-on specify."""
    from lesionlens.evaluation.binarize import to_binary_task
    from lesionlens.evaluation.thresholds import constant_thresholds, parse_threshold, tune_thresholds

    if threshold is None:
        if tuning_predictions is not None:
            raise PredictionsError(
                "--tune-threshold-on requires --threshold youden or --threshold sensitivity:0.89"
            )
        return decision
    if decision != "argmax":
        raise PredictionsError(f"--decision {decision} and --threshold {threshold} are mutually exclusive")
    fixed = parse_threshold(threshold)
    if fixed is None and tuning_predictions is not None:
        return tune_thresholds(
            threshold, to_binary_task(tuning_predictions, task).predictions, source_name=tuned_on
        )
    if fixed is not None and tuning_predictions is None:
        return constant_thresholds(fixed, to_binary_task(predictions, task).predictions)
    raise PredictionsError(
        f"--threshold {threshold} must be tuned on other images than those that are evaluated. Pass predictions for "
        "the validation split: --tune-threshold-on FILE"
        if tuning_predictions is None
        else f"--threshold {threshold} is a number, so there is nothing to tune. Remove --tune-threshold-on"
    )
