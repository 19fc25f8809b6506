"""What a reader must know before believing the numbers of a run."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from lesionlens.core.taxonomy import DIAGNOSES
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.report.content import MIN_LESIONS_FOR_CI
from lesionlens.report.load import RunData

STATUS_COMPLETE = ("trained", "finished")
WIDE_INTERVAL = 0.1  # width of an interval of the mean AUC


class Caveat(NamedTuple):
    """One thing to know: a bold beginning and the rest of it."""

    title: str
    text: str


def run_caveats(run: RunData) -> tuple[Caveat, ...]:
    """Say everything that limits what the run shows, the gravest first."""
    evaluation = run.evaluations.get(run.split) if run.split else None
    about_numbers = _metric_caveats(evaluation) if evaluation else iter(())
    return (
        *_status_caveats(run),
        *_selection_caveats(run),
        *_split_caveats(run),
        *about_numbers,
        *_training_caveats(run),
    )


def display_class_names(text: str, run: RunData) -> str:
    """Write the names of classes in a recorded text with blanks."""
    names = {*DIAGNOSES, *map(str, run.metadata.get("data", {}).get("classes", ()))}
    whole = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if "_" in name)
    return re.sub(rf"(?<![\w/.-])(?:{whole})(?![\w/])", lambda found: display_name(found[0]), text)


def _status_caveats(run: RunData) -> Iterator[Caveat]:
    status = str(run.metadata.get("status", "unknown"))
    if status not in STATUS_COMPLETE:
        epochs = 0 if run.metrics is None else len(run.metrics)
        yield Caveat(
            f"This run is not finished (status: {status}).",
            f"It has {epochs} whole epochs so far; everything below is provisional.",
        )
    statement = run.metadata.get("data", {}).get("synthetic_data_notice")
    if statement:
        yield Caveat("Not patients.", str(statement))
    for problem in run.read_errors:
        yield Caveat("A file is damaged.", problem)


def _selection_caveats(run: RunData) -> Iterator[Caveat]:
    if run.split != "validation":
        return
    if run.metadata.get("checkpoint") == "last" and not run.recipe.get("train", {}).get("patience"):
        yield Caveat(
            "There is no measured test part.",
            "These are numbers of the validation part. It chose no epoch in this run; whoever chooses among runs by "
            "them makes them too good.",
        )
        return
    yield Caveat(
        "The reported images also chose the checkpoint.",
        "There is no measured test part, so these are numbers of the validation part, by which the kept epoch was "
        "selected. They are too good on average; only images that had no say in training give fair ones.",
    )


def _split_caveats(run: RunData) -> Iterator[Caveat]:
    for remark in run.metadata.get("data", {}).get("caveats", ()):
        if run.split != "validation" or not str(remark).startswith("no test part"):  # said by _selection
            yield Caveat("About the split:", display_class_names(str(remark), run))
    if run.recipe.get("data", {}).get("checkpoint_split") == "test":
        return  # one part by two names; a remark above says it
    lesions = [set(map(str, found.lesion_id)) for found in run.predictions.values()]
    shared = set.intersection(*lesions) if len(lesions) > 1 else set()
    if shared:
        yield Caveat(
            f"{len(shared)} lesions are in both the validation and the test part.",
            f"For example {', '.join(sorted(shared)[:3])}: the numbers of the test part are too good.",
        )


def _metric_caveats(evaluation: EvaluationResult) -> Iterator[Caveat]:
    few = [
        f"{display_name(name)} ({lesions})"
        for name, lesions in zip(evaluation.classes, evaluation.lesion_support, strict=True)
        if lesions < MIN_LESIONS_FOR_CI
    ]
    if few:
        yield Caveat(
            "Few lesions of some classes.", f"{', '.join(few)}: take their numbers as a rough guide."
        )
    auc = evaluation.estimate("auc", "macro")
    if auc.low <= 0.5 <= auc.high:
        yield Caveat("Not shown to be better than chance.", "The interval of the mean AUC includes 0.5.")
    elif auc.high - auc.low > WIDE_INTERVAL:
        yield Caveat(
            "The intervals are wide.",
            f"With {evaluation.n_lesions:,} lesions the mean AUC is only known to lie between {auc.low:.2f} and "
            f"{auc.high:.2f}: do not rank models by differences smaller than that.",
        )


def _training_caveats(run: RunData) -> Iterator[Caveat]:
    chosen = run.metadata.get("checkpoint") != "last"
    if (
        chosen
        and run.metrics is not None
        and run.selected_epoch == len(run.metrics) > 1
        and run.metadata.get("status") in STATUS_COMPLETE
    ):
        yield Caveat("The last epoch was the best.", "More epochs may give a better model.")
