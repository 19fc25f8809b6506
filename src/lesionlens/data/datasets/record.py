"""What is known of a data set beside its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lesionlens.data.assemble import Draft
from lesionlens.data.problems import Problems


@dataclass(frozen=True)
class DataSet:
    """A reader with the licence and citation of what it reads.

    Attributes
    ----------
    title
        The name that people use.
    read
        Folder (or file) to draft; raises DataError where the layout is not there at all.
    recognise
        Whether a folder looks like this data set.
    licence, citation, url
        As the publishers ask for them.
    expected
        Images in each official part of the complete data set; ``""`` where there are no parts.
    """

    title: str
    read: Callable[[Path, Problems], Draft]
    recognise: Callable[[Path], bool]
    licence: str
    citation: str
    url: str
    expected: Mapping[str, int] = field(default_factory=dict)
