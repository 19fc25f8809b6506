"""Tables and figures from names to pages: planned, run, resumed, set beside what was published."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lesionlens.core.errors import DataError, LesionLensError, RecipeError, RunError, unknown_name_message
from lesionlens.core.fileio import file_lock
from lesionlens.datasets.registry import load_table
from lesionlens.reproduction.catalog import load_table_spec, match_tables
from lesionlens.reproduction.data_sources import (
    get_artifact_sets,
    is_synthetic,
    make_noisy_masks,
    parse_sources,
    resolve_source,
)
from lesionlens.reproduction.html_page import write_page
from lesionlens.reproduction.jobs import Job
from lesionlens.reproduction.measurements import COLUMN_METRICS
from lesionlens.reproduction.planner import ReproductionOptions, TablePlan, make_plan
from lesionlens.reproduction.runner import RunSummary, clear_failure, run_jobs, write_failure
from lesionlens.reproduction.spec import TableSpec
from lesionlens.runs.load import load_recipe
from lesionlens.runs.recipe_files import is_yaml_path
from lesionlens.training.setup import SYNTHETIC_DATA_NOTICE


@dataclass(frozen=True)
class Reproduction:
    """Experiments, ready to be run.

    Attributes
    ----------
    options
        What was asked for.
    plans
        One for each experiment.
    skipped
        Experiments that cannot be run, each with the reason.
    """

    options: ReproductionOptions
    plans: tuple[TablePlan, ...]
    skipped: dict[str, str]

    def jobs(self) -> list[Job]:
        """Give the different runs of all experiments, in order; equal rows of several tables are run once."""
        return list({job.key: job for each in self.plans for job in each.jobs()}.values())

    def clear_failures(self) -> None:
        """Forget which runs failed before, so that they are run again, once, by whichever process comes first."""
        for job in self.jobs():
            clear_failure(self.options.out, job.key)

    def run_jobs(self, console: Console) -> RunSummary:
        """Do what is not done."""
        return run_jobs(self.jobs(), self.options.out, console=console)

    def write_pages(self, console: Console) -> tuple[str, ...]:
        """Write the page of each experiment from what is finished.

        Returns
        -------
        tuple of str
            Pages that could not be written: `read_failure` says why. The others are written.
        """
        failed = []
        for each in self.plans:
            key = f"page-{page_name(each.name)}"
            clear_failure(self.options.out, key)
            try:
                written = self._write_page(each)
                console.print(f"page: {written}", highlight=False, soft_wrap=True)
            except Exception as error:  # whatever it is, the other pages are worth having
                write_failure(self.options.out, key, error)
                failed.append(key)
        return tuple(failed)

    def _write_page(self, plan: TablePlan) -> Path:
        """Write one page; who waits for it here takes up what the first has measured, and all that is done by then."""
        place = self.options.out / "pages" / page_name(plan.name)
        with file_lock(place.with_name(f".{place.name}.lock")):
            return write_page(plan.results(self.options, list(_protocol_caveats(plan, self.options))), place)


def plan_reproduction(
    names: Sequence[str], sources: Sequence[str], options: ReproductionOptions, console: Console
) -> Reproduction:
    """Read the experiments, find or draw their images, and lay out their runs.

    Raises
    ------
    LesionLensError
        Names, sources, rows or words that do not fit; no experiment that could be run.
    """
    chosen, known = {name: load_table_spec(name) for name in match_tables(names)}, parse_sources(sources)
    _check_request(chosen, known)
    plans, without = [], {}
    for name, experiment in chosen.items():
        try:
            source = resolve_source(experiment, known, options.profile, options.out, console)
        except LesionLensError as error:
            without[name] = str(error)
            continue
        plans.append(_plan_table(name, experiment, source, options, console))
    if not plans:
        raise RunError("\n".join(dict.fromkeys(without.values())))
    rows = list(dict.fromkeys(row.name for each in plans for row in each.spec.rows if row.recipe))
    for pattern in options.rows:
        if not fnmatch.filter(rows, pattern):
            raise RecipeError(f"--rows {pattern} fits none of the rows: {', '.join(rows)}")
    return Reproduction(options, tuple(plans), without)


def page_name(name: str) -> str:
    """Give the folder of an experiment's page: ``patch-table2``, or the name of a YAML file.

    Examples
    --------
    >>> page_name("patch/table2"), page_name("tables/mine.yaml")
    ('patch-table2', 'mine')
    """
    return Path(name).stem if is_yaml_path(name) else name.replace("/", "-")


def _check_request(specs: Mapping[str, TableSpec], sources: Mapping[str, str]) -> None:
    """Refuse what would come out at the end alone: columns of no measure, data for nothing, two pages in one place."""
    for name, experiment in specs.items():
        for metric in experiment.columns:
            if metric.metric and metric.metric not in COLUMN_METRICS:
                raise RecipeError(
                    f"{name}, column {metric.name}: {unknown_name_message('metric', metric.metric, COLUMN_METRICS)}"
                )
    wanted = {experiment.dataset for experiment in specs.values()}
    for data, source in sources.items():
        if data not in wanted:
            raise DataError(
                f"--dataset {source} is for none of these tables, which take {', '.join(sorted(wanted))}"
            )
    pages = {page_name(name): name for name in specs}
    for name in specs:
        if pages[page_name(name)] != name:
            raise RecipeError(f"{name} and {pages[page_name(name)]} would have one page; rename one of them")


def _plan_table(
    name: str, spec: TableSpec, source: str, options: ReproductionOptions, console: Console
) -> TablePlan:
    inside, drawn = options.out / "data", is_synthetic(source, options.out)
    stem = Path(source.rpartition(":")[2]).name if drawn else spec.dataset
    sets = get_artifact_sets(spec.artifact_sets, source, inside / f"{stem}-artifacts", console=console)
    masks = (
        make_noisy_masks(source, inside / f"{stem}-noisy-masks")
        if drawn and _uses_mask_dir(name, spec)
        else None
    )
    return make_plan(
        name, spec, source, options, artifact_sets=sets, mask_dir=None if masks is None else str(masks)
    )


def _uses_mask_dir(name: str, spec: TableSpec) -> bool:
    """Say whether a recipe takes a folder of lesion masks, which a segmentation network has drawn."""
    recipes = (recipe for row in spec.rows for recipe in spec.recipes_of(row).values())
    return any(load_recipe(f"{name}:{recipe.slug}").data.mask_dir for recipe in recipes)


def _protocol_caveats(plan: TablePlan, options: ReproductionOptions) -> Iterable[str]:
    """Say what differs from the paper's own protocol."""
    if options.profile.name != "paper":
        yield options.profile.summary
    if (load_table(plan.source).frame["source"] == "synthetic").any():
        yield SYNTHETIC_DATA_NOTICE
    if options.overrides:
        yield f"Over every recipe: {' '.join(options.overrides)}."
    if options.profile.name == "short" and plan.spec.short_overrides:
        yield f"Over the profile: {' '.join(plan.spec.short_overrides)}."
