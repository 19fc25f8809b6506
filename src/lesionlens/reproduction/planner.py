"""Planning of a table: the runs of its rows, with the overrides of profile and user, and the state of each run."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from lesionlens.core.errors import RecipeError, unknown_name_message
from lesionlens.reproduction.data_sources import is_synthetic
from lesionlens.reproduction.jobs import Job, expand_jobs
from lesionlens.reproduction.mask_steps import MaskStep
from lesionlens.reproduction.profiles import Profile
from lesionlens.reproduction.protocol_differences import recipe_differences
from lesionlens.reproduction.run_state import read_failure
from lesionlens.reproduction.spec import TableSpec
from lesionlens.reproduction.table_variants import TableVariant, split_variant, table_code_differences
from lesionlens.runs.authors_code import CodeDifference
from lesionlens.runs.load import load_recipe
from lesionlens.runs.run_dir import RunDir
from lesionlens.runs.schema import Recipe

RunState = Literal["finished", "failed", "started", "missing"]

SET_PREFIX = "set:"


@dataclass(frozen=True)
class RunCell:
    """A run of a row.

    Attributes
    ----------
    row, variant
        Row of the table and its variant; rows with identical recipes share the folders of their runs.
    run, fold
        Indices of repeat and fold, from 0 (``fold`` is None without folds). Cells of two rows with the same run and
        fold are compared as a pair.
    recipe
        Recipe of this repeat and fold, with all overrides.
    run_dir
        Folder of the run; complete only if ``state`` is ``finished``.
    state
        ``finished``, ``failed``, ``started`` or ``missing``.
    message
        Error message of a failed run.
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
    """A table and the state of its runs.

    Attributes
    ----------
    name
        Name of the table, such as ``arl/table5`` or ``patch/table2@authors``, or path of its YAML file.
    spec
        Specification of the table.
    cells
        Runs of all rows.
    profile
        ``paper``, ``short`` or ``smoke``.
    artifact_sets
        Data source of each generated set.
    caveats
        Sentences on how profile and data differ from the paper.
    out
        Folder of the reproduction.
    tap_aliases
        Layer of the small network that replaces a layer of the paper's network, by the latter's name.
    protocol_differences
        What the ``paper`` profile does otherwise than the paper: settings, precision, images; empty for the other
        profiles, which replace the network.
    command
        Command that reproduces the table.
    code_differences
        What the authors' code does otherwise than the paper says.
    class_counts
        Number of images of each class, by row with ``counts``; a row whose dataset is not specified is missing.
    """

    name: str
    spec: TableSpec
    cells: tuple[RunCell, ...]
    profile: str
    artifact_sets: dict[str, str]
    caveats: tuple[str, ...]
    out: Path
    tap_aliases: Mapping[str, str] = field(default_factory=dict)
    protocol_differences: tuple[str, ...] = ()
    command: str = ""
    code_differences: tuple[CodeDifference, ...] = ()
    class_counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    @property
    def variant(self) -> TableVariant:
        """Protocol of the runs: of the paper, of the authors' code, or both."""
        return split_variant(self.name)[1]

    def local_map_name(self, name: str) -> str:
        """Return the name that a map of the paper's network has in these runs.

        Examples
        --------
        >>> from lesionlens.reproduction.catalog import load_table_spec
        >>> table = load_table_spec("attnmel/table3.3")
        >>> results = TableResults("", table, (), "short", {}, (), Path(), {"pool4": "blocks.4"})
        >>> results.local_map_name("gate-pool4")
        'gate-blocks.4'
        """
        for layer, alias in self.tap_aliases.items():
            name = name.replace(layer, alias)
        return name

    def cells_for(self, row: str, variant: str = "", *, state: RunState = "finished") -> list[RunCell]:
        """Return the runs of a row's variant that are in a state, in order of run and fold."""
        cells = [cell for cell in self.cells if (cell.row, cell.variant, cell.state) == (row, variant, state)]
        return sorted(cells, key=lambda cell: (cell.run, -1 if cell.fold is None else cell.fold))


@dataclass(frozen=True)
class ReproductionOptions:
    """Options of a reproduction.

    Attributes
    ----------
    profile
        Training budget.
    out
        Folder of the reproduction.
    repeats
        Number of repeats, instead of that of profile and recipe.
    rows
        Names or patterns of the rows to run; empty: all.
    overrides
        ``key=value`` settings on top of every recipe; they take precedence over all others.
    device
        ``auto``, ``cpu`` or ``gpu``.
    """

    profile: Profile
    out: Path
    repeats: int | None = None
    rows: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    device: str = "auto"

    def command(self, name: str, dataset: str) -> str:
        """Return the command that reproduces a table, with ``--dataset`` unless ``dataset`` is ""."""
        table, variant = split_variant(name)
        variants = [] if variant == "paper" else ["--variant", variant]
        sources = ["--dataset", f"{dataset}:FOLDER"] if dataset else []
        repeats = [] if self.repeats is None else ["--repeats", str(self.repeats)]
        options = [*self.overrides, "--profile", self.profile.name, *variants, *repeats, *sources]
        return shlex.join(["lesionlens", "reproduce", table, *options])


@dataclass(frozen=True)
class PlannedRun:
    """A run of a row's variant, and the settings in which its recipe differs from the paper's."""

    row: str
    variant: str
    job: Job
    protocol_differences: tuple[str, ...] = ()


