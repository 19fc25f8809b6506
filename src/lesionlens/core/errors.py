"""One family of errors; every message says what came, what is allowed and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class LesionLensError(Exception):
    """Whatever a user can mend; the command line prints it as one readable line."""


class DataError(LesionLensError):
    """A data set, a table or a split from which training or measuring would be wrong."""


class ImageError(DataError):
    """One file that is not a usable image."""


class RecipeError(LesionLensError):
    """A recipe with a key or value that is not allowed."""


class ModelError(LesionLensError):
    """A model, a backbone or an option that does not exist or does not fit."""


class WeightsError(ModelError):
    """Weights that cannot be had or do not fit the network."""


class SavedModelError(ModelError):
    """A saved model that cannot be read."""


class BackendError(LesionLensError):
    """An engine that cannot compute here, or a network that cannot be exported as it is."""


class PredictionsError(LesionLensError):
    """A file of predictions that cannot be measured."""


class ComparisonError(LesionLensError):
    """Numbers or predictions that cannot be compared with each other."""


class RunError(LesionLensError):
    """A run that cannot start, go on or be written down."""


class RunInterrupted(RunError):  # noqa: N818 - like KeyboardInterrupt, it is no error
    """A run that its user stopped; it can be resumed."""


def unknown_name_message(kind: str, name: str, allowed: Iterable[str]) -> str:
    """Say that a name does not exist, which one was probably meant and which there are.

    Examples
    --------
    >>> unknown_name_message("model", "arl_cn14", ["arl_cnn14", "plain"])
    "unknown model 'arl_cn14': did you mean 'arl_cnn14'? Allowed: arl_cnn14, plain"
    """
    choices = sorted(allowed)
    near = get_close_matches(name, choices, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown {kind} {name!r}: {hint}Allowed: {', '.join(choices)}"
