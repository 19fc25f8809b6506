"""Write the files of the evaluation of several runs: statistics, pooled evaluations, and the report."""

import os
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from lesionlens.core.fileio import write_text
from lesionlens.evaluation.metric import Aggregate, MetricKey
from lesionlens.evaluation.result import Estimate, EstimateCaveat, write_evaluation
from lesionlens.report.group import GroupReport, MeanOverRuns, ReportedRun, build_group_report
from lesionlens.report.load import load_run
from lesionlens.report.setup import setup_summary
from lesionlens.runs.group_evaluation import GroupEvaluation
from lesionlens.runs.multi_run_dir import MultiRunDir
from lesionlens.runs.run_statistics import markdown_page, write_summary


def write_group_evaluation(out: Path, evaluation: GroupEvaluation) -> Path:
    """Write ``summary.csv``, ``summary.md`` and ``report.html``, and of pooled folds ``evaluation.json``.

    Parameters
    ----------
    out
        Directory of the files. With several repeats of a cross-validation, each has its ``evaluation.json`` in a
        subdirectory.
    evaluation
        Evaluation of one or more finished runs.

    Returns
    -------
    Path
        Path of the report.

    Raises
    ------
    WriteError
        A file cannot be written.
    """
    group, files = evaluation.group, MultiRunDir(out)
    title = group.folder.path.resolve().name
    summary = evaluation.summary
    write_summary(files.summary_csv, summary)
    page = markdown_page(summary, title=title, split=group.split, num_runs=len(group.specs))
    write_text(files.summary_md, page)
    for repeat, pool in evaluation.pools.items():
        write_evaluation(out / repeat / "evaluation.json", pool)
    build_group_report(files.report, _report(out, evaluation, summary))
    return files.report


def _report(out: Path, evaluation: GroupEvaluation, summary: pd.DataFrame) -> GroupReport:
    group = evaluation.group
    finished = group.run_dir(next(iter(evaluation.runs)))
    folder = group.folder
    return GroupReport(
        name=folder.path.resolve().name,
        description=group.describe(),
        split=group.split,
        runs=_reported_runs(out, evaluation),
        pools=evaluation.pools,
        means=_means(summary, num_runs=len(evaluation.runs)),
        mean_title=evaluation.mean_title,
        caveats=evaluation.caveats,
        setup=setup_summary(load_run(finished.path)),
        command=str(folder.metadata().get("command", "")),
        recipe_text=folder.recipe.read_text(encoding="utf-8"),
    )


def _reported_runs(out: Path, evaluation: GroupEvaluation) -> tuple[ReportedRun, ...]:
    group = evaluation.group
    repeat_of = {name: repeat for repeat, names in group.repeats.items() for name in names}
    statuses = group.statuses()
    return tuple(
        ReportedRun(
            spec.name,
            repeat_of[spec.name],
            spec.recipe.train.seed,
            spec.recipe.fold,
            statuses[spec.name],
            evaluation.runs.get(spec.name),
            _relative_url(group.run_dir(spec.name).path / "report.html", out),
        )
        for spec in group.specs
    )


def _relative_url(file: Path, folder: Path) -> str:
    """Return the URL of a file from a page in a folder; "" if the file does not exist."""
    return quote(Path(os.path.relpath(file, folder)).as_posix()) if file.is_file() else ""


def _means(summary: pd.DataFrame, *, num_runs: int) -> dict[MetricKey, MeanOverRuns]:
    """Return the rows of a summary by metric and scope."""
    means: dict[MetricKey, MeanOverRuns] = {}
    for row in summary.to_dict("records"):
        scope = str(row["class"]) or Aggregate(row["aggregate"])
        caveats = (
            () if row["n"] == num_runs else (EstimateCaveat(f"defined in {row['n']} of {num_runs} runs"),)
        )
        mean, low, high = (float(row[name]) for name in ("mean", "low", "high"))
        estimate = Estimate(str(row["metric"]), scope, mean, low, high, caveats)
        means[estimate.metric, scope] = MeanOverRuns(estimate, float(row["std"]))
    return means
