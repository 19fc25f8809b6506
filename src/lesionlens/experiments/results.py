"""What the runs of an experiment came to: one cell for each run of each part of each row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from lesionlens.experiments.experiment import Experiment
from lesionlens.training.folder import RunFolder
from lesionlens.training.recipe import Recipe

State = Literal["finished", "failed", "begun", "missing"]


@dataclass(frozen=True)
class Cell:
    """One run.

    Attributes
    ----------
    row, part
        Of the experiment; rows of one and the same recipe share the folder of their runs.
    run, fold
        Which repeat, from 0, and which fold, if any: cells of two rows with the same run and fold are pairs.
    recipe
        As it is run: with the profile's words, one run, one fold.
    folder
        The run's folder; only of a ``finished`` cell does it hold everything.
    state
        How far it came.
    message
        Why it failed.
    """

    row: str
    part: str
    run: int
    fold: int | None
    recipe: Recipe
    folder: RunFolder
    state: State
    message: str = ""


@dataclass(frozen=True)
class Results:
    """An experiment and its cells.

    Attributes
    ----------
    name
        Of the experiment, such as ``arl/table5``.
    profile
        ``paper``, ``short`` or ``smoke``.
    sets
        Generated set by name -> data source.
    remarks
        What the profile and the data make different from the paper, in sentences.
    out
        Folder of the reproduction.
    changed
        ``key=value`` words of the user that make the protocol another one than the paper's.
    command
        What makes it again.
    places
        Place of a paper's network -> the one of the small network that stands for it, where one does.
    """

    name: str
    experiment: Experiment
    cells: tuple[Cell, ...]
    profile: str
    sets: dict[str, str]
    remarks: tuple[str, ...]
    out: Path
    places: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()
    command: str = ""

    def here(self, name: str) -> str:
        """Give the name that a map of the paper's network has in these runs.

        Examples
        --------
        >>> from lesionlens.experiments.catalogue import read_experiment
        >>> table = read_experiment("attnmel/table3.3")
        >>> Results("", table, (), "short", {}, (), Path(), {"pool4": "blocks.4"}).here("gate-pool4")
        'gate-blocks.4'
        """
        for place, ours in self.places.items():
            name = name.replace(place, ours)
        return name

    def of(self, row: str, part: str = "", *, state: State = "finished") -> list[Cell]:
        """Give the cells of a row's part that are in a state, in order of run and fold."""
        found = [each for each in self.cells if (each.row, each.part, each.state) == (row, part, state)]
        return sorted(found, key=lambda each: (each.run, -1 if each.fold is None else each.fold))
