"""Reproduction of tables and figures: plan the runs, execute or resume them, and write pages of the results."""

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from lesionlens.core.console import activity, print_line
from lesionlens.core.errors import DataError, LesionLensError, RecipeError, RunError, unknown_name_message
from lesionlens.core.fileio import file_lock
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import LesionTable
from lesionlens.reproduction.catalog import load_table_variants, match_tables
from lesionlens.reproduction.class_counts import count_rows, counted_datasets
from lesionlens.reproduction.data_sources import (
    get_artifact_sets,
    is_synthetic,
    parse_sources,
    resolve_mask_source,
    resolve_source,
)
from lesionlens.reproduction.html_page import write_page
from lesionlens.reproduction.jobs import Job
from lesionlens.reproduction.mask_steps import MaskStep, SegmenterStep, plan_masks
from lesionlens.reproduction.measurements import COLUMN_METRICS
from lesionlens.reproduction.plan_data import PlanData
from lesionlens.reproduction.planner import ReproductionOptions, TablePlan, TableResults, make_plan
from lesionlens.reproduction.protocol_differences import (
    dataset_differences,
    describe_extra_images,
    merge_differences,
    run_differences,
)
from lesionlens.reproduction.run_state import clear_failure, write_failure
from lesionlens.reproduction.runner import RunSummary, Step, run_jobs
from lesionlens.reproduction.segmenter_spec import SegmenterSpec
from lesionlens.reproduction.spec import TableSpec
from lesionlens.reproduction.table_variants import TableVariant, split_variant
from lesionlens.runs.recipe_files import is_yaml_path
from lesionlens.training.setup import SYNTHETIC_DATA_NOTICE


@dataclass(frozen=True)
class Reproduction:
    """Planned tables, ready to be run.

    Attributes
    ----------
    options
        Options of the reproduction.
    plans
        Plan of each table.
    skipped
        Tables that cannot be run, each with the reason.
    data
        Tables and splits that were read for the plan.
    """

    options: ReproductionOptions
    plans: tuple[TablePlan, ...]
    skipped: dict[str, str]
    data: PlanData

    def jobs(self) -> list[Job]:
        """Return the distinct runs of all tables, in order; identical rows of several tables are run once."""
        return list({job.key: job for plan in self.plans for job in plan.jobs()}.values())

    def mask_steps(self) -> list[SegmenterStep | MaskStep]:
        """Return the distinct steps that make the masks of the runs, in order."""
        masks = [job.requires for job in self.jobs() if job.requires]
        return list({step.key: step for mask in masks for step in (mask.requires, mask)}.values())

    def steps(self) -> list[Step]:
        """Return the steps that make masks, then the runs."""
        return [*self.mask_steps(), *self.jobs()]

    def clear_failures(self) -> None:
        """Delete the records of failed runs, so that the first process that gets to one runs it again."""
        for step in self.steps():
            clear_failure(self.options.out, step.key)

    def run_jobs(self, console: Console) -> RunSummary:
        """Execute all runs that are not finished, after the steps that make their masks."""
        return run_jobs(self.steps(), self.options.out, console=console)

    def write_pages(self, console: Console) -> tuple[str, ...]:
        """Write the page of each table from its finished runs.

        Returns
        -------
        tuple of str
            Keys of pages that could not be written; `read_failure` returns the reason. All others are written.
        """
        failed = []
        for plan in self.plans:
            key = f"page-{page_name(plan.name)}"
            clear_failure(self.options.out, key)
            try:
                with activity(console, f"measuring for the page {page_name(plan.name)}"):
                    path = self._write_page(plan)
                print_line(console, f"page: {path}")
            except Exception as error:  # any error: the other pages are still written
                write_failure(self.options.out, key, error)
                failed.append(key)
        return tuple(failed)

    def _write_page(self, plan: TablePlan) -> Path:
        """Write one page under a lock: a process that waits for it reuses the measurements of the first."""
        folder = self.options.out / "pages" / page_name(plan.name)
        with file_lock(folder.with_name(f".{folder.name}.lock")):
            return write_page(_read_results(plan, self.options, self.data), folder)


