"""What an experiment's rows mean in runs, with the profile's and the user's words over each recipe."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.reproduction.data_sources import is_synthetic
from lesionlens.reproduction.jobs import Job, expand_jobs
from lesionlens.reproduction.profiles import Profile
from lesionlens.reproduction.runner import read_failure
from lesionlens.reproduction.spec import TableSpec
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.schema import Recipe

RunState = Literal["finished", "failed", "started", "missing"]


@dataclass(frozen=True)
class RunCell:
    """One run.

    Attributes
    ----------
    row, variant
        Of the experiment; rows of one and the same recipe share the folder of their runs.
    run, fold
        Which repeat, from 0, and which fold, if any: cells of two rows with the same run and fold are pairs.
    recipe
        As it is run: with the profile's words, one run, one fold.
    run_dir
        The run's folder; only of a ``finished`` cell does it hold everything.
    state
        How far it came.
    message
        Why it failed.
    """

    row: str
    variant: str
    run: int
    fold: int | None
    recipe: Recipe
    run_dir: RunDir
    state: RunState
    message: str = ""


@dataclass(frozen=True)
class TableResults:
    """An experiment and its cells.

    Attributes
    ----------
    name
        Of the experiment, such as ``arl/table5``.
    profile
        ``paper``, ``short`` or ``smoke``.
    artifact_sets
        Generated set by name -> data source.
    caveats
        What the profile and the data make different from the paper, in sentences.
    out
        Folder of the reproduction.
    protocol_overrides
        ``key=value`` words of the user that make the protocol another one than the paper's.
    command
        What makes it again.
    tap_aliases
        Place of a paper's network -> the one of the small network that stands for it, where one does.
    """

    name: str
    spec: TableSpec
    cells: tuple[RunCell, ...]
    profile: str
    artifact_sets: dict[str, str]
    caveats: tuple[str, ...]
    out: Path
    tap_aliases: Mapping[str, str] = field(default_factory=dict)
    protocol_overrides: tuple[str, ...] = ()
    command: str = ""

    def local_map_name(self, name: str) -> str:
        """Give the name that a map of the paper's network has in these runs.

        Examples
        --------
        >>> from lesionlens.reproduction.catalog import load_table_spec
        >>> table = load_table_spec("attnmel/table3.3")
        >>> results = TableResults("", table, (), "short", {}, (), Path(), {"pool4": "blocks.4"})
        >>> results.local_map_name("gate-pool4")
        'gate-blocks.4'
        """
        for place, ours in self.tap_aliases.items():
            name = name.replace(place, ours)
        return name

    def cells_for(self, row: str, variant: str = "", *, state: RunState = "finished") -> list[RunCell]:
        """Give the cells of a row's variant that are in a state, in order of run and fold."""
        found = [each for each in self.cells if (each.row, each.variant, each.state) == (row, variant, state)]
        return sorted(found, key=lambda each: (each.run, -1 if each.fold is None else each.fold))


SET_PREFIX = "set:"
PATH_KEYS = (  # keys that say where things lie and what computes
    "data", "data.source", "data.mask_dir", "data.cache", "data.cache_dir", "model.weights", "train.device",
    "train.num_workers", "train.num_threads", "train.compile",
)  # fmt: skip


@dataclass(frozen=True)
class ReproductionOptions:
    """What a user asked for.

    Attributes
    ----------
    profile
        The budget.
    out
        The reproduction's folder.
    repeats
        Repeats in place of the profile's and the recipes'.
    rows
        Names of rows, or patterns of them, that are run; none: all.
    overrides
        ``key=value`` words over every recipe, the last to count.
    device
        ``auto``, ``cpu`` or ``gpu``.
    """

    profile: Profile
    out: Path
    repeats: int | None = None
    rows: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    device: str = "auto"

    def protocol_overrides(self) -> tuple[str, ...]:
        """Give the words that change the protocol itself."""
        return tuple(word for word in self.overrides if word.partition("=")[0] not in PATH_KEYS)

    def command(self, name: str, dataset: str) -> str:
        """Give the command that makes one experiment again, from ``dataset`` if it is not ""."""
        given = ["--dataset", f"{dataset}:FOLDER"] if dataset else []
        runs = [] if self.repeats is None else ["--repeats", str(self.repeats)]
        words = [*self.overrides, "--profile", self.profile.name, *runs, *given]
        return shlex.join(["lesionlens", "reproduce", name, *words])


@dataclass(frozen=True)
class PlannedRun:
    """One run of one variant of one row."""

    row: str
    variant: str
    job: Job


