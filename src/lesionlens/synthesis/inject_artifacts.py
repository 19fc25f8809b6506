"""Copy a dataset and render an artifact on a random subset of its images, depending on their label (a shortcut)."""

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
from lesionlens.core.taxonomy import match_class
from lesionlens.datasets.issues import pluralize
from lesionlens.datasets.registry import load_table
from lesionlens.datasets.table import TABLE_COLUMNS, LesionTable
from lesionlens.imaging.decode import read_rgb
from lesionlens.synthesis.artifacts import INJECTABLE, overlay_artifact
from lesionlens.synthesis.dataset import encode_image

INJECTION_NOTICE = (
    "Artifacts were rendered on these images by a program, depending on their label. Research use only."
)
INJECTION_JPEG_QUALITY = 95  # the same for all images, so that compression does not reveal the artifact
_MASK_COLUMNS = ("mask_path", "feature_mask_paths")
BoolFlags = npt.NDArray[np.bool_]


def inject_artifact(
    source: str,
    root: Path,
    *,
    artifact: str,
    rate_difference: float,
    task: str = "melanoma",
    classes: Sequence[str] | None = None,
    seed: int = 0,
    max_short_side: int | None = None,
    within_root: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """Write a copy of a dataset with an artifact on a random subset of its images, completely or not at all.

    An image of the class ``task`` gets the artifact with probability (1 + rate_difference) / 2, any other image with
    (1 - rate_difference) / 2. There is one draw per image and seed: as the difference grows, images of the class only
    gain the artifact and others only lose it, and the artifact of an image always looks the same.

    Parameters
    ----------
    source
        Real or synthetic dataset, as for ``load_table``.
    root
        Directory that does not exist yet or is empty.
    artifact
        Name of an artifact in ``INJECTABLE``.
    rate_difference
        P(artifact | class) - P(artifact | other classes), -1 to 1.
    task
        Class of the dataset against all others.
    classes
        Labels of a custom table, if they are not diagnoses of the taxonomy.
    seed
        Random seed for all draws.
    max_short_side
        Upper bound of the shorter side in pixels; larger images are downsampled first.
    within_root
        As for ``load_table``.
    progress
        Called with the number of finished images and of all images.

    Returns
    -------
    str
        Source of the copy, ``table:ROOT/images.csv``. It has the official splits, lesions and masks of the original and
        refers to the original's mask files. The directory also has ``artifact_masks/ID.png``, white where the artifact
        changed a channel by more than ten gray levels (no file for images without it), ``artifacts.csv`` with the
        images that have it, and ``artifact_injection.json`` with its frequency by class.

    Raises
    ------
    DataError
        An unknown artifact or class, a rate difference outside -1 to 1, image ids with directories, or a root that is
        not empty.
    """
    root = Path(root).absolute()
    _check_artifact(artifact, rate_difference)
    table = _load_table_of_flat_ids(source, classes, within_root=within_root)
    frame, task = table.frame, _resolve_task(task, table.classes)
    positive = (frame["diagnosis"] == task).to_numpy(dtype=bool)
    selected = sample_artifact_flags(frame["image_id"], positive, rate_difference=rate_difference, seed=seed)
    with atomic_directory(root) as folder:
        visible = _write_images(
            folder, table, selected, artifact, seed=seed, max_short_side=max_short_side, progress=progress
        )
        _write_table(folder / "images.csv", table, root)
        present = zip(frame["image_id"], visible.astype(int), strict=True)
        _write_csv_rows(folder / "artifacts.csv", [("image_id", artifact), *present])
        metadata = {
            "statement": INJECTION_NOTICE, "lesionlens": lesionlens.__version__, "source": source, "artifact": artifact,
            "task": task, "rate_difference": rate_difference, "seed": seed,
            **artifact_counts_and_phi(positive, visible),
        }  # fmt: skip
        (folder / "artifact_injection.json").write_text(
            json.dumps(metadata, indent=1) + "\n", encoding="utf-8"
        )
    return f"table:{root / 'images.csv'}"


def sample_artifact_flags(
    image_ids: Iterable[str], positive: BoolFlags, *, rate_difference: float, seed: int
) -> BoolFlags:
    """Sample which images get the artifact, (n,); each image's draw depends only on its id and the seed."""
    draws = np.array([image_rng(seed, image_id, 0).random() for image_id in image_ids])
    return np.asarray(draws < np.where(positive, 1 + rate_difference, 1 - rate_difference) / 2)


def artifact_counts_and_phi(positive: BoolFlags, has_artifact: BoolFlags) -> dict[str, float | int | None]:
    """Return the fraction of images with the artifact by class, and the phi coefficient of class and artifact.

    Undefined values are None: the fraction of no images, or phi if class or artifact are constant.
    """
    in_class, in_others = has_artifact[positive], has_artifact[~positive]
    deviations = positive.std() * has_artifact.std()
    covariance = ((positive - positive.mean()) * (has_artifact - has_artifact.mean())).mean()
    return {
        "images": len(positive),
        "fraction_of_class": float(in_class.mean()) if len(in_class) else None,
        "fraction_of_others": float(in_others.mean()) if len(in_others) else None,
        "phi": float(covariance / deviations) if deviations else None,
    }


def image_rng(seed: int, image_id: str, purpose: int) -> np.random.Generator:
    """Return the random generator of one image for one purpose."""
    return np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(image_id.encode()), purpose]))