def plan_reproduction(
    names: Sequence[str],
    sources: Sequence[str],
    options: ReproductionOptions,
    console: Console,
    *,
    variant: TableVariant = "paper",
    dry_run: bool = False,
) -> Reproduction:
    """Load tables, find or generate their images, and plan their runs.

    Parameters
    ----------
    names
        Names or patterns of tables, as for `match_tables`.
    sources
        Data sources, ``NAME:ROOT``.
    variant
        Protocol of the tables that are named without a variant.
    dry_run
        Only plan: artifact sets are not generated.

    Raises
    ------
    LesionLensError
        A name, source, row pattern or override is invalid, or no table can be run.
    """
    specs, skipped = load_table_variants(match_tables(names), variant)
    source_by_dataset = parse_sources(sources)
    _check_request(specs, source_by_dataset)
    plans, data = [], PlanData()
    for name, spec in specs.items():
        try:
            source = resolve_source(
                spec, source_by_dataset, options.profile, options.out, console, load=data.load
            )
        except LesionLensError as error:
            skipped[name] = str(error)
            continue
        masks = _plan_masks(spec, source, source_by_dataset, options, console)
        plan = _plan_table(name, spec, source, options, console, masks=masks, dry_run=dry_run)
        plan = replace(
            plan, count_sources=_count_sources(spec, source_by_dataset, options, console, load=data.load)
        )
        for copy in plan.artifact_sets.values():
            data.add_missing_copy(copy, source)
        plans.append(plan)
    if not plans:
        raise RunError("\n".join(dict.fromkeys(skipped.values())))
    rows = list(dict.fromkeys(row.name for plan in plans for row in plan.spec.rows if row.recipe))
    for pattern in options.rows:
        if not fnmatch.filter(rows, pattern):
            raise RecipeError("\n  ".join([f"--rows {pattern} matches none of the rows:", *rows]))
    return Reproduction(options, tuple(plans), skipped, data)


def _count_sources(
    spec: TableSpec,
    sources: Mapping[str, str],
    options: ReproductionOptions,
    console: Console,
    *,
    load: Callable[[str], LesionTable],
) -> dict[str, str]:
    """Return the data source of each row whose images are counted, as far as its dataset is available."""
    available = {}
    for row, counts in counted_datasets(spec).items():
        with suppress(DataError):  # the page asks for the dataset
            available[row] = resolve_source(
                spec.model_copy(update={"dataset": counts.dataset}),
                dict(sources),
                options.profile,
                options.out,
                console,
                load=load,
            )
    return available


def page_name(name: str) -> str:
    """Return the name of a table's page folder: ``patch-table2``, or the name of a YAML file.

    Examples
    --------
    >>> page_name("patch/table2"), page_name("patch/table2@authors"), page_name("tables/mine.yaml")
    ('patch-table2', 'patch-table2-authors', 'mine')
    """
    table, variant = split_variant(name)
    stem = Path(table).stem if is_yaml_path(table) else table.replace("/", "-")
    return stem if variant == "paper" else f"{stem}-{variant}"


def _check_request(specs: Mapping[str, TableSpec], sources: Mapping[str, str]) -> None:
    """Reject early what would fail only at the end: unknown metrics, unused datasets, two pages in one folder."""
    for name, spec in specs.items():
        for column in spec.columns:
            if column.metric and column.metric not in COLUMN_METRICS:
                raise RecipeError(
                    f"{name}, column {column.name}: {unknown_name_message('metric', column.metric, COLUMN_METRICS)}"
                )
    datasets = {spec.dataset for spec in specs.values()}
    datasets |= {counts.dataset for spec in specs.values() for counts in counted_datasets(spec).values()}
    datasets |= {
        spec.segmenter.dataset for spec in specs.values() if isinstance(spec.segmenter, SegmenterSpec)
    }
    for dataset, source in sources.items():
        if dataset not in datasets:
            raise DataError(
                f"--dataset {source} is used by none of these tables; they use {', '.join(sorted(datasets))}"
            )
    pages = {page_name(name): name for name in specs}
    for name in specs:
        if pages[page_name(name)] != name:
            raise RecipeError(
                f"{name} and {pages[page_name(name)]} would write the same page; rename one of them"
            )


