"""A copy of any data set in which an artifact is painted on some images, by their label: a shortcut made to measure."""

import csv
import json
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

import lesionlens
from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.fileio import atomic_directory
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable
from lesionlens.imaging.decode import read_rgb
from lesionlens.synthesis.artifacts import INJECTABLE, overlay_artifact
from lesionlens.synthesis.dataset import encode_image

BoolFlags = npt.NDArray[np.bool_]


def sample_artifact_flags(
    image_ids: Iterable[str], positive: BoolFlags, *, rate_difference: float, seed: int
) -> BoolFlags:
    """Draw which images get the artifact, (n,); the draw of an image depends on its id and the seed alone."""
    draws = np.array([image_rng(seed, image_id, 0).random() for image_id in image_ids])
    return np.asarray(draws < np.where(positive, 1 + rate_difference, 1 - rate_difference) / 2)


def artifact_counts_and_phi(positive: BoolFlags, has_artifact: BoolFlags) -> dict[str, float | int | None]:
    """Count how often the artifact is there, by class, and give the phi coefficient of class and artifact.

    None stands for what is not defined: a share of no image, or phi where all or none have the artifact or the class.
    """
    with_class, without = has_artifact[positive], has_artifact[~positive]
    spread = positive.std() * has_artifact.std()
    shared = ((positive - positive.mean()) * (has_artifact - has_artifact.mean())).mean()
    return {
        "images": len(positive),
        "fraction_of_class": float(with_class.mean()) if len(with_class) else None,
        "fraction_of_others": float(without.mean()) if len(without) else None,
        "phi": float(shared / spread) if spread else None,
    }


