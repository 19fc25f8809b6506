"""Pool the predictions of the test folds of a cross-validation."""

from collections.abc import Mapping, Sequence

import numpy as np

from lesionlens.core.errors import PredictionsError
from lesionlens.datasets.issues import pluralize
from lesionlens.evaluation.calibrated_columns import concatenate_optional_fields, optional_fields
from lesionlens.evaluation.predictions import Predictions, format_examples

_DISJOINT_ADVICE = {
    "image": "Check that all folds were trained with the same split and seed",
    "lesion": "The folds divide images instead of lesions, so that the models were trained on tested lesions. "
    "Use the mean over the folds (summary.md), or train with data.split=group_kfold",
}


def pool_folds(folds: Mapping[str, Predictions]) -> Predictions:
    """Join the predictions of all test folds, so that each image has the scores of a model not trained on it.

    Parameters
    ----------
    folds
        Predictions of the test images of each fold, by its name.

    Raises
    ------
    PredictionsError
        Classes differ, or an image or a lesion is in the test split of several folds.

    Examples
    --------
    >>> a = Predictions(["i1"], ["L1"], ["nevus"], [[0.2, 0.8]], ("melanoma", "nevus"))
    >>> b = Predictions(["i2"], ["L2"], ["melanoma"], [[0.4, 0.6]], ("nevus", "melanoma"))
    >>> pool_folds({"fold-0": a, "fold-1": b}).scores.tolist()
    [[0.2, 0.8], [0.6, 0.4]]
    """
    check_same_classes(folds)
    _check_disjoint("image", {name: set(map(str, fold.image_id)) for name, fold in folds.items()})
    _check_disjoint("lesion", {name: set(map(str, fold.lesion_id)) for name, fold in folds.items()})
    first, *_ = folds.values()
    ordered = [fold.with_class_order(first.classes) for fold in folds.values()]
    caveats = merge_caveats({name: fold.caveats for name, fold in folds.items()})
    optional, partial_caveat = concatenate_optional_fields([optional_fields(fold) for fold in ordered])
    return Predictions(
        np.concatenate([fold.image_id for fold in ordered]),
        np.concatenate([fold.lesion_id for fold in ordered]),
        np.concatenate([fold.label for fold in ordered]),
        np.concatenate([fold.scores for fold in ordered]),
        first.classes,
        other_class=first.other_class,
        caveats=(_pool_caveat(len(folds)), *caveats, *partial_caveat),
        **optional,
    )


def _pool_caveat(num_folds: int) -> str:
    return (
        f"Pooled predictions of {num_folds} folds: each image has the scores of the model that was not trained on "
        "it. AUC and average precision of the pool rank scores of different models, which may be on different scales: "
        "the mean over the folds has no such comparisons. The intervals are for other lesions and these trained models."
    )


def merge_caveats(caveats: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the caveats of several runs once, each with the names of its runs unless all have it.

    Examples
    --------
    >>> merge_caveats({"fold-0": ["A.", "B."], "fold-1": ["A."]})
    ('A.', 'fold-0: B.')
    """
    by_text: dict[str, list[str]] = {}
    for name, texts in caveats.items():
        for text in texts:
            by_text.setdefault(text, []).append(name)
    return tuple(
        text if len(names) == len(caveats) else f"{', '.join(names)}: {text}"
        for text, names in by_text.items()
    )


def check_same_classes(runs: Mapping[str, Predictions]) -> None:
    """Raise a PredictionsError if the runs of a group do not have the same classes."""
    (first_name, first), *others = runs.items()
    for name, run in others:
        if set(run.classes) != set(first.classes) or run.other_class != first.other_class:
            raise PredictionsError(
                f"{name} has the classes {', '.join(run.classes)} and {first_name} {', '.join(first.classes)}: only "
                "runs of the same classes can be evaluated together. Train all of them on the same task"
            )


def _check_disjoint(unit: str, members: Mapping[str, set[str]]) -> None:
    """Raise an error if an image or a lesion is in several folds."""
    folds: dict[str, list[str]] = {}
    for fold, names in members.items():
        for name in names:
            folds.setdefault(name, []).append(fold)
    repeated = [name for name in sorted(folds) if len(folds[name]) > 1]
    if repeated:
        listed = [f"{name} in {' and '.join(folds[name])}" for name in repeated]
        raise PredictionsError(
            "the folds cannot be pooled, because the test splits of several folds have "
            f"{pluralize(len(repeated), unit)} in common ({format_examples(listed, max_shown=3)}). "
            f"{_DISJOINT_ADVICE[unit]}"
        )
