"""A copy of any data set in which an artefact is painted on some images, by their label: a shortcut made to measure."""

import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

import lesionlens
from lesionlens.atomic import new_folder
from lesionlens.data.datasets import load_table
from lesionlens.data.images import read_rgb
from lesionlens.data.problems import counted
from lesionlens.data.table import COLUMNS, LesionTable
from lesionlens.errors import DataError, unknown
from lesionlens.synthesis.association import achieved, drawn, planted
from lesionlens.synthesis.dataset import encode
from lesionlens.synthesis.paint import PLANTED, paint

STATEMENT = "Artefacts were painted on these images by a program, by their label. Research use only."
QUALITY = 95  # of every image's JPEG, painted on or not, so that compression tells nothing
_MASKS = ("mask_path", "feature_mask_paths")


def plant(
    source: str,
    root: Path,
    *,
    artefact: str,
    association: float,
    task: str = "melanoma",
    seed: int = 0,
    shorter_side: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write a copy of a data set with an artefact on a random share of its images, by label; complete or not at all.

    An image of the class ``task`` gets the artefact with probability (1 + association) / 2, any other with
    (1 - association) / 2. Whether it does is drawn once for an image and a seed: as the association grows, images of
    the class only gain the artefact and others only lose it, and the artefact of an image always looks the same.

    Parameters
    ----------
    source
        Any data set, as for `load_table`, real or synthetic.
    root
        Folder that does not exist yet or is empty.
    artefact
        A name of ``PLANTED``.
    association
        -1 to 1.
    task
        A class of the data set, against all others.
    shorter_side
        Bring larger images down to this many pixels first.
    progress
        Called with images done and images in all.

    Returns
    -------
    str
        The copy's source, ``table:ROOT/images.csv``. Its official parts, lesions and masks are those of the original,
        whose mask files it names where they lie. Beside it ``artefact_masks/ID.png`` is white where the artefact
        changed a channel by more than ten grey levels (no file where an image has none), ``artefacts.csv`` says
        which images have it, and ``planting.json`` how often, by class.

    Raises
    ------
    DataError
        An unknown artefact or class, an association outside -1 to 1, ids with folders, or a root that holds something.
    """
    table, root = _checked(source, artefact, association, task), Path(root).absolute()
    frame = table.frame
    positive = (frame["diagnosis"] == task).to_numpy(dtype=bool)
    chosen = planted(frame["image_id"], positive, association=association, seed=seed)
    with new_folder(root) as folder:
        seen = _write_images(
            folder, table, chosen, artefact, seed=seed, shorter_side=shorter_side, progress=progress
        )
        _write_table(folder / "images.csv", table, root)
        present = zip(frame["image_id"], seen.astype(int), strict=True)
        _write_lines(folder / "artefacts.csv", [("image_id", artefact), *present])
        about = {
            "statement": STATEMENT, "lesionlens": lesionlens.__version__, "source": source, "artefact": artefact,
            "task": task, "association": association, "seed": seed, **achieved(positive, seen),
        }  # fmt: skip
        (folder / "planting.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return f"table:{root / 'images.csv'}"


def _checked(source: str, artefact: str, association: float, task: str) -> LesionTable:
    """Read the data set and refuse what does not fit it."""
    if artefact not in PLANTED:
        raise DataError(unknown("artefact", artefact, PLANTED))
    if not -1 <= association <= 1:
        raise DataError(f"the association is {association}; allowed is -1 to 1")
    table = load_table(source)
    if task not in table.classes:
        raise DataError(unknown("class", task, table.classes))
    if nested := [name for name in table.frame["image_id"] if "/" in name]:
        raise DataError(
            f"{counted(len(nested), 'image')} of {source} have folders in their ids, for example {nested[0]}: the copy "
            "names its files by id. Give the table a column image_id of plain names"
        )
    return table


def _write_images(
    folder: Path,
    table: LesionTable,
    chosen: npt.NDArray[np.bool_],
    artefact: str,
    *,
    seed: int,
    shorter_side: int | None,
    progress: Callable[[int, int], None] | None,
) -> npt.NDArray[np.bool_]:
    """Write every image, painted on where it is chosen, (n,), and say where that can be seen, (n,)."""
    for name in ("images", "artefact_masks"):
        (folder / name).mkdir()
    seen = np.zeros(len(chosen), dtype=bool)
    for number, (image_id, path) in enumerate(zip(table.frame["image_id"], table.paths, strict=True)):
        rng = drawn(seed, image_id, 1) if chosen[number] else None
        rgb = read_rgb(path, shorter_side=shorter_side)
        seen[number] = _write_image(folder, image_id, rgb, artefact, rng)
        if progress:
            progress(number + 1, len(chosen))
    return seen


def _write_image(
    folder: Path, image_id: str, rgb: npt.NDArray[np.uint8], artefact: str, rng: np.random.Generator | None
) -> bool:
    """Write an image, painted on where there are random numbers for it, and say whether that can be seen."""
    seen = False
    if rng is not None:
        rgb, mask = paint(rgb, artefact, rng)
        seen = bool(mask.any())
    if seen:
        encode(folder / "artefact_masks" / f"{image_id}.png", mask.astype(np.uint8) * 255, [])
    bgr = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
    encode(folder / "images" / f"{image_id}.jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return seen


def _write_table(path: Path, table: LesionTable, root: Path) -> None:
    rows = table.frame
    rows["path"] = "images/" + rows["image_id"] + ".jpg"
    for column in _MASKS:
        rows[column] = [
            ";".join(_seen_from(root, part) for part in cell.split(";") if part) for cell in rows[column]
        ]
    rows = rows.assign(age=rows["age"].map(lambda age: "" if pd.isna(age) else f"{age:g}"))
    _write_lines(path, [COLUMNS, *rows[list(COLUMNS)].itertuples(index=False)])


def _seen_from(root: Path, path: str) -> str:
    """Name a file from the copy's folder, so that both can be moved together."""
    return os.path.relpath(Path(path).resolve(), root.resolve())


def _write_lines(path: Path, lines: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)
