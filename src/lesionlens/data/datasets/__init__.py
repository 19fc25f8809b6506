"""The data sets by name, and the one way to load any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lesionlens.data.assemble import Draft, assemble
from lesionlens.data.check_files import unusable
from lesionlens.data.datasets import (
    derm7pt,
    ham10000,
    isic2016,
    isic2017,
    isic2018,
    isic2018_task1,
    isic2019,
    own,
)
from lesionlens.data.datasets.record import DataSet
from lesionlens.data.datasets.synthetic import with_truth
from lesionlens.data.problems import Problems
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError, unknown


def _isic2018(root: Path, problems: Problems) -> Draft:
    """Read either distribution of these images; the challenge's where both lie in one folder."""
    reader = ham10000.read if ham10000.recognise(root) and not isic2018.has_truth(root) else isic2018.read
    return reader(root, problems)


DATASETS: Mapping[str, DataSet] = {
    "isic2016": isic2016.RECORD,
    "isic2017": isic2017.RECORD,
    "ham10000": ham10000.RECORD,
    "isic2018": replace(isic2018.RECORD, read=_isic2018),
    "isic2018-task1": isic2018_task1.RECORD,
    "isic2019": isic2019.RECORD,
    "derm7pt": derm7pt.RECORD,
    "table": own.RECORD,
}


def load_table(spec: str, *, classes: Sequence[str] | None = None, decode: bool = False) -> LesionTable:
    """Load and check a data set.

    Parameters
    ----------
    spec
        ``NAME:ROOT`` with a name of ``DATASETS`` (``isic2017:FOLDER``, ``table:FILE.csv``); or a path alone,
        to a CSV or parquet file or to a folder whose layout is recognised.
    classes
        The labels of one's own table, where they are not diagnoses of the taxonomy.
    decode
        Decode every image and its masks, rather than read the images' headers only.

    Raises
    ------
    DataError
        The name, the folder or the layout is wrong, or training would be: then everything that is wrong is
        told together.
    """
    name, root = resolved(spec)
    dataset = DATASETS[name]
    if classes is not None and dataset is not own.RECORD:
        raise DataError(f"classes are named for a table of one's own; {dataset.title} has its own classes")
    reader = dataset.read if classes is None else partial(own.read, classes=classes)
    problems = Problems()
    draft = with_truth(reader(root, problems), root)
    frame = assemble(draft, problems, source=name)
    wrong = unusable(frame, decode=decode)
    problems.error("files that cannot be read", wrong.images, do="Fetch them again, or remove them.")
    problems.warn(
        "masks that cannot be used",
        wrong.masks,
        do="What needs a mask refuses them; all else goes on without.",
    )
    problems.raise_errors(f"{name}:{root}")
    return LesionTable(name, root, frame, draft.classes, problems.warnings, problems.left_out)


def resolved(spec: str) -> tuple[str, Path]:
    """Split ``NAME:ROOT``, or find the name that a bare path deserves.

    Raises
    ------
    DataError
        The name or the path does not exist, or no layout is recognised.
    """
    name, colon, rest = spec.partition(":")
    if colon and not Path(spec).expanduser().exists():
        if name not in DATASETS:
            raise DataError(unknown("data set", name, DATASETS))
        return name, _existing(rest)
    root = _existing(spec)
    fitting = [name for name, dataset in DATASETS.items() if dataset.recognise(root)]
    if not fitting:
        raise DataError(_unrecognised(root))
    return fitting[0], root


def _unrecognised(root: Path) -> str:
    if root.is_file():
        return f"{root} is no table; give a CSV or parquet file, or say that it is one: table:{root}"
    folders = ", ".join(name for name, dataset in DATASETS.items() if dataset is not own.RECORD)
    return (
        f"{root} has no layout that is recognised; say which it is, as NAME:{root} with one of {folders}, "
        f"or give the table itself: {own.table_in(root)}"
    )


def _existing(text: str) -> Path:
    root = Path(text).expanduser().absolute()  # runs may be read from another folder
    if not text or not root.exists():
        came = text or "a path that is empty"
        raise DataError(f"{came} does not exist; give NAME:FOLDER or table:FILE.csv")
    return root
