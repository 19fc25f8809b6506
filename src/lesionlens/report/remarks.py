"""What a reader must know before believing the numbers of a run."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lesionlens.data.taxonomy import DIAGNOSES
from lesionlens.evaluation.evaluation import Evaluation
from lesionlens.evaluation.wording import readable
from lesionlens.report.numbers import FEW_LESIONS
from lesionlens.report.reading import Run

COMPLETE = ("trained", "finished")
WIDE = 0.1  # width of an interval of the mean AUC


class Remark(NamedTuple):
    """One thing to know: a bold beginning and the rest of it."""

    title: str
    text: str


def remarks(run: Run) -> tuple[Remark, ...]:
    """Say everything that limits what the run shows, the gravest first."""
    evaluation = run.evaluations.get(run.part) if run.part else None
    about_numbers = _numbers(evaluation) if evaluation else iter(())
    return (*_state(run), *_selection(run), *_split(run), *about_numbers, *_training(run))


def spoken(text: str, run: Run) -> str:
    """Write the names of classes in a recorded text with blanks."""
    names = {*DIAGNOSES, *map(str, run.record.get("data", {}).get("classes", ()))}
    whole = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if "_" in name)
    return re.sub(rf"(?<![\w/.-])(?:{whole})(?![\w/])", lambda found: readable(found[0]), text)


def _state(run: Run) -> Iterator[Remark]:
    status = str(run.record.get("status", "unknown"))
    if status not in COMPLETE:
        epochs = 0 if run.log is None else len(run.log)
        yield Remark(
            f"This run is not finished (status: {status}).",
            f"It has {epochs} whole epochs so far; everything below is provisional.",
        )
    statement = run.record.get("data", {}).get("statement")
    if statement:
        yield Remark("Not patients.", str(statement))
    for problem in run.problems:
        yield Remark("A file is damaged.", problem)


def _selection(run: Run) -> Iterator[Remark]:
    if run.part != "validation":
        return
    if run.record.get("kept") == "last" and not run.recipe.get("train", {}).get("patience"):
        yield Remark(
            "There is no measured test part.",
            "These are numbers of the validation part. It chose no epoch in this run; whoever chooses among runs by "
            "them makes them too good.",
        )
        return
    yield Remark(
        "The reported images also chose the checkpoint.",
        "There is no measured test part, so these are numbers of the validation part, by which the kept epoch was "
        "selected. They are too good on average; only images that had no say in training give fair ones.",
    )


def _split(run: Run) -> Iterator[Remark]:
    for remark in run.record.get("data", {}).get("remarks", ()):
        if run.part != "validation" or not str(remark).startswith("no test part"):  # said by _selection
            yield Remark("About the split:", spoken(str(remark), run))
    if run.recipe.get("data", {}).get("select_on") == "test":  # one part by two names; a remark above says it
        return
    lesions = [set(map(str, found.lesion_id)) for found in run.predictions.values()]
    shared = set.intersection(*lesions) if len(lesions) > 1 else set()
    if shared:
        yield Remark(
            f"{len(shared)} lesions are in both the validation and the test part.",
            f"For example {', '.join(sorted(shared)[:3])}: the numbers of the test part are too good.",
        )


def _numbers(evaluation: Evaluation) -> Iterator[Remark]:
    few = [
        f"{readable(name)} ({lesions})"
        for name, lesions in zip(evaluation.classes, evaluation.lesion_support, strict=True)
        if lesions < FEW_LESIONS
    ]
    if few:
        yield Remark(
            "Few lesions of some classes.", f"{', '.join(few)}: take their numbers as a rough guide."
        )
    auc = evaluation.estimate("auc", "macro")
    if auc.low <= 0.5 <= auc.high:
        yield Remark("Not shown to be better than chance.", "The interval of the mean AUC includes 0.5.")
    elif auc.high - auc.low > WIDE:
        yield Remark(
            "The intervals are wide.",
            f"With {evaluation.lesions:,} lesions the mean AUC is only known to lie between {auc.low:.2f} and "
            f"{auc.high:.2f}: do not rank models by differences smaller than that.",
        )


def _training(run: Run) -> Iterator[Remark]:
    chosen = run.record.get("kept") != "last"
    if (
        chosen
        and run.log is not None
        and run.kept_epoch == len(run.log) > 1
        and run.record.get("status") in COMPLETE
    ):
        yield Remark("The last epoch was the best.", "More epochs may give a better model.")
