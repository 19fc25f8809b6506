"""How far each table and figure has been reproduced: a record that is kept, and its page in the documentation.

``python -m lesionlens.reproduction.status OUT…``, in the repository, takes the outcomes of reproductions into
``docs/reproduced.json`` and writes ``docs/reproduction-status.md`` anew.
"""

import sys
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, TypeAdapter, ValidationError

from lesionlens.core.errors import LesionLensError, RunError, unknown_name_message
from lesionlens.core.fileio import write_text
from lesionlens.reproduction.catalog import PAPERS, list_tables, load_table_spec
from lesionlens.runs.load import load_recipe
from lesionlens.training.multi_run import expand_runs

MARKER = "<!-- Written by: python -m lesionlens.reproduction.status. Not by hand. -->"
STATE_LABELS = {"paper": "run in full", "short": "run short", "smoke": "smoke"}  # the most first
OPEN_QUESTIONS_TITLE = "Questions that the papers leave open"
EXCLUDED_NOTE = """\
Not here: Tables I and II of Zhang et al. and Table I of Gessert et al., which show architectures and the sizes of data
sets, so that nothing is trained; Figs. 1 to 4 and 8 of Zhang et al., 3.1, 3.4 and 3.5 of Yan, 1 to 3 of Gessert et al.
and 1 to 6 and 8 of Datta et al., which show networks, data, or examples like those of other figures."""
PREFACE = """\
Each is a YAML file in the package and runs by its name: `lesionlens reproduce patch/table2`; the first author does as
well, `gessert/table2`. *Rows × trainings* counts the paper's protocol: rows that are trained, and how often each
(tasks, repeats, folds). What *run short* and *smoke* leave out is told on the pages that `lesionlens reproduce` writes;
numbers of *smoke* mean nothing."""


class ReproductionRecord(BaseModel, frozen=True):
    """What came of one reproduction of one experiment, as its ``results.json`` says.

    Attributes
    ----------
    name, profile
        Of the experiment, and how much of the protocol was run.
    dataset, synthetic
        Data set, and whether its images were drawn by a program.
    date, version
        When, in ISO 8601, and by which version.
    runs, finished
        How many runs it means, and how many are done.
    """

    name: str
    profile: Literal["paper", "short", "smoke"]
    dataset: str
    synthetic: bool
    date: str
    version: str
    runs: int
    finished: int

    @property
    def state(self) -> str:
        """How far it came, in words."""
        done = f", {self.finished} of {self.runs} runs" if self.finished < self.runs else ""
        return STATE_LABELS[self.profile] + done + (", synthetic images" if self.synthetic else "")


_RECORD_LIST = TypeAdapter(list[ReproductionRecord])


def read_records(path: Path) -> list[ReproductionRecord]:
    """Read the record.

    Raises
    ------
    RunError
        It is not there or no record.
    """
    try:
        return _RECORD_LIST.validate_json(_read_bytes(path))
    except ValidationError as error:
        raise RunError(f"{path} is no record of reproductions: {error}") from error


def merge_records(path: Path, pages: Path) -> None:
    """Take every ``results.json`` below ``pages`` into the record; of two alike that with more runs, then the newer.

    Raises
    ------
    RunError
        There is no outcome, or a file cannot be read.
    """
    outcomes = sorted(pages.glob("*/results.json"))
    if not outcomes:
        raise RunError(f"no results.json in {pages}/*; give the --out folder of lesionlens reproduce")
    both = [*read_records(path), *map(_read_outcome, outcomes)]
    both.sort(key=lambda each: (each.finished, each.date))
    kept = {(each.name, each.profile, each.synthetic): each for each in both if each.finished}
    lines = [kept[key].model_dump_json() for key in sorted(kept)]
    write_text(path, "[\n" + ",\n".join(lines) + "\n]\n")


def render_status_page(path: Path) -> str:
    """Write the page: every table and figure, what it trains, and how far it has been reproduced.

    Raises
    ------
    LesionLensError
        The record cannot be read, or names what there is not.
    """
    records, ours = read_records(path), list_tables()
    for each in records:
        if each.name not in ours:
            raise LesionLensError(f"{path}: {unknown_name_message('experiment', each.name, ours)}")
    lines = [MARKER, "", "# Tables and figures", "", PREFACE, ""]
    for paper, group in groupby(ours, key=lambda name: name.partition("/")[0]):
        lines += [
            f"## {PAPERS.get(paper, OPEN_QUESTIONS_TITLE)}",
            "",
            *_status_table(list(group), records),
            "",
        ]
    return "\n".join([*lines, EXCLUDED_NOTE, ""])


def _status_table(group: list[str], records: list[ReproductionRecord]) -> Iterator[str]:
    yield "| name | in the paper | what | rows × trainings | claims | state |"
    yield "| --- | --- | --- | --- | --- | --- |"
    yield from (f"| {_table_columns(name)} | {_fullest_state(name, records)} |" for name in group)


@cache
def _table_columns(name: str) -> str:
    """Give the cells of an experiment that do not change."""
    found = load_table_spec(name)
    rows = [row for row in found.rows if row.recipe]
    each = {
        sum(
            len(expand_runs(load_recipe(f"{name}:{recipe.slug}")))
            for recipe in found.recipes_of(row).values()
        )
        for row in rows
    }
    trainings = f"{len(rows)} × {' or '.join(map(str, sorted(each)))}"
    return " | ".join((f"`{name}`", found.title, found.caption, trainings, str(len(found.claims) or "–")))


def _fullest_state(name: str, records: list[ReproductionRecord]) -> str:
    """Tell the fullest reproduction, on photographs before drawn images."""
    found = [each for each in records if each.name == name]
    if not found:
        return "not run"
    best = min(found, key=lambda each: ([*STATE_LABELS].index(each.profile), each.synthetic))
    return f"{best.state} ({best.date[:10]}, version {best.version})"


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}") from error


def _read_outcome(path: Path) -> ReproductionRecord:
    try:
        return ReproductionRecord.model_validate_json(_read_bytes(path))
    except ValidationError as error:
        raise RunError(f"{path} is no outcome of a reproduction: {error}") from error


if __name__ == "__main__":
    kept = Path("docs") / "reproduced.json"
    for out in sys.argv[1:]:
        merge_records(kept, Path(out) / "pages")
    write_text(kept.with_name("reproduction-status.md"), render_status_page(kept))