def image_rng(seed: int, image_id: str, purpose: int) -> np.random.Generator:
    """Give the random numbers of one image for one purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(image_id.encode()), purpose]))


INJECTION_NOTICE = "Artifacts were painted on these images by a program, by their label. Research use only."
INJECTION_JPEG_QUALITY = 95  # of every image's JPEG, painted on or not, so that compression tells nothing
_MASK_COLUMNS = ("mask_path", "feature_mask_paths")


def inject_artifact(
    source: str,
    root: Path,
    *,
    artifact: str,
    rate_difference: float,
    task: str = "melanoma",
    seed: int = 0,
    max_short_side: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write a copy of a data set with an artifact on a random share of its images, by label; complete or not at all.

    An image of the class ``task`` gets the artifact with probability (1 + rate_difference) / 2, any other with
    (1 - rate_difference) / 2. Whether it does is drawn once for an image and a seed: as the difference grows, images of
    the class only gain the artifact and others only lose it, and the artifact of an image always looks the same.

    Parameters
    ----------
    source
        Any data set, as for `load_table`, real or synthetic.
    root
        Folder that does not exist yet or is empty.
    artifact
        A name of ``INJECTABLE``.
    rate_difference
        -1 to 1.
    task
        A class of the data set, against all others.
    max_short_side
        Bring larger images down to this many pixels first.
    progress
        Called with images done and images in all.

    Returns
    -------
    str
        The copy's source, ``table:ROOT/images.csv``. Its official parts, lesions and masks are those of the original,
        whose mask files it names where they lie. Beside it ``artifact_masks/ID.png`` is white where the artifact
        changed a channel by more than ten grey levels (no file where an image has none), ``artifacts.csv`` says
        which images have it, and ``artifact_injection.json`` how often, by class.

    Raises
    ------
    DataError
        An unknown artifact or class, a rate difference outside -1 to 1, ids with folders, or a root that holds
        something.
    """
    table, root = _load_checked_table(source, artifact, rate_difference, task), Path(root).absolute()
    frame = table.frame
    positive = (frame["diagnosis"] == task).to_numpy(dtype=bool)
    chosen = sample_artifact_flags(frame["image_id"], positive, rate_difference=rate_difference, seed=seed)
    with atomic_directory(root) as folder:
        seen = _write_images(
            folder, table, chosen, artifact, seed=seed, max_short_side=max_short_side, progress=progress
        )
        _write_table(folder / "images.csv", table, root)
        present = zip(frame["image_id"], seen.astype(int), strict=True)
        _write_csv_rows(folder / "artifacts.csv", [("image_id", artifact), *present])
        about = {
            "statement": INJECTION_NOTICE, "lesionlens": lesionlens.__version__, "source": source, "artifact": artifact,
            "task": task, "rate_difference": rate_difference, "seed": seed, **artifact_counts_and_phi(positive, seen),
        }  # fmt: skip
        (folder / "artifact_injection.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return f"table:{root / 'images.csv'}"


def _load_checked_table(source: str, artifact: str, rate_difference: float, task: str) -> LesionTable:
    """Read the data set and refuse what does not fit it."""
    if artifact not in INJECTABLE:
        raise DataError(unknown_name_message("artifact", artifact, INJECTABLE))
    if not -1 <= rate_difference <= 1:
        raise DataError(f"the rate difference is {rate_difference}; allowed is -1 to 1")
    table = load_table(source)
    if task not in table.classes:
        raise DataError(unknown_name_message("class", task, table.classes))
    if nested := [name for name in table.frame["image_id"] if "/" in name]:
        raise DataError(
            f"{pluralize(len(nested), 'image')} of {source} have folders in their ids, for example {nested[0]}: the "
            "copy names its files by id. Give the table a column image_id of plain names"
        )
    return table


def _write_images(
    folder: Path,
    table: LesionTable,
    selected: npt.NDArray[np.bool_],
    artifact: str,
    *,
    seed: int,
    max_short_side: int | None,
    progress: Callable[[int, int], None] | None,
) -> npt.NDArray[np.bool_]:
    """Write every image, painted on where it is chosen, (n,), and say where that can be seen, (n,)."""
    for name in ("images", "artifact_masks"):
        (folder / name).mkdir()
    seen = np.zeros(len(selected), dtype=bool)
    for number, (image_id, path) in enumerate(zip(table.frame["image_id"], table.paths, strict=True)):
        rng = image_rng(seed, image_id, 1) if selected[number] else None
        rgb = read_rgb(path, max_short_side=max_short_side)
        seen[number] = _write_image(folder, image_id, rgb, artifact, rng)
        if progress:
            progress(number + 1, len(selected))
    return seen


def _write_image(
    folder: Path, image_id: str, rgb: npt.NDArray[np.uint8], artifact: str, rng: np.random.Generator | None
) -> bool:
    """Write an image, painted on where there are random numbers for it, and say whether that can be seen."""
    seen = False
    if rng is not None:
        rgb, mask = overlay_artifact(rgb, artifact, rng)
        seen = bool(mask.any())
    if seen:
        encode_image(folder / "artifact_masks" / f"{image_id}.png", mask.astype(np.uint8) * 255, [])
    bgr = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
    encode_image(
        folder / "images" / f"{image_id}.jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, INJECTION_JPEG_QUALITY]
    )
    return seen


def _write_table(path: Path, table: LesionTable, root: Path) -> None:
    rows = table.frame
    rows["path"] = "images/" + rows["image_id"] + ".jpg"
    for column in _MASK_COLUMNS:
        rows[column] = [
            ";".join(_relative_path(root, part) for part in cell.split(";") if part) for cell in rows[column]
        ]
    rows = rows.assign(age=rows["age"].map(lambda age: "" if pd.isna(age) else f"{age:g}"))
    _write_csv_rows(path, [TABLE_COLUMNS, *rows[list(TABLE_COLUMNS)].itertuples(index=False)])


def _relative_path(root: Path, path: str) -> str:
    """Name a file from the copy's folder, so that both can be moved together."""
    return os.path.relpath(Path(path).resolve(), root.resolve())


def _write_csv_rows(path: Path, lines: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)
