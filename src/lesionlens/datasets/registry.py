"""The data sets by name, and the one way to load any of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers import (
    custom,
    derm7pt,
    ham10000,
    isic2016,
    isic2017,
    isic2018,
    isic2018_task1,
    isic2019,
)
from lesionlens.datasets.readers.base import DatasetReader, add_synthetic_ground_truth
from lesionlens.datasets.table import LesionTable
from lesionlens.datasets.validation import RawTable, build_table_frame, find_unusable_files


def _read_either_isic2018(root: Path, issues: IssueCollector) -> RawTable:
    """Read either distribution of these images; the challenge's where both lie in one folder."""
    reader = (
        ham10000.read_ham10000
        if ham10000.detect_ham10000(root) and not isic2018.has_ground_truth(root)
        else isic2018.read_isic2018
    )
    return reader(root, issues)


DATASETS: Mapping[str, DatasetReader] = {
    "isic2016": isic2016.ISIC2016_READER,
    "isic2017": isic2017.ISIC2017_READER,
    "ham10000": ham10000.HAM10000_READER,
    "isic2018": replace(isic2018.ISIC2018_READER, read=_read_either_isic2018),
    "isic2018-task1": isic2018_task1.ISIC2018_TASK1_READER,
    "isic2019": isic2019.ISIC2019_READER,
    "derm7pt": derm7pt.DERM7PT_READER,
    "table": custom.CUSTOM_READER,
}


def load_table(
    spec: str, *, classes: Sequence[str] | None = None, verify_images: bool = False
) -> LesionTable:
    """Load and check a data set.

    Parameters
    ----------
    spec
        ``NAME:ROOT`` with a name of ``DATASETS`` (``isic2017:FOLDER``, ``table:FILE.csv``); or a path alone,
        to a CSV or parquet file or to a folder whose layout is recognised.
    classes
        The labels of one's own table, where they are not diagnoses of the taxonomy.
    verify_images
        Decode every image and its masks, rather than read the images' headers only.

    Raises
    ------
    DataError
        The name, the folder or the layout is wrong, or training would be: then everything that is wrong is
        told together.
    """
    name, root = parse_source(spec)
    dataset = DATASETS[name]
    if classes is not None and dataset is not custom.CUSTOM_READER:
        raise DataError(f"classes are named for a table of one's own; {dataset.title} has its own classes")
    reader = dataset.read if classes is None else partial(custom.read_custom_table, classes=classes)
    issues = IssueCollector()
    raw_table = add_synthetic_ground_truth(reader(root, issues), root)
    frame = build_table_frame(raw_table, issues, source=name)
    wrong = find_unusable_files(frame, verify_images=verify_images)
    issues.add_error("files that cannot be read", wrong.images, hint="Fetch them again, or remove them.")
    issues.add_warning(
        "masks that cannot be used",
        wrong.masks,
        hint="What needs a mask refuses them; all else goes on without.",
    )
    issues.raise_errors(f"{name}:{root}")
    return LesionTable(name, root, frame, raw_table.classes, issues.warnings, issues.excluded)


def parse_source(spec: str) -> tuple[str, Path]:
    """Split ``NAME:ROOT``, or find the name that a bare path deserves.

    Raises
    ------
    DataError
        The name or the path does not exist, or no layout is recognised.
    """
    name, colon, rest = spec.partition(":")
    if colon and not Path(spec).expanduser().exists():
        if name not in DATASETS:
            raise DataError(unknown_name_message("data set", name, DATASETS))
        return name, _existing_path(rest)
    root = _existing_path(spec)
    fitting = [name for name, dataset in DATASETS.items() if dataset.detect(root)]
    if not fitting:
        raise DataError(_unrecognized_message(root))
    return fitting[0], root


def _unrecognized_message(root: Path) -> str:
    if root.is_file():
        return f"{root} is no table; give a CSV or parquet file, or say that it is one: table:{root}"
    folders = ", ".join(name for name, dataset in DATASETS.items() if dataset is not custom.CUSTOM_READER)
    return (
        f"{root} has no layout that is recognised; say which it is, as NAME:{root} with one of {folders}, "
        f"or give the table itself: {custom.guess_table_path(root)}"
    )


def _existing_path(text: str) -> Path:
    root = Path(text).expanduser().absolute()  # runs may be read from another folder
    if not text or not root.exists():
        came = text or "a path that is empty"
        raise DataError(f"{came} does not exist; give NAME:FOLDER or table:FILE.csv")
    return root