def _check_artifact(artifact: str, rate_difference: float) -> None:
    if artifact not in INJECTABLE:
        raise DataError(unknown_name_message("artifact", artifact, INJECTABLE))
    if not -1 <= rate_difference <= 1:
        raise DataError(f"the rate difference is {rate_difference}; allowed is -1 to 1")


def _load_table_of_flat_ids(source: str, classes: Sequence[str] | None, *, within_root: bool) -> LesionTable:
    """Load the dataset, and raise an error if an id cannot be the name of a file."""
    table = load_table(source, classes=classes, within_root=within_root)
    if nested := [name for name in table.frame["image_id"] if "/" in name]:
        raise DataError(
            f"{pluralize(len(nested), 'image id')} of {source} contain directories, for example {nested[0]}; the copy "
            "uses ids as file names. Add a column image_id without slashes to the table"
        )
    return table


def _resolve_task(task: str, classes: Sequence[str]) -> str:
    if not (name := match_class(task, classes)):
        raise DataError(
            f"{unknown_name_message('class', task, classes)}. Choose the class of the artifact with --task"
        )
    return name


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
    """Write all images, the selected ones with the artifact, and return where it is visible, (n,)."""
    for name in ("images", "artifact_masks"):
        (folder / name).mkdir()
    visible = np.zeros(len(selected), dtype=bool)
    for number, (image_id, path) in enumerate(zip(table.frame["image_id"], table.paths, strict=True)):
        rng = image_rng(seed, image_id, 1) if selected[number] else None
        rgb = read_rgb(path, max_short_side=max_short_side)
        visible[number] = _write_image(folder, image_id, rgb, artifact, rng)
        if progress:
            progress(number + 1, len(selected))
    return visible


def _write_image(
    folder: Path, image_id: str, rgb: npt.NDArray[np.uint8], artifact: str, rng: np.random.Generator | None
) -> bool:
    """Write an image, with the artifact if a random generator is given, and return whether it is visible."""
    visible = False
    if rng is not None:
        rgb, mask = overlay_artifact(rgb, artifact, rng)
        visible = bool(mask.any())
    if visible:
        encode_image(folder / "artifact_masks" / f"{image_id}.png", mask.astype(np.uint8) * 255, [])
    bgr = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, INJECTION_JPEG_QUALITY]
    encode_image(folder / "images" / f"{image_id}.jpg", bgr, quality)
    return visible


def _write_table(path: Path, table: LesionTable, root: Path) -> None:
    rows = table.frame
    rows["path"] = "images/" + rows["image_id"] + ".jpg"
    for column in _MASK_COLUMNS:
        rows[column] = [
            ";".join(_relative_path(root, path) for path in cell.split(";") if path) for cell in rows[column]
        ]
    rows = rows.assign(age=rows["age"].map(lambda age: "" if pd.isna(age) else f"{age:g}"))
    _write_csv_rows(path, [TABLE_COLUMNS, *rows[list(TABLE_COLUMNS)].itertuples(index=False)])


def _relative_path(root: Path, path: str) -> str:
    """Return a path relative to the copy, so that both directories can be moved together."""
    return os.path.relpath(Path(path).resolve(), root.resolve())


def _write_csv_rows(path: Path, lines: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows(lines)
