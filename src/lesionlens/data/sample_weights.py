"""Sample weights that depend on how a diagnosis was confirmed."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError
from lesionlens.core.taxonomy import BENIGN_DIAGNOSES

WeightPolicy = Literal["benign", "nevus_only", "authors_all"]

CONFIRMATION_WEIGHTS = {"consensus": 1.0, "follow_up": 2.0, "confocal": 3.0, "histo": 4.0}


def diagnosis_confirmation_weights(
    methods: Sequence[str], diagnoses: Sequence[str], policy: WeightPolicy
) -> NDArray[np.float32]:
    """Return the sample weight of each image, (n,): 1 to 4, larger for more reliable confirmation.

    Source: Gessert et al. 2019, section II.F ("diagnosis-guided loss weighting"): expert consensus 1, follow-up 2,
    confocal microscopy 3, histopathology 4. Unknown methods have weight 1.

    Parameters
    ----------
    methods
        Confirmation method of each image, n: ``consensus``, ``follow_up``, ``confocal``, ``histo`` or empty.
    diagnoses
        Canonical diagnosis of each image, n.
    policy
        Images that are weighted; all others have weight 1. ``benign``: benign diagnoses, as in the paper.
        ``nevus_only``: nevi, as in a comment of the authors' code. ``authors_all``: all images, as in the authors'
        code, whose condition is always true.

    Raises
    ------
    DataError
        No image has a known confirmation method.
    """
    weights = np.array([CONFIRMATION_WEIGHTS.get(method, 1.0) for method in methods], dtype=np.float32)
    if not set(methods) & set(CONFIRMATION_WEIGHTS):
        raise DataError(
            "train.confirmation_weights needs the confirmation method of diagnoses (column diagnosis_method, or "
            f"dx_type of HAM10000), and no image has one; allowed are {', '.join(CONFIRMATION_WEIGHTS)}. Remove the "
            "key, or use a table with that column"
        )
    names = np.array(diagnoses, dtype=str)
    weighted = {
        "benign": np.isin(names, list(BENIGN_DIAGNOSES)),
        "nevus_only": names == "nevus",
        "authors_all": np.ones(len(names), dtype=bool),
    }[policy]
    return np.where(weighted, weights, np.float32(1))
