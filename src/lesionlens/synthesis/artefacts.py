"""What is in the picture but not in the skin: which artefacts there are, and how often by class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lesionlens.errors import DataError, unknown
from lesionlens.synthesis.diagnoses import CODES

ARTEFACTS = ("hair", "ruler", "bubbles", "ink", "sticker", "dark_corners")
_BASE = {"hair": 0.45, "ruler": 0.10, "bubbles": 0.14, "ink": 0.04, "sticker": 0.03, "dark_corners": 0.12}


@dataclass(frozen=True)
class ArtefactRates:
    """How often each artefact occurs, in 0…1; a rate by class takes the place of the base rate.

    Examples
    --------
    >>> rates = ArtefactRates(by_class={"ruler": {"mel": 0.9}})
    >>> rates.rate("ruler", "mel"), rates.rate("ruler", "nv")
    (0.9, 0.1)
    """

    hair: float = _BASE["hair"]
    ruler: float = _BASE["ruler"]
    bubbles: float = _BASE["bubbles"]
    ink: float = _BASE["ink"]
    sticker: float = _BASE["sticker"]
    dark_corners: float = _BASE["dark_corners"]
    by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """artefact -> class code -> rate"""

    def __post_init__(self) -> None:
        """Refuse names that do not exist and rates outside 0…1."""
        given = {name: getattr(self, name) for name in ARTEFACTS}
        for artefact, row in self.by_class.items():
            if artefact not in ARTEFACTS:
                raise DataError(unknown("artefact", artefact, ARTEFACTS))
            for code in row:
                if code not in CODES:
                    raise DataError(unknown("class", code, CODES))
            given |= {f"{artefact} of {code}": rate for code, rate in row.items()}
        for name, rate in given.items():
            if not 0 <= rate <= 1:
                raise DataError(
                    f"the rate of {name} is {rate}; allowed is 0 to 1. Give a share of the images."
                )

    def rate(self, artefact: str, code: str) -> float:
        """Share of the images of class ``code`` that show ``artefact``."""
        return float(self.by_class.get(artefact, {}).get(code, getattr(self, artefact)))

    def without(self, names: Iterable[str]) -> "ArtefactRates":
        """Give the same rates but for these artefacts, which no image shows."""
        never = {name: dict.fromkeys(CODES, 0.0) for name in names}
        return replace(self, by_class={**self.by_class, **never})


def draw_artefacts(rng: np.random.Generator, code: str, rates: ArtefactRates) -> tuple[str, ...]:
    """Draw the artefacts of one image of class ``code``."""
    chances = rng.random(len(ARTEFACTS))
    return tuple(
        name for name, chance in zip(ARTEFACTS, chances, strict=True) if chance < rates.rate(name, code)
    )
