"""Tables and figures from names to pages: planned, run, resumed, set beside what was published."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from rich.console import Console

from lesionlens.data.datasets import load_table
from lesionlens.errors import DataError, LesionLensError, RecipeError, RunError, unknown
from lesionlens.experiments.catalogue import is_file, matching, read_experiment
from lesionlens.experiments.experiment import Experiment
from lesionlens.experiments.generated import mask_folder, planted_sets
from lesionlens.experiments.job import Job
from lesionlens.experiments.measured import MEASURES
from lesionlens.experiments.page import write_page
from lesionlens.experiments.plan import Ask, Plan, plan
from lesionlens.experiments.sources import given, is_drawn, source_of
from lesionlens.experiments.work import Worked, forget_failure, work, write_failure
from lesionlens.training.prepared import SYNTHETIC
from lesionlens.training.read_recipe import read_recipe


@dataclass(frozen=True)
class Reproduction:
    """Experiments, ready to be run.

    Attributes
    ----------
    ask
        What was asked for.
    plans
        One for each experiment.
    without
        Experiments that cannot be run, each with the reason.
    """

    ask: Ask
    plans: tuple[Plan, ...]
    without: dict[str, str]

    def jobs(self) -> list[Job]:
        """Give the different runs of all experiments, in order; equal rows of several tables are run once."""
        return list({job.key: job for each in self.plans for job in each.jobs()}.values())

    def retry(self) -> None:
        """Forget which runs failed before, so that they are run again, once, by whichever process comes first."""
        for job in self.jobs():
            forget_failure(self.ask.out, job.key)

    def work(self, console: Console) -> Worked:
        """Do what is not done."""
        return work(self.jobs(), self.ask.out, console=console)

    def write_pages(self, console: Console) -> tuple[str, ...]:
        """Write the page of each experiment from what is finished.

        Returns
        -------
        tuple of str
            Pages that could not be written: `failure` says why. The others are written.
        """
        failed = []
        for each in self.plans:
            key = f"page-{page_name(each.name)}"
            forget_failure(self.ask.out, key)
            try:
                written = self._write_page(each)
                console.print(f"page: {written}", highlight=False, soft_wrap=True)
            except Exception as error:  # whatever it is, the other pages are worth having
                write_failure(self.ask.out, key, error)
                failed.append(key)
        return tuple(failed)

    def _write_page(self, each: Plan) -> Path:
        """Write one page; who waits for it here takes up what the first has measured, and all that is done by then."""
        place = self.ask.out / "pages" / page_name(each.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_name(f".{place.name}.lock")):
            return write_page(each.results(self.ask, list(_remarks(each, self.ask))), place)


def prepare_reproduction(
    names: Sequence[str], sources: Sequence[str], ask: Ask, console: Console
) -> Reproduction:
    """Read the experiments, find or draw their images, and lay out their runs.

    Raises
    ------
    LesionLensError
        Names, sources, rows or words that do not fit; no experiment that could be run.
    """
    chosen, known = {name: read_experiment(name) for name in matching(names)}, given(sources)
    _check(chosen, known)
    plans, without = [], {}
    for name, experiment in chosen.items():
        try:
            source = source_of(experiment, known, ask.profile, ask.out, console)
        except LesionLensError as error:
            without[name] = str(error)
            continue
        plans.append(_plan(name, experiment, source, ask, console))
    if not plans:
        raise RunError("\n".join(dict.fromkeys(without.values())))
    rows = list(dict.fromkeys(row.name for each in plans for row in each.experiment.rows if row.parts))
    for pattern in ask.only:
        if not fnmatch.filter(rows, pattern):
            raise RecipeError(f"--only {pattern} fits none of the rows: {', '.join(rows)}")
    return Reproduction(ask, tuple(plans), without)


def page_name(name: str) -> str:
    """Give the folder of an experiment's page: ``patch-table2``, or the name of a YAML file.

    Examples
    --------
    >>> page_name("patch/table2"), page_name("tables/mine.yaml")
    ('patch-table2', 'mine')
    """
    return Path(name).stem if is_file(name) else name.replace("/", "-")


def _check(chosen: Mapping[str, Experiment], known: Mapping[str, str]) -> None:
    """Refuse what would come out at the end alone: columns of no measure, data for nothing, two pages in one place."""
    for name, experiment in chosen.items():
        for metric in experiment.metrics:
            if metric.metric and metric.metric not in MEASURES:
                raise RecipeError(
                    f"{name}, column {metric.name}: {unknown('metric', metric.metric, MEASURES)}"
                )
    wanted = {experiment.data for experiment in chosen.values()}
    for data, source in known.items():
        if data not in wanted:
            raise DataError(
                f"--data {source} is for none of these tables, which take {', '.join(sorted(wanted))}"
            )
    pages = {page_name(name): name for name in chosen}
    for name in chosen:
        if pages[page_name(name)] != name:
            raise RecipeError(f"{name} and {pages[page_name(name)]} would have one page; rename one of them")


def _plan(name: str, experiment: Experiment, source: str, ask: Ask, console: Console) -> Plan:
    inside, drawn = ask.out / "data", is_drawn(source, ask.out)
    stem = Path(source.rpartition(":")[2]).name if drawn else experiment.data
    sets = planted_sets(experiment.sets, source, inside / f"{stem}-planted", console=console)
    masks = mask_folder(source, inside / f"{stem}-masks") if drawn and _wants_masks(experiment) else None
    return plan(name, experiment, source, ask, sets=sets, masks=None if masks is None else str(masks))


def _wants_masks(experiment: Experiment) -> bool:
    """Say whether a recipe takes a folder of lesion masks, which a segmentation network has drawn."""
    parts = ((row, recipe) for row in experiment.rows for recipe in row.parts.values())
    return any(read_recipe(recipe, row.overrides).data.masks for row, recipe in parts)


def _remarks(each: Plan, ask: Ask) -> Iterable[str]:
    """Say what differs from the paper's own protocol."""
    if ask.profile.name != "paper":
        yield ask.profile.statement
    if (load_table(each.source).frame["source"] == "synthetic").any():
        yield SYNTHETIC
    if ask.words:
        yield f"Over every recipe: {' '.join(ask.words)}."
    if ask.profile.name == "short" and each.experiment.short:
        yield f"Over the profile: {' '.join(each.experiment.short)}."
