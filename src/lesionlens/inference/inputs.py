"""Inference inputs: images from folders, files and tables, with lesion ids, labels and masks where available."""

import os
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal

import pandas as pd

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.missing import is_missing
from lesionlens.core.tabular import is_readable_back
from lesionlens.core.task_names import ALL_CLASSES, CLASS_PREFIX
from lesionlens.core.taxonomy import DIAGNOSES, canonical_or_raw, match_class
from lesionlens.datasets.file_checks import check_within_root
from lesionlens.datasets.file_layout import find_masks_in, lesion_mask_paths, masked_image_id, unique_ids
from lesionlens.datasets.folder_walk import FolderWalk, describe_skipped
from lesionlens.datasets.issues import MAX_EXAMPLES, IssueCollector, pluralize
from lesionlens.datasets.readers import custom
from lesionlens.datasets.registry import DATASETS, load_table, parse_source
from lesionlens.datasets.table import LesionTable
from lesionlens.datasets.tasks import make_task
from lesionlens.imaging.decode import read_header
from lesionlens.imaging.formats import IMAGE_SUFFIXES, SIDECAR_SUFFIXES, other_format_of_name
from lesionlens.imaging.sources import (
    ImageSource,
    InMemoryImage,
    as_image_list,
    source_name,
)
from lesionlens.models.model_card import ModelCard

NON_IMAGE_SUFFIXES = ("_superpixels", "_segmentation")  # ISIC archives hold these files next to the images

ImageIds = Literal["name", "path"]
_Image = Path | InMemoryImage
_InputRow = tuple[str, _Image, str, str, Path | None]  # image ID, image, lesion ID, label, mask


