"""What an experiment's rows mean in runs, with the profile's and the user's words over each recipe."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from lesionlens.errors import RecipeError, unknown
from lesionlens.experiments.experiment import Experiment
from lesionlens.experiments.job import Job, jobs
from lesionlens.experiments.profile import Profile
from lesionlens.experiments.results import Cell, Results, State
from lesionlens.experiments.row import Row
from lesionlens.experiments.sources import is_drawn
from lesionlens.experiments.work import failure
from lesionlens.training.read_recipe import read_recipe

SET = "set:"
WHERE = ("data", "data.source", "data.masks", "data.store", "data.store_folder", "model.weights", "train.device",
         "train.workers", "train.threads",
         "train.compile")  # words that say where things lie and what computes  # fmt: skip


@dataclass(frozen=True)
class Ask:
    """What a user asked for.

    Attributes
    ----------
    profile
        The budget.
    out
        The reproduction's folder.
    runs
        Repeats in place of the profile's and the recipes'.
    only
        Names of rows, or patterns of them, that are run; none: all.
    words
        ``key=value`` words over every recipe, the last to count.
    device
        ``auto``, ``cpu`` or ``gpu``.
    """

    profile: Profile
    out: Path
    runs: int | None = None
    only: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    device: str = "auto"

    def changed(self) -> tuple[str, ...]:
        """Give the words that change the protocol itself."""
        return tuple(word for word in self.words if word.partition("=")[0] not in WHERE)

    def command(self, name: str, data: str) -> str:
        """Give the command that makes one experiment again, from ``data`` if it is not ""."""
        given = ["--data", f"{data}:FOLDER"] if data else []
        runs = [] if self.runs is None else ["--runs", str(self.runs)]
        words = [*self.words, "--profile", self.profile.name, *runs, *given]
        return shlex.join(["lesionlens", "reproduce", name, *words])


@dataclass(frozen=True)
class Planned:
    """One run of one part of one row."""

    row: str
    part: str
    job: Job


@dataclass(frozen=True)
class Plan:
    """An experiment with its runs, all rows of it.

    Attributes
    ----------
    name
        Of the experiment.
    source
        Of its data set.
    sets
        Planted set by name -> its source.
    runs
        Every row's, in order; rows of equal recipes have equal jobs.
    asked
        Rows that are to be run now.
    """

    name: str
    experiment: Experiment
    source: str
    sets: dict[str, str]
    runs: tuple[Planned, ...]
    asked: tuple[str, ...]

    def jobs(self) -> list[Job]:
        """Give the different runs that are to be done now."""
        wanted = {each.job.key: each.job for each in self.runs if each.row in self.asked}
        return list(wanted.values())

    def results(self, ask: Ask, remarks: Sequence[str]) -> Results:
        """Say how far each run is."""
        cells = tuple(self._cell(each, ask.out) for each in self.runs)
        drawn = is_drawn(self.source, ask.out)
        return Results(
            self.name, self.experiment, cells, ask.profile.name, self.sets, tuple(remarks), ask.out,
            places=ask.profile.places, changed=ask.changed(),
            command=ask.command(self.name, "" if drawn else self.experiment.data),
        )  # fmt: skip

    def _cell(self, each: Planned, out: Path) -> Cell:
        job = each.job
        folder, message = job.folder(out), failure(out, job.key)
        state: State = "missing"
        if job.finished(out):
            state, message = "finished", ""
        elif message:
            state = "failed"
        elif folder.is_there():
            state = "begun"  # killed, or another process is at it
        return Cell(each.row, each.part, job.run, job.fold, job.recipe, folder, state, message)


def plan(
    name: str, experiment: Experiment, source: str, ask: Ask, *, sets: Mapping[str, str], masks: str | None
) -> Plan:
    """Lay out every run of an experiment.

    Parameters
    ----------
    source, sets
        Of its data set, and of its planted sets.
    masks
        Folder of lesion masks for recipes that take such a folder; None: as they say.

    Raises
    ------
    RecipeError
        A word or a pattern of rows that does not fit.
    """
    found = [
        Planned(row.name, part, job)
        for row in experiment.rows
        for part, recipe in row.parts.items()
        for job in _jobs(recipe, row, experiment, ask, _Place(source, dict(sets), masks))
    ]
    return Plan(name, experiment, source, dict(sets), tuple(found), _asked(experiment, ask.only))


@dataclass(frozen=True)
class _Place:
    source: str
    sets: dict[str, str]
    masks: str | None

    def words(self, source: str) -> Iterator[str]:
        """Say where a recipe's images lie; a recipe that names a set of the experiment gets that one."""
        if source.startswith(SET):
            chosen = source.removeprefix(SET)
            if chosen not in self.sets:
                raise RecipeError(unknown("set of the experiment", chosen, self.sets))
            yield f"data.source={self.sets[chosen]}"
        else:
            yield f"data.source={self.source}"
        if self.masks is not None:
            yield f"data.masks={self.masks}"


def _jobs(name: str, row: Row, experiment: Experiment, ask: Ask, place: _Place) -> list[Job]:
    """Read a recipe with the row's words, then those of profile, place and user."""
    recipe = read_recipe(name, row.overrides)
    known = place if recipe.data.masks else _Place(place.source, place.sets, None)
    said = [*row.overrides, *ask.profile.words(name, recipe), *known.words(recipe.data.source)]
    if ask.profile.name == "short":
        said += experiment.short
    said += [f"data.store_folder={ask.out / 'store'}", f"train.device={ask.device}"]
    said.append(f"runs={ask.profile.repeats(recipe, ask.runs)}")
    return jobs(read_recipe(name, [*said, *ask.words]), ask.out)


def _asked(experiment: Experiment, only: tuple[str, ...]) -> tuple[str, ...]:
    rows = [row.name for row in experiment.rows if row.parts]
    return tuple(row for row in rows if not only or any(fnmatch(row, pattern) for pattern in only))