@dataclass(frozen=True)
class TablePlan:
    """An experiment with its runs, all rows of it.

    Attributes
    ----------
    name
        Of the experiment.
    source
        Of its data set.
    artifact_sets
        Artifact set by name -> its source.
    runs
        Every row's, in order; rows of equal recipes have equal jobs.
    requested_rows
        Rows that are to be run now.
    """

    name: str
    spec: TableSpec
    source: str
    artifact_sets: dict[str, str]
    runs: tuple[PlannedRun, ...]
    requested_rows: tuple[str, ...]

    def jobs(self) -> list[Job]:
        """Give the different runs that are to be done now."""
        wanted = {each.job.key: each.job for each in self.runs if each.row in self.requested_rows}
        return list(wanted.values())

    def results(self, options: ReproductionOptions, caveats: Sequence[str]) -> TableResults:
        """Say how far each run is."""
        cells = tuple(self._run_cell(each, options.out) for each in self.runs)
        drawn = is_synthetic(self.source, options.out)
        return TableResults(
            self.name, self.spec, cells, options.profile.name, self.artifact_sets, tuple(caveats), options.out,
            tap_aliases=options.profile.tap_aliases, protocol_overrides=options.protocol_overrides(),
            command=options.command(self.name, "" if drawn else self.spec.dataset),
        )  # fmt: skip

    def _run_cell(self, planned: PlannedRun, out: Path) -> RunCell:
        job = planned.job
        folder, message = job.run_dir(out), read_failure(out, job.key)
        state: RunState = "missing"
        if job.is_finished(out):
            state, message = "finished", ""
        elif message:
            state = "failed"
        elif folder.exists():
            state = "started"  # killed, or another process is at it
        return RunCell(planned.row, planned.variant, job.run, job.fold, job.recipe, folder, state, message)


def make_plan(
    name: str,
    spec: TableSpec,
    source: str,
    options: ReproductionOptions,
    *,
    artifact_sets: Mapping[str, str],
    mask_dir: str | None,
) -> TablePlan:
    """Lay out every run of an experiment.

    Parameters
    ----------
    source, artifact_sets
        Of its data set, and of its planted sets.
    mask_dir
        Folder of lesion masks for recipes that take such a folder; None: as they say.

    Raises
    ------
    RecipeError
        A word or a pattern of rows that does not fit.
    """
    found = [
        PlannedRun(row.name, variant, job)
        for row in spec.rows
        for variant, recipe in spec.recipes_of(row).items()
        for job in _row_jobs(
            f"{name}:{recipe.slug}",
            recipe.base,
            spec,
            options,
            _DataPaths(source, dict(artifact_sets), mask_dir),
        )
    ]
    return TablePlan(name, spec, source, dict(artifact_sets), tuple(found), _select_rows(spec, options.rows))


@dataclass(frozen=True)
class _DataPaths:
    source: str
    artifact_sets: dict[str, str]
    mask_dir: str | None

    def overrides(self, source: str) -> Iterator[str]:
        """Say where a recipe's images lie; a recipe that names a set of the experiment gets that one."""
        if source.startswith(SET_PREFIX):
            chosen = source.removeprefix(SET_PREFIX)
            if chosen not in self.artifact_sets:
                raise RecipeError(unknown_name_message("artifact set", chosen, self.artifact_sets))
            yield f"data.source={self.artifact_sets[chosen]}"
        else:
            yield f"data.source={self.source}"
        if self.mask_dir is not None:
            yield f"data.mask_dir={self.mask_dir}"


def _row_jobs(
    name: str, base: str, spec: TableSpec, options: ReproductionOptions, paths: _DataPaths
) -> list[Job]:
    """Expand a row's recipe with the overrides of row, profile, data paths and user, the last to count."""
    recipe = load_recipe(name)
    known = paths if recipe.data.mask_dir else _DataPaths(paths.source, paths.artifact_sets, None)
    said = [*options.profile.overrides(base, recipe), *known.overrides(recipe.data.source)]
    if options.profile.name == "short":
        said += spec.short_overrides
    said += [f"data.cache_dir={options.out / 'cache'}", f"train.device={options.device}"]
    said.append(f"num_repeats={options.profile.resolve_repeats(recipe, options.repeats)}")
    return expand_jobs(load_recipe(name, [*said, *options.overrides]), options.out)


def _select_rows(spec: TableSpec, patterns: tuple[str, ...]) -> tuple[str, ...]:
    rows = [row.name for row in spec.rows if row.recipe]
    return tuple(row for row in rows if not patterns or any(fnmatch(row, pattern) for pattern in patterns))
