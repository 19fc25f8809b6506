"""What the runs of an experiment came to: one cell for each run of each part of each row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lesionlens.experiments.experiment import TableSpec
from lesionlens.training.folder import RunDir
from lesionlens.training.recipe import Recipe

RunState = Literal["finished", "failed", "begun", "missing"]


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
        >>> from lesionlens.experiments.catalogue import read_experiment
        >>> table = read_experiment("attnmel/table3.3")
        >>> Results("", table, (), "short", {}, (), Path(), {"pool4": "blocks.4"}).here("gate-pool4")
        'gate-blocks.4'
        """
        for place, ours in self.tap_aliases.items():
            name = name.replace(place, ours)
        return name

    def cells_for(self, row: str, variant: str = "", *, state: RunState = "finished") -> list[RunCell]:
        """Give the cells of a row's part that are in a state, in order of run and fold."""
        found = [each for each in self.cells if (each.row, each.variant, each.state) == (row, variant, state)]
        return sorted(found, key=lambda each: (each.run, -1 if each.fold is None else each.fold))
