"""Models compared on the same images, metric by metric."""

from collections.abc import Sequence

import numpy as np

from lesionlens.data.problems import counted
from lesionlens.evaluation.compare.agreement import mcnemar
from lesionlens.evaluation.compare.bootstrap import bootstrap_differences
from lesionlens.evaluation.compare.comparison import Comparison
from lesionlens.evaluation.compare.contrast import Contrast, Contrasts, corrected, usual, which_pairs
from lesionlens.evaluation.compare.delong import delong
from lesionlens.evaluation.compare.remarks import remarks, several_images
from lesionlens.evaluation.compare.values import Key, values
from lesionlens.evaluation.decision import Decision, right
from lesionlens.evaluation.measures import ALL
from lesionlens.evaluation.prediction_table import Predictions

_FEWEST = 2  # images of a kind that DeLong's test needs


def compare_models(
    models: Sequence[Predictions],
    names: Sequence[str],
    *,
    keys: Sequence[Key] = (),
    every: bool = False,
    replicates: int = 2000,
    seed: int = 0,
    stratified: bool = True,
    confidence: float = 0.95,
    decision: Decision = "argmax",
) -> Contrasts:
    """Compare the first of several models with each other, or every one with every other.

    Each difference has its bootstrap interval over lesions. p is DeLong's for the AUC of a class against the rest, of
    McNemar's exact test for the accuracy and of the bootstrap for all else; where a lesion has several images these two
    would be too sure, so p is of the bootstrap throughout, and a note says so.

    Parameters
    ----------
    models
        Of the same labelled images and classes in the same order (see `aligned`).
    keys
        Metrics and what they are of; none: the usual ones (see `usual`).
    every
        Compare every pair, not only the first with each other.

    Raises
    ------
    ComparisonError
        See `bootstrap_differences`.
    """
    first = models[0]
    asked = list(keys) or usual(first.classes, there=map(str, first.label), rest=first.rest)
    several = several_images(first)
    found: list[Contrast] = []
    for one, other in which_pairs(names, every=every):
        a, b = models[one], models[other]
        over_lesions = bootstrap_differences(
            a,
            b,
            asked,
            replicates=replicates,
            seed=seed,
            stratified=stratified,
            confidence=confidence,
            decision=decision,
        )
        measured = zip(values(a, asked, decision=decision), values(b, asked, decision=decision), strict=True)
        for key, pair, drawn in zip(asked, measured, over_lesions, strict=True):
            over_images = _over_images(a, b, key, decision, confidence)
            judged = over_images[0] if over_images and not several else drawn
            both = float(pair[0]), float(pair[1])
            found.append(Contrast(names[one], names[other], *key, both, drawn, judged, over_images))
    return Contrasts(
        corrected(found),
        f"{counted(len(first), 'image')} of {counted(len(np.unique(first.lesion_id)), 'lesion')}",
        remarks(first, found, replicates=replicates),
        {
            "confidence": confidence,
            "replicates": replicates,
            "seed": seed,
            "strata": "class" if stratified else "none",
            "decision": _in_words(decision),
        },
    )


def _in_words(decision: Decision) -> str:
    if isinstance(decision, str):
        return decision
    values = ", ".join(f"{name} {value:g}" for name, value in decision.values.items())
    return f"thresholds ({decision.rule}): {values}"


def _over_images(
    a: Predictions, b: Predictions, key: Key, decision: Decision, confidence: float
) -> tuple[Comparison, ...]:
    """Give the test that counts images, where there is one for the metric."""
    metric, of = key
    if key == ("accuracy", ALL):
        targets = a.targets()
        hits = [right(each.scores, targets, each.classes, decision) for each in (a, b)]
        return (mcnemar(hits[0], hits[1], confidence=confidence),)
    own = a.label == of
    if metric == "auc" and min(own.sum(), (~own).sum()) >= _FEWEST:
        k = a.classes.index(of)
        return (delong(own, a.scores[:, k], b.scores[:, k], confidence=confidence),)
    return ()
