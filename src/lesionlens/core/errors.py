"""Exceptions for users; every message states what came, what is allowed and what to do."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class LesionLensError(Exception):
    """Base class of all errors that a user can fix; the command line prints them without a traceback."""


class DataError(LesionLensError):
    """Dataset, table or split with which training or evaluation would be invalid."""


class ImageError(DataError):
    """File that is not a usable image."""


class RecipeError(LesionLensError):
    """Recipe with a key or value that is not allowed."""


class ModelError(LesionLensError):
    """Model, backbone or option that does not exist, or that does not fit the others."""


class WeightsError(ModelError):
    """Weights that cannot be loaded or downloaded, or that do not fit the network."""


class SavedModelError(ModelError):
    """Saved model that cannot be read."""


class BackendError(LesionLensError):
    """Inference backend that is not available, or network that cannot be exported."""


class PredictionsError(LesionLensError):
    """Predictions file that cannot be evaluated."""


class ComparisonError(LesionLensError):
    """Values or predictions that cannot be compared with each other."""


class RunError(LesionLensError):
    """Run that cannot start, continue or be saved."""


class WriteError(RunError):
    """File that cannot be written; what was written before is intact."""


class DamagedFileError(RunError):
    """File of a run that is empty, incomplete or changed since it was written."""

    def __init__(self, path: object, reason: object, advice: str) -> None:
        super().__init__(f"{path} is damaged ({reason}): {advice}")


class RunInterrupted(RunError):  # noqa: N818 - like KeyboardInterrupt, not an error
    """Run that the user stopped; it can be resumed."""


def shorten_repr(value: object, limit: int = 200) -> str:
    """Return the representation of a value, shortened to what a message can show.

    Examples
    --------
    >>> shorten_repr("set #2"), shorten_repr("9" * 5000, limit=12)
    ("'set #2'", "'99999999999…")
    """
    return shorten(repr(value), limit)


def shorten(text: str, limit: int = 200) -> str:
    """Return a text, such as a table cell, shortened to what a message can show.

    Examples
    --------
    >>> shorten("a.jpg"), shorten("/9j/4AAQSkZJRgABAQ", limit=4)
    ('a.jpg', '/9j/…')
    """
    return text if len(text) <= limit else f"{text[:limit]}…"


def unknown_name_message(kind: str, name: str, allowed: Iterable[str], *, suggestion: str = "") -> str:
    """Return a message for an unknown name, with a suggestion and all allowed names.

    Parameters
    ----------
    suggestion
        Name that was probably meant; "": the closest match, if there is one.

    Examples
    --------
    >>> unknown_name_message("model", "arl_cn14", ["arl_cnn14", "resnet50"])
    "unknown model 'arl_cn14': did you mean 'arl_cnn14'? Allowed: arl_cnn14, resnet50"
    >>> unknown_name_message("dataset", "ISIC2016", ["isic2016", "isic2017"])
    "unknown dataset 'ISIC2016': did you mean 'isic2016'? Allowed: isic2016, isic2017"
    """
    choices = sorted(allowed)
    near = suggestion or _closest(name, choices)
    hint = f"did you mean {near!r}? " if near else ""
    return f"unknown {kind} {shorten_repr(name)}: {hint}Allowed: {', '.join(choices)}"


def _closest(name: str, choices: Sequence[str]) -> str:
    """Return the choice that is most similar to a name in any case, "" if none is similar."""
    by_key = {choice.casefold(): choice for choice in reversed(choices)}
    near = get_close_matches(name.casefold(), by_key, n=1, cutoff=0.6)
    return by_key[near[0]] if near else ""
