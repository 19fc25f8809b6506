"""HAM10000 as distributed by its authors: one metadata file, images in one or several directories.

Tschandl, Rosendahl & Kittler 2018, "The HAM10000 dataset". The same images are the training split of ISIC 2018
task 3, whose layout is read as well, see ``isic2018``.
"""

from pathlib import Path

from lesionlens.core.errors import DataError
from lesionlens.core.tabular import read_table
from lesionlens.core.taxonomy import ISIC2018_CLASSES
from lesionlens.datasets.file_layout import ISIC_ID, find_images, find_masks
from lesionlens.datasets.issues import IssueCollector
from lesionlens.datasets.readers import isic2018
from lesionlens.datasets.readers.base import DatasetReader
from lesionlens.datasets.readers.dx_metadata import METADATA_FILENAME, find_metadata, rows_from_dx
from lesionlens.datasets.validation import RawTable

HAM10000_MASK_DIRS = (*isic2018.MASK_DIRS, "masks")


def read_ham10000(root: Path, issues: IssueCollector) -> RawTable:
    """Read either distribution of the images.

    Raises
    ------
    DataError
        Neither layout is there, or the metadata lacks a column.
    """
    path = find_metadata(root)
    if path is None:
        if isic2018.has_ground_truth(root):
            return isic2018.read_isic2018(root, issues)
        raise DataError(
            f"{root} is not HAM10000: neither {METADATA_FILENAME} nor ISIC2018_Task3_*_GroundTruth.csv is there"
        )
    rows = rows_from_dx(read_table(path), path, issues)
    index = find_images(root, id_pattern=ISIC_ID)
    test_images = index.select(lambda _, path: path.parent.name in isic2018.TEST_DIRS).images
    issues.exclude(
        "images of the official test split of ISIC 2018",
        sorted(test_images.keys() - set(rows["image_id"])),
        reason="in the official test split of ISIC 2018, which is not part of HAM10000",
        hint=f"They are excluded; isic2018:{root} reads both.",
    )
    images = index.select(lambda _, path: path.parent.name not in isic2018.TEST_DIRS)
    return RawTable(rows, images, ISIC2018_CLASSES, find_masks(*(root / name for name in HAM10000_MASK_DIRS)))


def detect_ham10000(root: Path) -> bool:
    """Return whether the metadata file is there."""
    return find_metadata(root) is not None


HAM10000_READER = DatasetReader(
    title="HAM10000",
    read=read_ham10000,
    detect=detect_ham10000,
    license="CC BY-NC 4.0",
    citation="Tschandl, Rosendahl & Kittler 2018, The HAM10000 dataset, Scientific Data 5:180161",
    url="https://doi.org/10.7910/DVN/DBW86T",
    expected={"": 10015},
)
