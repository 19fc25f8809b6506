"""Tables and figures from names to pages: planned, run, resumed, set beside what was published."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from lesionlens.data.datasets import load_table
from lesionlens.errors import LesionLensError, RecipeError, RunError
from lesionlens.experiments.catalogue import matching, read_experiment
from lesionlens.experiments.experiment import Experiment
from lesionlens.experiments.generated import mask_folder, planted_sets
from lesionlens.experiments.job import Job
from lesionlens.experiments.page import write_page
from lesionlens.experiments.plan import Ask, Plan, plan
from lesionlens.experiments.sources import given, source_of
from lesionlens.experiments.work import Worked, work
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

    def work(self, *, retry: bool, console: Console) -> Worked:
        """Do what is not done."""
        return work(self.jobs(), self.ask.out, retry=retry, console=console)

    def write_pages(self, console: Console) -> list[Path]:
        """Write the page of each experiment from what is finished.

        A page that cannot be written is told, and the others are written.

        Raises
        ------
        RunError
            At the end, where there was such a page.
        """
        written, failed = [], []
        for each in self.plans:
            place = self.ask.out / "pages" / each.name.replace("/", "-")
            try:
                written.append(write_page(each.results(self.ask, list(_remarks(each, self.ask))), place))
                console.print(f"page: {written[-1]}", highlight=False, soft_wrap=True)
            except LesionLensError as error:
                failed.append(f"{each.name}: {error}")
        if failed:
            raise RunError("\n".join([f"{len(failed)} pages could not be written:", *failed]))
        return written


def prepare_reproduction(
    names: Sequence[str], sources: Sequence[str], ask: Ask, console: Console
) -> Reproduction:
    """Read the experiments, find or draw their images, and lay out their runs.

    Raises
    ------
    LesionLensError
        Names, sources, rows or words that do not fit; no experiment that could be run.
    """
    chosen, known = matching(names), given(sources)
    plans, without = [], {}
    for name in chosen:
        experiment = read_experiment(name)
        try:
            source = source_of(experiment, known, ask.profile, ask.out, console)
        except LesionLensError as error:
            without[name] = str(error)
            continue
        plans.append(_plan(name, experiment, source, ask, console))
    if not plans:
        raise RunError("\n".join(dict.fromkeys(without.values())))
    if not any(each.asked for each in plans):
        rows = [row.name for each in plans for row in each.experiment.rows if row.parts]
        raise RecipeError(f"--only {' '.join(ask.only)} fits none of the rows: {', '.join(rows)}")
    return Reproduction(ask, tuple(plans), without)


def _plan(name: str, experiment: Experiment, source: str, ask: Ask, console: Console) -> Plan:
    inside, root = ask.out / "data", Path(source.rpartition(":")[2])
    drawn = root.absolute().is_relative_to(inside.absolute())
    stem = root.name if drawn else experiment.data
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
