"""Items of reporting guidelines, and what answers each of them in a model card."""

from functools import cache
from importlib.resources import files

import yaml
from pydantic import BaseModel, ConfigDict


class GuidelineItem(BaseModel):
    """One item of a reporting guideline.

    Attributes
    ----------
    number
        Number of the item in the guideline.
    text
        What it asks for, in our words.
    run
        Evidence of a run that answers it, by the names of `lesionlens.report.card_evidence.gather_evidence`.
    author
        Keys of ``card.yaml`` that answer it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str
    text: str
    run: tuple[str, ...] = ()
    author: tuple[str, ...] = ()


class Guideline(BaseModel):
    """A reporting guideline: name, citation, DOI and items."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    citation: str
    doi: str
    items: tuple[GuidelineItem, ...]


@cache
def reporting_guidelines() -> tuple[Guideline, ...]:
    """Return the items of CLEAR Derm, CLAIM 2024 and TRIPOD+AI."""
    text = (files("lesionlens.report") / "reporting_guidelines.yaml").read_text(encoding="utf-8")
    return tuple(Guideline.model_validate(tree) for tree in yaml.safe_load(text))