def _plan_table(
    name: str,
    spec: TableSpec,
    source: str,
    options: ReproductionOptions,
    console: Console,
    *,
    masks: MaskStep | None,
    dry_run: bool,
) -> TablePlan:
    data_dir, synthetic = options.out / "data", is_synthetic(source, options.out)
    stem = Path(source.rpartition(":")[2]).name if synthetic else spec.dataset
    sets = get_artifact_sets(
        spec.artifact_sets, source, data_dir / f"{stem}-artifacts", console=console, dry_run=dry_run
    )
    return make_plan(name, spec, source, options, artifact_sets=sets, masks=masks)


def _plan_masks(
    spec: TableSpec, source: str, sources: Mapping[str, str], options: ReproductionOptions, console: Console
) -> MaskStep | None:
    """Return the step that predicts the masks of a table; None if its rows need no predicted masks."""
    if not isinstance(spec.segmenter, SegmenterSpec):
        return None
    training_source = resolve_mask_source(
        spec.segmenter.dataset, source, sources, options.profile, options.out, console
    )
    return plan_masks(
        spec.segmenter, source, training_source, options.profile, options.out, device=options.device
    )


def _read_results(plan: TablePlan, options: ReproductionOptions, data: PlanData) -> TableResults:
    """Return the state of each run, with everything in which the runs differ from the paper's protocol."""
    differences = _protocol_differences(plan, options, data) if options.profile.name == "paper" else ()
    results = plan.results(options, list(_protocol_caveats(plan, options, differences)), differences)
    return replace(results, class_counts=count_rows(plan.spec, plan.count_sources, data.load))


def _protocol_differences(plan: TablePlan, options: ReproductionOptions, data: PlanData) -> tuple[str, ...]:
    """Return the differences of a table's planned and finished runs, and of its dataset."""
    by_row: dict[str, list[str]] = {planned.row: [] for planned in plan.runs}
    for planned in plan.runs:
        by_row[planned.row] += planned.protocol_differences
        if planned.job.is_finished(options.out):
            by_row[planned.row] += _finished_differences(planned.job, options, data)
    sources = dict.fromkeys([plan.source, *plan.count_sources.values(), *_mask_sources(plan)])
    incomplete = [text for source in sources for text in dataset_differences(data.load(source))]
    return (*incomplete, *merge_differences(by_row))


def _mask_sources(plan: TablePlan) -> Iterator[str]:
    """Yield the data source on which the segmentation model of each run's masks is trained."""
    for job in plan.jobs():
        if job.requires and job.requires.requires.source:
            yield job.requires.requires.source


def _finished_differences(job: Job, options: ReproductionOptions, data: PlanData) -> list[str]:
    """Return the differences of a finished run; data that cannot be read any more is one."""
    try:
        table = data.read(job.recipe).table
    except LesionLensError as error:
        return [f"data that cannot be read now: {error}"]
    return list(run_differences(job.run_dir(options.out).metadata(), table.fingerprint()))


def _extra_image_caveats(plan: TablePlan, options: ReproductionOptions) -> Iterable[str]:
    """Return how many extra training images each class has in the finished runs, and in the paper."""
    jobs = [job for job in plan.jobs() if job.recipe.data.extra_train and job.is_finished(options.out)]
    counts = [job.run_dir(options.out).metadata()["data"].get("extra_train") for job in jobs]
    return dict.fromkeys(
        describe_extra_images(added, plan.spec.extra_train)
        for added in counts
        if added and plan.spec.extra_train
    )


def _protocol_caveats(
    plan: TablePlan, options: ReproductionOptions, differences: Sequence[str]
) -> Iterable[str]:
    """Yield a sentence for each difference from the paper's protocol."""
    if differences:
        yield f"Not comparable with the paper, because these runs differ from its protocol: {'; '.join(differences)}."
    if options.profile.name != "paper":
        yield options.profile.summary
    sources = {plan.source, *plan.count_sources.values()}
    if any((load_table(source).frame["source"] == "synthetic").any() for source in sources):
        yield SYNTHETIC_DATA_NOTICE
    yield from _extra_image_caveats(plan, options)
    if options.overrides and not differences:
        yield f"Overrides of every recipe: {' '.join(options.overrides)}."
    if options.profile.name == "short" and plan.spec.short_overrides:
        yield f"Overrides of the profile: {' '.join(plan.spec.short_overrides)}."
