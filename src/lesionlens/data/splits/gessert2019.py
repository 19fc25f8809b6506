"""The published split of HAM10000 of the patch-attention paper: one test part, three folds.

Gessert et al. 2019, section II.A: four equal parts of the same class distribution. The list is the authors'
(``indices_tbe.pkl`` of their public repository, positions among the sorted ids), here one letter for each image.
The list for their second data set (SPC, that is derm7pt) has no public counterpart by id and is not here.
"""

from functools import cache
from importlib.resources import files

import numpy as np

from lesionlens.data.problems import pluralize
from lesionlens.data.splits.holdout import ValidationSpec, add_validation_split
from lesionlens.data.splits.official import rows_to_split
from lesionlens.data.splits.split import CheckpointSplit, DatasetSplits
from lesionlens.data.table import LesionTable
from lesionlens.errors import DataError

GESSERT2019_NUM_FOLDS = 3
_FIRST_ISIC_NUMBER = 24306  # the number in HAM10000's first id
_SPLIT_OF_LETTER = {"t": "test", "0": "cv0", "1": "cv1", "2": "cv2"}


@cache
def published_folds() -> dict[str, str]:
    """Give ``test``, ``cv0``, ``cv1`` or ``cv2`` for each of the 10,015 ids."""
    text = files("lesionlens.data.published").joinpath("gessert2019.txt").read_text(encoding="ascii")
    letters = "".join(line for line in text.splitlines() if not line.startswith("#"))
    return {f"ISIC_{_FIRST_ISIC_NUMBER + place:07d}": _SPLIT_OF_LETTER[letter] for place, letter in enumerate(letters)}


def gessert2019(table: LesionTable, *, fold: int, checkpoint_split: CheckpointSplit = "validation") -> DatasetSplits:
    """Let ``cv<fold>`` validate, the other two train and the test part test.

    Images of the list that are not in the table are counted in a remark. Of ISIC 2018 the training part is used.

    Raises
    ------
    DataError
        An image is not in the published list.
    """
    rows, without = rows_to_split(table, "gessert2019")
    ids = table.frame["image_id"].to_numpy(dtype=str)[rows]
    listed = published_folds()
    if strangers := [image for image in ids if image not in listed]:
        raise DataError(
            f"the split gessert2019 is of HAM10000 alone; not in it: {pluralize(len(strangers), 'image')} of this table, "
            f"for example {', '.join(strangers[:5])}; use another data.split, such as grouped"
        )
    here = np.array([listed[image] for image in ids], dtype=object)
    named = np.full(len(table), "", dtype=object)
    named[rows] = np.where(here == "test", "test", np.where(here == f"cv{fold}", "validation", "train"))
    missing = len(listed) - len(rows)
    remarks = [f"{missing:,} of the split's {len(listed):,} images are not in the table"] if missing else []
    how = f"the published split of Gessert et al. 2019: cv{fold} validates, the other two train"
    return add_validation_split(table, named, how, ValidationSpec(0.0, 0, checkpoint_split), excluded=without, caveats=remarks)