@dataclass(frozen=True)
class TablePlan:
    """A table and the runs of all its rows.

    Attributes
    ----------
    name
        Name of the table, or path of its YAML file.
    spec
        Specification of the table.
    source
        Data source, ``NAME:ROOT``.
    artifact_sets
        Data source of each generated set.
    runs
        Runs of all rows, in order; rows with identical recipes have identical jobs.
    requested_rows
        Names of the rows to run now.
    count_sources
        Data source of each row with ``counts`` whose dataset is available.
    """

    name: str
    spec: TableSpec
    source: str
    artifact_sets: dict[str, str]
    runs: tuple[PlannedRun, ...]
    requested_rows: tuple[str, ...]
    count_sources: Mapping[str, str] = field(default_factory=dict)

    def jobs(self) -> list[Job]:
        """Return the distinct runs of the requested rows."""
        jobs = {planned.job.key: planned.job for planned in self.runs if planned.row in self.requested_rows}
        return list(jobs.values())

    def results(
        self, options: ReproductionOptions, caveats: Sequence[str], protocol_differences: Sequence[str] = ()
    ) -> TableResults:
        """Return the state of each run."""
        cells = tuple(self._run_cell(planned, options.out) for planned in self.runs)
        synthetic = is_synthetic(self.source, options.out)
        return TableResults(
            self.name, self.spec, cells, options.profile.name, self.artifact_sets, tuple(caveats), options.out,
            tap_aliases=options.profile.tap_aliases, protocol_differences=tuple(protocol_differences),
            command=options.command(self.name, "" if synthetic else self.spec.dataset),
            code_differences=table_code_differences(split_variant(self.name)[0], self.spec),
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
            state = "started"  # killed, or running in another process
        return RunCell(planned.row, planned.variant, job.run, job.fold, job.recipe, folder, state, message)


def make_plan(
    name: str,
    spec: TableSpec,
    source: str,
    options: ReproductionOptions,
    *,
    artifact_sets: Mapping[str, str],
    masks: MaskStep | None = None,
) -> TablePlan:
    """Plan every run of a table.

    Parameters
    ----------
    name
        Name of the table, or path of its YAML file.
    source
        Data source, ``NAME:ROOT``.
    artifact_sets
        Data source of each generated set.
    masks
        Step that predicts lesion masks for recipes that use a folder of masks; None: the recipe's folder is used.

    Raises
    ------
    RecipeError
        An override is invalid.
    """
    paths = _DataPaths(source, dict(artifact_sets), masks)
    table, _ = split_variant(name)
    runs = [
        planned
        for row in spec.rows
        for variant, recipe in spec.recipes_of(row).items()
        for planned in _plan_row(row.name, variant, row.recipe_name(table, recipe.slug), spec, options, paths)
    ]
    return TablePlan(name, spec, source, dict(artifact_sets), tuple(runs), _select_rows(spec, options.rows))


@dataclass(frozen=True)
class _DataPaths:
    source: str
    artifact_sets: dict[str, str]
    masks: MaskStep | None

    def overrides(self, source: str) -> Iterator[str]:
        """Yield the overrides of a recipe's data paths; ``set:NAME`` as its source refers to a generated set."""
        if source.startswith(SET_PREFIX):
            name = source.removeprefix(SET_PREFIX)
            if name not in self.artifact_sets:
                raise RecipeError(unknown_name_message("artifact set", name, self.artifact_sets))
            yield f"data.source={self.artifact_sets[name]}"
        else:
            yield f"data.source={self.source}"


def _plan_row(
    row: str, variant: str, name: str, spec: TableSpec, options: ReproductionOptions, paths: _DataPaths
) -> Iterator[PlannedRun]:
    """Yield the runs of a row's recipe."""
    recipe = _row_recipe(name, spec, options, paths)
    protocol_differences: tuple[str, ...] = ()
    if options.profile.name == "paper":
        papers_options = replace(options, repeats=None, overrides=())
        protocol_differences = recipe_differences(recipe, _row_recipe(name, spec, papers_options, paths))
    for job in expand_jobs(recipe, options.out, masks=paths.masks):
        yield PlannedRun(row, variant, job, protocol_differences)


def _row_recipe(name: str, spec: TableSpec, options: ReproductionOptions, paths: _DataPaths) -> Recipe:
    """Return a row's recipe with the overrides of profile, data paths and user, in this order."""
    recipe = load_recipe(name)
    overrides = [*options.profile.overrides(recipe), *paths.overrides(recipe.data.source)]
    if recipe.data.mask_dir and paths.masks:
        overrides.append(f"data.mask_dir={paths.masks.folder(options.out)}")
    if options.profile.name == "short":
        overrides += spec.short_overrides
    overrides += [f"data.cache_dir={options.out / 'cache'}", f"train.device={options.device}"]
    overrides.append(f"num_repeats={options.profile.resolve_repeats(recipe, options.repeats)}")
    return load_recipe(name, [*overrides, *options.overrides])


def _select_rows(spec: TableSpec, patterns: tuple[str, ...]) -> tuple[str, ...]:
    rows = [row.name for row in spec.rows if row.recipe]
    return tuple(row for row in rows if not patterns or any(fnmatch(row, pattern) for pattern in patterns))