@dataclass(frozen=True)
class InferenceInputs:
    """Images to score, one entry per image.

    Attributes
    ----------
    image_id, lesion_id
        Id and lesion of each image; images from folders, files and memory are their own lesion.
    image
        File of each image, or the image in memory.
    label
        Class of each image, or its label as in the table before ``map_labels_to_model_classes``; "" if unknown.
    mask
        Lesion mask file of each image, None if there is none.
    """

    image_id: tuple[str, ...]
    image: tuple[_Image, ...]
    lesion_id: tuple[str, ...]
    label: tuple[str, ...]
    mask: tuple[Path | None, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """File of each image; a ``DataError`` if an image is in memory."""
        files = tuple(image for image in self.image if isinstance(image, Path))
        if len(files) < len(self.image):
            raise DataError("Images in memory cannot be used here. Save them as files, and pass their paths")
        return files


def concatenate_inputs(parts: Sequence[InferenceInputs]) -> InferenceInputs:
    """Return the images of all parts, one after another."""
    names = ("image_id", "image", "lesion_id", "label", "mask")
    return InferenceInputs(**{name: tuple(chain(*(getattr(part, name) for part in parts))) for name in names})


def collect_inputs(
    sources: Sequence[ImageSource],
    *,
    labels: Sequence[str] | None = None,
    mask_dir: Path | None = None,
    ids: ImageIds = "name",
    within_root: bool = False,
) -> InferenceInputs:
    """Collect images from folders, image files, tables (``NAME:ROOT``, a CSV or parquet file), and memory.

    The IDs of images in memory are ``image_1``, ``image_2`` and so on, by their position among the sources.

    A warning counts the files of folders that are skipped: other formats, masks, and outputs of LesionLens.

    Parameters
    ----------
    labels
        True class of each image, in the order of the images; replaces the labels of tables.
    mask_dir
        Folder of lesion masks (``ID.png`` and the usual variants); replaces the masks that a table names.
    ids
        IDs of images from folders and files: ``name``, the file name without extension; ``path``, the path relative to
        the folder (of several sources, to the folder that contains them all), for equal names in different folders.
    within_root
        Whether a file of a table or folder is an error that is outside its folder, also if a link leads there.

    Raises
    ------
    DataError
        A source does not exist or contains no image, two images have the same id, a table without labels has a row
        without an image, or there are more or fewer labels than images.
    TypeError
        ``sources`` is one path or image, not a list.
    """
    sources = as_image_list(sources, "images")
    rows = [
        row
        for position, source in enumerate(sources, start=1)
        for row in _input_rows(source, position, within_root=within_root)
    ]
    if not rows:
        raise DataError("No images specified. Pass folders, image files, or a table as NAME:ROOT or FILE.csv")
    if ids == "path":
        rows = _with_relative_ids(rows, sources)
    image_ids, images, lesions, table_labels, masks = (tuple(column) for column in zip(*rows, strict=True))
    _check_names(image_ids)
    if len(set(image_ids)) < len(image_ids):
        raise DataError(_duplicate_id_message(image_ids, images))
    if mask_dir is not None:
        masks = find_masks_in(mask_dir, image_ids)
    if labels is not None and len(labels) != len(image_ids):
        raise DataError(
            f"There are {pluralize(len(labels), 'label')} for {pluralize(len(image_ids), 'image')}. "
            "Pass one label per image"
        )
    known = table_labels if labels is None else tuple(map(str, labels))
    return InferenceInputs(image_ids, images, lesions, known, masks)


def _with_relative_ids(rows: Sequence[_InputRow], sources: Sequence[ImageSource]) -> list[_InputRow]:
    """Replace the IDs of images from folders and files by their relative paths."""
    paths = [source for source in sources if isinstance(source, str | os.PathLike)]
    roots = [os.path.abspath(os.path.expanduser(path)) for path in paths]
    root = os.path.commonpath(roots) if len(roots) > 1 else (roots or [""])[0]
    root = root if os.path.isdir(root) else os.path.dirname(root)

    def relative_id(row: _InputRow) -> str:
        image_id, image, lesion_id, _, _ = row
        if not isinstance(image, Path) or not image_id == image.stem == lesion_id:
            return ""
        return Path(os.path.relpath(os.path.abspath(image), root)).as_posix()

    names = unique_ids(pd.Series(list(map(relative_id, rows))))
    return [(name, row[1], name, *row[3:]) if name else row for row, name in zip(rows, names, strict=True)]


def _check_names(ids: Sequence[str]) -> None:
    """Raise an error for ids that could not be written into a predictions file and read back."""
    unreadable = [name for name in ids if not is_readable_back(name)]
    if not unreadable:
        return
    try:
        unreadable[0].encode()
    except UnicodeEncodeError:
        reason = "is not valid UTF-8"
    else:
        reason = "has control characters, or blanks at its ends,"
    raise DataError(
        f"The file name {unreadable[0]!r} {reason} and cannot be written into a table. Rename the file"
    )


def _duplicate_id_message(ids: Sequence[str], images: Sequence[_Image]) -> str:
    """Return an error message for an id that two files have, or for a file that was passed twice."""
    repeated = [name for name, times in Counter(ids).items() if times > 1]
    first, second = [
        source_name(image) for name, image in zip(ids, images, strict=True) if name == repeated[0]
    ][:2]
    if os.path.abspath(first) == os.path.abspath(second):
        example, hint = f"{first}, which is passed twice", "Pass each image once."
    else:
        example, hint = (
            f"{repeated[0]!r} of {first} and {second}",
            'Use their relative paths as ids (--ids path, or ids="path" in Python), or rename them.',
        )
    kinds = (
        f"{pluralize(len(repeated), 'image id')} {'occurs' if len(repeated) == 1 else 'occur'} more than once"
    )
    return f"{kinds}, for example {example}. {hint}"


def inputs_from_table(
    table: LesionTable, task_name: str = "all", *, mask_dir: Path | None = None
) -> InferenceInputs:
    """Convert a lesion table into inference inputs, with labels of a task and optionally masks of another folder."""
    frame = table.frame
    labels = list(frame["diagnosis"])
    if task_name != "all":
        task = make_task(task_name, table.classes)
        labels = [task.mapping[diagnosis] for diagnosis in labels]
    ids, lesions = tuple(frame["image_id"]), tuple(frame["lesion_id"])
    return InferenceInputs(
        ids, table.paths, lesions, tuple(labels), tuple(lesion_mask_paths(table, mask_dir))
    )


def other_class(card: ModelCard) -> str:
    """Return the label of images that belong to none of the target classes, or "" if every class is a target."""
    if card.multilabel:
        return "rest" if "other" in card.classes else "other"
    task = str(card.training_data.get("task", ALL_CLASSES))
    positive = task.removeprefix(CLASS_PREFIX)
    is_one_vs_rest = task != ALL_CLASSES and positive in card.classes
    return next(iter(set(card.classes) - {positive})) if is_one_vs_rest else ""


def map_labels_to_model_classes(inputs: InferenceInputs, card: ModelCard) -> InferenceInputs:
    """Map labels, in any spelling, to the model's classes.

    Other diagnoses that the model was trained on, or that the taxonomy knows, become the other class if the model has
    one. All other labels become "", with a warning.
    """
    mapping = {label: _model_class(label, card) for label in set(inputs.label)}
    unknown = Counter(label for label in inputs.label if not mapping[label] and not is_missing(label))
    if unknown:
        shown = ", ".join(
            f"{label!r} ({pluralize(count, 'image')})" for label, count in unknown.most_common(MAX_EXAMPLES)
        )
        warnings.warn(
            f"Labels for which the model has no class are ignored: {shown}{', …' * (len(unknown) > MAX_EXAMPLES)}. "
            f"Its classes are {', '.join(card.classes)}",
            stacklevel=3,
        )
    return replace(inputs, label=tuple(mapping[label] for label in inputs.label))


def _model_class(label: str, card: ModelCard) -> str:
    """Return the model's class of a label, "" if there is none."""
    if name := match_class(label, card.classes):
        return name
    is_known = match_class(label, card.known_labels) or canonical_or_raw(label) in DIAGNOSES
    return other_class(card) if is_known or label == other_class(card) else ""


def _input_rows(source: ImageSource, position: int, *, within_root: bool) -> Iterator[_InputRow]:
    if isinstance(source, str | os.PathLike):
        yield from _path_rows(os.fspath(source), within_root=within_root)
    else:
        yield (name := f"image_{position}"), source, name, "", None


def _path_rows(source: str, *, within_root: bool) -> Iterator[_InputRow]:
    path = Path(source).expanduser()
    if path.is_dir():
        files = _find_images(path)
        if within_root:
            _check_within_root(pd.DataFrame({"path": map(str, files)}), path, source)
        yield from ((stem := file.stem, file, stem, "", None) for file in files)
    elif path.is_file() and _is_image_file(path):
        yield path.stem, path, path.stem, "", None
    elif ":" not in source and not path.exists():
        raise DataError(f"There is no file or folder {source}. Pass folders, image files or FILE.csv")
    else:
        inputs = _inputs_from_source(source, within_root=within_root)
        yield from zip(
            inputs.image_id, inputs.image, inputs.lesion_id, inputs.label, inputs.mask, strict=True
        )


def _is_image_file(path: Path) -> bool:
    """Return whether a file is an image, by its extension or else its content.

    Raises
    ------
    ImageError
        It is an image of a format that is not read.
    """
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return True
    if path.suffix.lower() in SIDECAR_SUFFIXES:
        return False
    try:
        read_header(path)
    except ImageError:
        if other_format_of_name(path.name):
            raise
        return False
    return True


def _find_images(folder: Path) -> list[Path]:
    """Return the images of a folder and its subfolders, sorted, from file names only (100,000 in two seconds)."""
    walk, masks = FolderWalk(folder), 0
    files = []
    for parent, names in walk:
        stems = {os.path.splitext(name)[0] for name in names}
        images = [name for name in names if not _is_mask(os.path.splitext(name)[0], stems)]
        masks += len(names) - len(images)
        files += [parent / name for name in images]
    skipped = walk.skipped + Counter({"masks or superpixels": masks})
    if not files:
        content = f"; it has {describe_skipped(skipped)}. Convert images of other formats" * bool(skipped)
        raise DataError(
            f"There is no image ({', '.join(sorted(IMAGE_SUFFIXES))}) in the folder {folder}{content}"
        )
    if skipped:
        warnings.warn(f"Skipped in {folder}: {describe_skipped(skipped)}", stacklevel=2)
    return sorted(files, key=lambda file: file.parts)


def _is_mask(stem: str, stems: Collection[str]) -> bool:
    """Return whether a file is a mask or superpixels: of an ISIC archive, or of an image in the same folder."""
    return stem.casefold().endswith(NON_IMAGE_SUFFIXES) or masked_image_id(stem) in stems


def _check_within_root(frame: pd.DataFrame, root: Path, source: str) -> None:
    issues = IssueCollector()
    check_within_root(frame, root, issues)
    issues.raise_errors(source)


def _inputs_from_source(source: str, *, within_root: bool) -> InferenceInputs:
    name, root = parse_source(source)
    if DATASETS[name] is not custom.CUSTOM_READER:
        table = load_table(source, within_root=within_root)
        for warning in table.warnings:
            if warning.startswith("rows without an image"):
                warnings.warn(f"{source}: {warning}", stacklevel=2)
        return inputs_from_table(table)
    issues = IssueCollector()
    rows = custom.read_images(root, issues)
    issues.raise_errors(source)
    if within_root:
        files = rows[["path", "mask_path"]].map(lambda file: str(file or ""))
        _check_within_root(files, root if root.is_dir() else root.parent, source)
    for warning in issues.warnings:
        warnings.warn(f"{source}: {warning}", stacklevel=2)
    paths = tuple(map(Path, rows["path"]))
    masks = tuple(Path(mask) if mask else None for mask in rows["mask_path"])
    ids, lesions, labels = (tuple(rows[column]) for column in ("image_id", "lesion_id", "label"))
    return InferenceInputs(ids, paths, lesions, labels, masks)
