"""Check the image and mask files of a table, and report all issues together."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.fileio import sha256_of_file
from lesionlens.core.prefetch import prefetch
from lesionlens.datasets.issues import IssueCollector
from lesionlens.imaging.decode import read_header, read_rgb
from lesionlens.imaging.masks import BinaryMask, ImageSize, check_aspect_ratio, read_mask
from lesionlens.imaging.superpixels import union_of_features

_HINTS = {
    "lesion masks without a lesion": "Steps that need a mask exclude these images.",
    "lesion masks that cover the full image": "Check that they are masks, with 0 outside the lesion.",
    "lesion masks that may be inverted": "The full border is inside; the lesion must be the bright part.",
    "lesion masks that are outlines": "Fill the outline, so that all of the lesion is inside.",
}
_OUTLINE_FACTOR = 2  # area of a mask with its holes filled, in areas of the mask; lesions have few holes


def check_files(frame: pd.DataFrame, issues: IssueCollector, *, verify_images: bool) -> None:
    """Check that every image can be read, and collect the issues.

    Parameters
    ----------
    frame
        Columns ``image_id``, ``diagnosis``, ``path``, ``mask_path`` and ``feature_mask_paths``.
    issues
        Collector of errors and warnings.
    verify_images
        Decode every image and mask, and compare files of the same size. Default: read only the headers of the images.
    """
    if not verify_images:
        unusable = [reason for reason in prefetch(_header_error, frame["path"]) if reason]
        _add_unusable_images(unusable, issues)
        return
    rows = frame[["path", "mask_path", "feature_mask_paths"]].itertuples(index=False, name=None)
    findings = list(prefetch(_check_row, rows))
    _add_unusable_images([finding.image_error for finding in findings if finding.image_error], issues)
    issues.add_warning(
        "masks that cannot be used",
        [error for finding in findings for error in finding.mask_errors],
        hint="Steps that need a mask raise an error; all others ignore it.",
    )
    for kind, hint in _HINTS.items():
        pairs = zip(frame["image_id"], findings, strict=True)
        issues.add_warning(kind, [name for name, finding in pairs if finding.mask_kind == kind], hint=hint)
    _add_identical_files(frame, issues)


def check_within_root(frame: pd.DataFrame, root: Path, issues: IssueCollector) -> None:
    """Add an error for each image and mask outside a folder, after links are followed; no file is opened."""
    folder = root.resolve()
    for column in frame.columns.intersection(["path", "mask_path", "feature_mask_paths"]):
        separator = ";" if column == "feature_mask_paths" else "\0"
        names = [name for cell in frame[column] for name in cell.split(separator) if name]
        outside = [name for name in names if not Path(name).resolve().is_relative_to(folder)]
        issues.add_error(
            "files outside the folder of the dataset",
            outside,
            hint=f"Copy them below {folder}, or omit --within-root.",
        )


def _add_unusable_images(unusable: list[str], issues: IssueCollector) -> None:
    issues.add_error("files that cannot be read", unusable, hint="Download them again, or remove them.")


def _header_error(path: str) -> str:
    try:
        read_header(Path(path))
    except ImageError as error:
        return str(error)
    return ""


class _Finding(NamedTuple):
    """What is wrong with the files of a row; empty if nothing is."""

    image_error: str = ""
    mask_errors: tuple[str, ...] = ()
    mask_kind: str = ""


def _check_row(row: tuple[str, str, str]) -> _Finding:
    path, mask_path, feature_mask_paths = row
    try:
        size = read_rgb(Path(path), max_short_side=64, draft=True).shape[:2]  # fast, and every byte is read
    except ImageError as error:
        return _Finding(str(error))
    errors, kind = [], ""
    try:
        kind = _check_lesion_mask(Path(mask_path), (size[0], size[1]), path) if mask_path else ""
    except DataError as error:
        errors.append(str(error))
    try:
        union_of_features(feature_mask_paths, (size[0], size[1]))
    except DataError as error:
        errors.append(str(error))
    return _Finding("", tuple(errors), kind)


def _check_lesion_mask(mask_path: Path, size: ImageSize, image_path: str) -> str:
    """Return what is unusual about a mask, as in ``_HINTS``, or ""."""
    mask = read_mask(mask_path)
    check_aspect_ratio(mask_path, mask.shape, size, image_path=image_path)
    return next((kind for kind in _unusual_kinds(mask)), "")


def _unusual_kinds(mask: BinaryMask) -> Iterator[str]:
    if not mask.any():
        yield "lesion masks without a lesion"
    elif mask.all():
        yield "lesion masks that cover the full image"
    elif all(side.all() for side in (mask[0], mask[-1], mask[:, 0], mask[:, -1])):
        yield "lesion masks that may be inverted"
    elif _filled_area(mask) > _OUTLINE_FACTOR * np.count_nonzero(mask):
        yield "lesion masks that are outlines"


def _filled_area(mask: BinaryMask) -> int:
    """Return the number of pixels inside a mask with its holes filled."""
    outside = cv2.copyMakeBorder((~mask).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=1)
    cv2.floodFill(outside, None, (0, 0), 0)
    return int(np.count_nonzero(mask) + np.count_nonzero(outside))


def _add_identical_files(frame: pd.DataFrame, issues: IssueCollector) -> None:
    """Add warnings about images whose files are identical, and whether their labels differ."""
    labels = dict(zip(frame["image_id"], frame["diagnosis"], strict=True))
    groups = _identical_files(frame)
    issues.add_warning(
        "groups of identical image files",
        [" = ".join(group) for group in groups],
        hint="Keep them in one split: give them one lesion_id, or remove all but one.",
    )
    issues.add_warning(
        "identical image files with different labels",
        [
            " and ".join(f"{name} {labels[name]}" for name in group)
            for group in groups
            if len({labels[name] for name in group}) > 1
        ],
        hint="Correct the labels.",
    )


def _identical_files(frame: pd.DataFrame) -> list[list[str]]:
    """Return groups of image ids with identical files; only files of the same size are read."""
    by_size: defaultdict[int, list[tuple[str, Path]]] = defaultdict(list)
    for image_id, path in zip(frame["image_id"], map(Path, frame["path"]), strict=True):
        if path.is_file():
            by_size[path.stat().st_size].append((image_id, path))
    candidates = [entry for entries in by_size.values() if len(entries) > 1 for entry in entries]
    digests = prefetch(sha256_of_file, [path for _, path in candidates])
    by_digest: defaultdict[str, list[str]] = defaultdict(list)
    for (image_id, _), digest in zip(candidates, digests, strict=True):
        by_digest[digest].append(image_id)
    return [sorted(names) for names in by_digest.values() if len(names) > 1]
