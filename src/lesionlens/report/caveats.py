"""Caveats of a run: what a reader must know before trusting its metrics."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from lesionlens.core.taxonomy import DIAGNOSES
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.splits.base import NO_TEST_SPLIT_CAVEAT, SplitCaveat
from lesionlens.evaluation.formatting import display_name
from lesionlens.evaluation.metric import MACRO
from lesionlens.evaluation.result import EvaluationResult
from lesionlens.report.content import MIN_LESIONS_FOR_CI
from lesionlens.report.load import RunData

STATUS_COMPLETE = ("trained", "finished")
WIDE_INTERVAL = 0.1  # width of an interval of the mean AUC


class Caveat(NamedTuple):
    """One caveat: a bold title and an explanation."""

    title: str
    text: str


def run_caveats(run: RunData) -> tuple[Caveat, ...]:
    """Return everything that limits the results of a run, the most serious first."""
    evaluation = run.evaluations.get(run.split) if run.split else None
    return (
        *_status_caveats(run),
        *_selection_caveats(run),
        *_split_caveats(run),
        *(metric_caveats(evaluation) if evaluation else ()),
        *_training_caveats(run),
    )


def display_class_names(text: str, class_names: Iterable[str]) -> str:
    """Replace the underscores of class names and diagnoses in a recorded text by spaces."""
    names = {*DIAGNOSES, *class_names}
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True) if "_" in name)
    return re.sub(rf"(?<![\w/.-])(?:{pattern})(?![\w/])", lambda match: display_name(match[0]), text)


def _status_caveats(run: RunData) -> Iterator[Caveat]:
    status = str(run.metadata.get("status", "unknown"))
    if status not in STATUS_COMPLETE:
        epochs = 0 if run.metrics is None else len(run.metrics)
        yield Caveat(
            f"This run is not finished (status: {status}).",
            f"{pluralize(epochs, 'epoch')} completed so far; all results below are provisional.",
        )
    synthetic_data_notice = run.metadata.get("data", {}).get("synthetic_data_notice")
    if synthetic_data_notice:
        yield Caveat("Not patients.", str(synthetic_data_notice))
    for error in run.read_errors:
        yield Caveat("A file is damaged.", error)


def _selection_caveats(run: RunData) -> Iterator[Caveat]:
    if run.split != "validation":
        return
    stopping = run.recipe.get("train", {}).get("early_stopping", {})
    if run.metadata.get("checkpoint") == "last" and not stopping.get("patience"):
        yield Caveat(
            "There is no evaluated test split.",
            "These are metrics of the validation split. It selected no epoch in this run, but selecting among runs by "
            "these metrics makes them optimistically biased.",
        )
        return
    yield Caveat(
        "The reported images also selected the checkpoint.",
        "There is no evaluated test split, so these are metrics of the validation split, by which the epoch was "
        "selected. They are optimistically biased; only images that were not used in training give unbiased metrics.",
    )


def _split_caveats(run: RunData) -> Iterator[Caveat]:
    for recorded in run.metadata.get("data", {}).get("caveats", ()):
        is_sentence = isinstance(recorded, str)  # in runs of earlier versions
        caveat = SplitCaveat(recorded) if is_sentence else SplitCaveat(**recorded)
        # the selection caveats already report a missing test split
        if run.split != "validation" or caveat.kind != NO_TEST_SPLIT_CAVEAT.kind:
            yield Caveat("About the split:", display_class_names(caveat.text, run.class_names))
    if run.recipe.get("data", {}).get("checkpoint_split") == "test":
        return  # the same images under two names, which a caveat above reports
    lesions = [set(map(str, predictions.lesion_id)) for predictions in run.predictions.values()]
    common = set.intersection(*lesions) if len(lesions) > 1 else set()
    if common:
        yield Caveat(
            f"Data leakage: {pluralize(len(common), 'lesion')} in both the validation and the test split.",
            f"For example {', '.join(sorted(common)[:3])}: the metrics of the test split are optimistically biased.",
        )


def few_lesions_caveats(evaluation: EvaluationResult) -> Iterator[Caveat]:
    """Yield a caveat about classes with few lesions, if there are any."""
    few = [
        f"{display_name(name)} ({lesions})"
        for name, lesions in zip(evaluation.classes, evaluation.lesion_support, strict=True)
        if lesions < MIN_LESIONS_FOR_CI
    ]
    if few:
        yield Caveat(
            "Few lesions of some classes.", f"{', '.join(few)}: their metrics are rough guides only."
        )


def metric_caveats(evaluation: EvaluationResult) -> Iterator[Caveat]:
    """Yield the caveats of the metrics of an evaluation."""
    yield from few_lesions_caveats(evaluation)
    auc = evaluation.estimate("auc", MACRO)
    if auc.low <= 0.5 <= auc.high:
        yield Caveat("Not shown to be better than chance.", "The interval of the mean AUC includes 0.5.")
    elif auc.high - auc.low > WIDE_INTERVAL:
        yield Caveat(
            "The intervals are wide.",
            f"With {evaluation.n_lesions:,} lesions the mean AUC is only known to be between {auc.low:.2f} and "
            f"{auc.high:.2f}: do not rank models by smaller differences.",
        )


def _training_caveats(run: RunData) -> Iterator[Caveat]:
    if run.metadata.get("checkpoint") == "last" or run.metrics is None:
        return
    is_complete = run.metadata.get("status") in STATUS_COMPLETE
    if is_complete and run.selected_epoch == len(run.metrics) > 1:
        yield Caveat("The last epoch was the best.", "More epochs may give a better model.")
