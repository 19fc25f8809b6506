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
from lesionlens.synthesis.noise import Mask
from lesionlens.synthesis.overlays import OVERLAYS, covered

PLANTED = ("ruler", "sticker", "ink", "hair", "bubbles")
STATEMENT = "Artefacts were painted on these images by a program, by their label. Research use only."
QUALITY = 95  # of every image's JPEG, painted on or not, so that compression tells nothing
_ROWS = 450  # pixels of height for which overlays are drawn
_FINE, _FINEST = ("ruler", "hair", "bubbles"), 0.6  # of that: finer lines would vanish in small images
_TRIES = 10
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
    if artefact not in PLANTED:
        raise DataError(unknown("artefact", artefact, PLANTED))
    if not -1 <= association <= 1:
        raise DataError(f"the association is {association}; allowed is -1 to 1")
    table, root = load_table(source), Path(root).absolute()
    if task not in table.classes:
        raise DataError(unknown("class", task, table.classes))
    frame = table.frame
    if nested := [name for name in frame["image_id"] if "/" in name]:
        raise DataError(
            f"{counted(len(nested), 'image')} of {source} have folders in their ids, for example {nested[0]}: the copy "
            "names its files by id. Give the table a column image_id of plain names"
        )
    positive = (frame["diagnosis"] == task).to_numpy(dtype=bool)
    chosen = planted(frame["image_id"], positive, association=association, seed=seed)
    with new_folder(root) as folder:
        for name in ("images", "artefact_masks"):
            (folder / name).mkdir()
        for number, (image_id, path) in enumerate(zip(frame["image_id"], table.paths, strict=True)):
            rng = drawn(seed, image_id, 1) if chosen[number] else None
            rgb = read_rgb(path, shorter_side=shorter_side)
            chosen[number] = _write_image(folder, image_id, rgb, artefact, rng)
            if progress:
                progress(number + 1, len(frame))
        _write_table(folder / "images.csv", table, root)
        present = zip(frame["image_id"], chosen.astype(int), strict=True)
        _write_lines(folder / "artefacts.csv", [("image_id", artefact), *present])
        about = {
            "statement": STATEMENT, "lesionlens": lesionlens.__version__, "source": source, "artefact": artefact,
            "task": task, "association": association, "seed": seed, **achieved(positive, chosen),
        }  # fmt: skip
        (folder / "planting.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return f"table:{root / 'images.csv'}"


def paint(
    rgb: npt.NDArray[np.uint8], artefact: str, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], Mask]:
    """Paint an artefact over an image (h, w, 3); give the picture, and where it changed, (h, w).

    One that misses the picture is drawn again; where it cannot be seen, on black, the mask is empty.
    """
    before = rgb.astype(np.float32) / np.float32(255)
    scale = min(rgb.shape[:2]) / _ROWS
    scale = max(_FINEST, scale) if artefact in _FINE else scale
    for _ in range(_TRIES):
        after = OVERLAYS[artefact](before.copy(), rng, scale).clip(0, 1)
        if (mask := covered(before, after)).any():
            break
    return np.asarray(np.round(after * 255), np.uint8), mask


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
