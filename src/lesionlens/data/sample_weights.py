"""Weights of images by how their diagnosis was made."""

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
    """Weight each image 1 to 4 by how its diagnosis was made: the surer, the heavier.

    Source: Gessert et al. 2019, section II.F ("diagnosis-guided loss weighting"): expert consensus 1, follow-up 2,
    confocal microscopy 3, histopathology 4; a method that is not known 1.

    Parameters
    ----------
    methods, diagnoses
        Of each image, (n,): ``consensus``, ``follow_up``, ``confocal`` or ``histo``; canonical diagnoses.
    policy
        Whose images are weighted, the others having 1: ``benign`` ones, as the paper says; ``nevus_only``, as the
        authors' code says in a comment; ``authors_all``, as their code does, where the test is always true.

    Returns
    -------
    (n,)

    Raises
    ------
    DataError
        No image's method is known.
    """
    factors = np.array([CONFIRMATION_WEIGHTS.get(method, 1.0) for method in methods], dtype=np.float32)
    if not set(methods) & set(CONFIRMATION_WEIGHTS):
        raise DataError(
            "train.confirmation_weights needs to know how diagnoses were made (diagnosis_method, dx_type of HAM10000), "
            f"and no image says so; allowed are {', '.join(CONFIRMATION_WEIGHTS)}. Leave it out, or give a table "
            "that says so"
        )
    names = np.array(diagnoses, dtype=str)
    chosen = {
        "benign": np.isin(names, list(BENIGN_DIAGNOSES)),
        "nevus_only": names == "nevus",
        "authors_all": np.ones(len(names), dtype=bool),
    }[policy]
    return np.where(chosen, factors, np.float32(1))
