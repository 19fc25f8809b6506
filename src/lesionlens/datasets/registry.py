"""Dataset readers by name, and loading of any dataset."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.list_arguments import as_name_list
from lesionlens.core.tabular import read_table
from lesionlens.datasets.file_checks import check_files, check_within_root
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
from lesionlens.datasets.validation import RawTable, build_table_frame


def _read_either_isic2018(root: Path, issues: IssueCollector) -> RawTable:
    """Read either distribution of these images, preferring that of the challenge if a folder contains both."""
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
    spec: str | Path,
    *,
    classes: Sequence[str] | None = None,
    verify_images: bool = False,
    labels: custom.LabelPolicy = "required",
    within_root: bool = False,
) -> LesionTable:
    """Load and check a dataset.

    Parameters
    ----------
    spec
        ``NAME:ROOT`` with a name of ``DATASETS`` (``isic2017:FOLDER``, ``table:FILE.csv``), or only the path of a CSV
        or Parquet file or of a directory with a known layout.
    classes
        Labels of a custom table, if they are not diagnoses of the taxonomy.
    verify_images
        Decode every image and its masks. Default: read only the headers of the images.
    labels
        ``optional``: labels of a custom table may be missing or unknown, because nothing that follows needs them;
        ``classes`` are then known labels next to the taxonomy, and have no effect on other datasets.
    within_root
        Whether a file outside the folder of the dataset or table is an error, also if a link leads there.

    Raises
    ------
    DataError
        The name, the path or the layout is wrong, or the data would invalidate training; all errors are reported
        together.
    TypeError
        ``classes`` is one name, not a list.
    """
    name, root = parse_source(str(spec))
    classes = None if classes is None else as_name_list(classes, "classes")
    dataset = DATASETS[name]
    is_custom = dataset is custom.CUSTOM_READER
    if classes is not None and not is_custom and labels == "required":
        raise DataError(f"classes can be set only for a custom table; {dataset.title} has its own classes")
    reader = partial(custom.read_custom_table, classes=classes, labels=labels) if is_custom else dataset.read
    issues = IssueCollector()
    raw_table = add_synthetic_ground_truth(reader(root, issues), root)
    frame = build_table_frame(raw_table, issues, source=name)
    if within_root:
        check_within_root(frame, root if root.is_dir() else root.parent, issues)
        issues.raise_errors(f"{name}:{root}")
    check_files(frame, issues, verify_images=verify_images)
    issues.raise_errors(f"{name}:{root}")
    return LesionTable(
        name,
        root,
        frame,
        raw_table.classes,
        issues.warnings,
        issues.excluded,
        raw_table.image_index.skipped,
    )


def parse_source(spec: str) -> tuple[str, Path]:
    """Split ``NAME:ROOT`` into dataset name and path, or detect the name from a path.

    Raises
    ------
    DataError
        The name or the path does not exist, or the layout is unknown.
    """
    name, colon, rest = spec.partition(":")
    if colon and not Path(spec).expanduser().exists():
        if name not in DATASETS:
            raise DataError(unknown_name_message("dataset", name, DATASETS))
        return name, _existing_path(rest)
    root = _existing_path(spec)
    detected = [name for name, dataset in DATASETS.items() if dataset.detect(root)]
    if not detected:
        raise DataError(_unrecognized_message(root))
    return detected[0], root


def _unrecognized_message(root: Path) -> str:
    if root.is_file():
        try:
            read_table(root)
        except DataError as error:
            return str(error)
        return f"{root} does not look like a table; use a CSV or Parquet file, or table:{root} if it is one"
    names = ", ".join(name for name, dataset in DATASETS.items() if dataset is not custom.CUSTOM_READER)
    return (
        f"{root} has no known layout; use NAME:{root} with one of {names}, "
        f"or name a table of images: {custom.guess_table_path(root)}"
    )


def _existing_path(text: str) -> Path:
    root = Path(text).expanduser().absolute()  # a run may be opened from another working directory
    if not text or not root.exists():
        raise DataError(f"{text or 'an empty path'} does not exist; use NAME:FOLDER or table:FILE.csv")
    return root
