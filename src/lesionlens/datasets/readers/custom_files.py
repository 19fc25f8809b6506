"""Find the image and mask files that the rows of a custom table name."""

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import pandas as pd

from lesionlens.core.missing import is_missing
from lesionlens.datasets.file_layout import ImageIndex, find_images, unique_ids, unique_stems
from lesionlens.datasets.issues import IssueCollector
from lesionlens.imaging.formats import strip_image_suffix

_MAX_DEPTH = 8  # levels of directories below the table that are searched for an ID


def locate_images(frame: pd.DataFrame, folder: Path) -> tuple[ImageIndex, pd.Series]:
    """Find the file of each row, by its path or by its ID anywhere below the directory; return files and IDs.

    Parameters
    ----------
    frame
        Table with a column ``path``, ``image_id`` or both.
    folder
        Directory of the table.
    """
    names = frame["path" if "path" in frame else "image_id"].map(_posix_path)
    by_path = {name: folder / name for name in names.unique() if name and _is_file(folder / name)}
    by_id = ImageIndex({}, (folder,))
    if len(by_path) < names.nunique():
        by_id = find_images(folder, depth=_MAX_DEPTH)
    ids = _image_ids(frame, names)
    files = {
        image_id: (by_path[name],) if name in by_path else _files_of_name(name, by_id)
        for image_id, name in zip(ids, names, strict=True)
    }
    return _index_of_rows(files, by_id), ids


def _image_ids(frame: pd.DataFrame, names: pd.Series) -> pd.Series:
    """Return the IDs of the rows: from the column ``image_id``, otherwise from the file names."""
    stems = unique_stems(names)
    if "image_id" not in frame:
        return stems
    ids = unique_ids(frame["image_id"].map(_posix_path))
    return ids.where(ids != "", stems)


def _files_of_name(name: str, index: ImageIndex) -> tuple[Path, ...]:
    """Return the files of the name, or with other extensions if none has its extension."""
    stem = strip_image_suffix(name)
    files = (index.images[stem], *index.alternatives.get(stem, ())) if stem in index.images else ()
    return tuple(path for path in files if path.name == name) or files


def _index_of_rows(files: Mapping[str, tuple[Path, ...]], by_id: ImageIndex) -> ImageIndex:
    images = {image_id: paths[0] for image_id, paths in files.items() if paths}
    used = {path for paths in files.values() for path in paths}
    return ImageIndex(
        images,
        by_id.searched,
        alternatives={image_id: paths[1:] for image_id, paths in files.items() if len(paths) > 1},
        unmatched=tuple(path for path in by_id.images.values() if path not in used),
        skipped=by_id.skipped,
    )


def _posix_path(name: str) -> str:
    r"""Return a path with forward slashes, without ``./`` and double slashes.

    Examples
    --------
    >>> _posix_path("./a\\\\b//c.jpg"), _posix_path("")
    ('a/b/c.jpg', '')
    """
    return str(PurePosixPath(name.replace("\\", "/"))) if name else ""


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # for example, the name is too long
        return False


def resolve_mask_paths(rows: pd.DataFrame, folder: Path, issues: IssueCollector) -> pd.DataFrame:
    """Make the mask paths absolute, and drop those that do not exist."""
    for column in ("mask_path", "feature_mask_paths"):
        if column in rows:
            paths = {cell: list(_split_paths(cell, folder)) for cell in rows[column].unique()}
            existing = {cell: [path for path in files if _is_file(path)] for cell, files in paths.items()}
            missing = {path for cell, files in paths.items() for path in files if path not in existing[cell]}
            issues.add_warning(
                "missing masks", sorted(map(str, missing)), hint="The images are used without them."
            )
            joined = {cell: ";".join(map(str, files)) for cell, files in existing.items()}
            rows = rows.assign(**{column: rows[column].map(joined)})
    return rows


def _split_paths(cell: str, folder: Path) -> Iterable[Path]:
    return (folder / _posix_path(name.strip()) for name in cell.split(";") if not is_missing(name))
