"""What is in the picture but not in the skin: which artefacts there are, and how often by class."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from lesionlens.errors import DataError, unknown_name_message
from lesionlens.synthesis.diagnoses import CLASS_CODES

ARTIFACTS = ("hair", "ruler", "bubbles", "ink", "sticker", "dark_corners")
_BASE_RATES = {"hair": 0.45, "ruler": 0.10, "bubbles": 0.14, "ink": 0.04, "sticker": 0.03, "dark_corners": 0.12}


@dataclass(frozen=True)
class ArtifactRates:
    """How often each artefact occurs, in 0…1; a rate by class takes the place of the base rate.

    Examples
    --------
    >>> rates = ArtefactRates(by_class={"ruler": {"mel": 0.9}})
    >>> rates.rate("ruler", "mel"), rates.rate("ruler", "nv")
    (0.9, 0.1)
    """

    hair: float = _BASE_RATES["hair"]
    ruler: float = _BASE_RATES["ruler"]
    gel_bubbles: float = _BASE_RATES["bubbles"]
    ink_markings: float = _BASE_RATES["ink"]
    color_patch: float = _BASE_RATES["sticker"]
    dark_corners: float = _BASE_RATES["dark_corners"]
    by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """artefact -> class code -> rate"""

    def __post_init__(self) -> None:
        """Refuse names that do not exist and rates outside 0…1."""
        given = {name: getattr(self, name) for name in ARTIFACTS}
        for artefact, row in self.by_class.items():
            if artefact not in ARTIFACTS:
                raise DataError(unknown_name_message("artefact", artefact, ARTIFACTS))
            for code in row:
                if code not in CLASS_CODES:
                    raise DataError(unknown_name_message("class", code, CLASS_CODES))
            given |= {f"{artefact} of {code}": rate for code, rate in row.items()}
        for name, rate in given.items():
            if not 0 <= rate <= 1:
                raise DataError(
                    f"the rate of {name} is {rate}; allowed is 0 to 1. Give a share of the images."
                )

    def rate(self, artifact: str, code: str) -> float:
        """Share of the images of class ``code`` that show ``artifact``."""
        return float(self.by_class.get(artifact, {}).get(code, getattr(self, artifact)))

    def excluding(self, names: Iterable[str]) -> "ArtifactRates":
        """Give the same rates but for these artefacts, which no image shows."""
        never = {name: dict.fromkeys(CLASS_CODES, 0.0) for name in names}
        return replace(self, by_class={**self.by_class, **never})


def sample_artifacts(rng: np.random.Generator, code: str, rates: ArtifactRates) -> tuple[str, ...]:
    """Draw the artefacts of one image of class ``code``."""
    chances = rng.random(len(ARTIFACTS))
    return tuple(
        name for name, chance in zip(ARTIFACTS, chances, strict=True) if chance < rates.rate(name, code)
    )
