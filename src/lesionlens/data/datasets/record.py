"""What is known of a data set beside its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lesionlens.data.assemble import RawTable
from lesionlens.data.problems import IssueCollector


@dataclass(frozen=True)
class DatasetReader:
    """A reader with the licence and citation of what it reads.

    Attributes
    ----------
    title
        The name that people use.
    read
        Folder (or file) to draft; raises DataError where the layout is not there at all.
    detect
        Whether a folder looks like this data set.
    license, citation, url
        As the publishers ask for them.
    expected
        Images in each official part of the complete data set; ``""`` where there are no parts.
    """

    title: str
    read: Callable[[Path, IssueCollector], RawTable]
    detect: Callable[[Path], bool]
    license: str
    citation: str
    url: str
    expected: Mapping[str, int] = field(default_factory=dict)
