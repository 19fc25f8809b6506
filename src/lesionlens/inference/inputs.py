"""Inference inputs: images from folders, files and tables, with lesion ids, labels and masks where available."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lesionlens.core.errors import DataError
from lesionlens.core.task_names import ALL_CLASSES, CLASS_PREFIX
from lesionlens.datasets.file_layout import IMAGE_SUFFIXES, find_masks_in, lesion_mask_paths
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.readers import custom
from lesionlens.datasets.registry import DATASETS, load_table, parse_source
from lesionlens.datasets.table import LesionTable
from lesionlens.datasets.tasks import make_task
from lesionlens.models.saved_model import ModelCard

NON_IMAGE_SUFFIXES = ("_superpixels", "_segmentation")  # ISIC archives hold these files next to the images


@dataclass(frozen=True)
class InferenceInputs:
    """Images to score, one entry per image.

    Attributes
    ----------
    image_id, path, lesion_id
        Id, file and lesion of each image; images from folders and files are their own lesion.
    label
        Class of each image, "" if unknown.
    mask
        Lesion mask file of each image, None if there is none.
    """

    image_id: tuple[str, ...]
    path: tuple[Path, ...]
    lesion_id: tuple[str, ...]
    label: tuple[str, ...]
    mask: tuple[Path | None, ...]


def collect_inputs(
    sources: Sequence[str | Path], *, classes: Sequence[str] = (), mask_dir: Path | None = None
) -> InferenceInputs:
    """Collect images from folders, image files and tables (``NAME:ROOT``, a CSV or parquet file).

    Parameters
    ----------
    classes
        The model's classes; a table may use them as labels in addition to the standard diagnoses.
    mask_dir
        Folder of lesion masks (``ID.png`` and the usual variants); replaces the masks that a table names.

    Raises
    ------
    DataError
        A source does not exist or contains no image, two images have the same id, or a table without labels has a
        row without an image.
    """
    rows = [row for source in sources for row in _input_rows(str(source), classes)]
    if not rows:
        raise DataError("No images specified. Pass folders, image files, or a table as NAME:ROOT or FILE.csv")
    ids, paths, lesions, labels, masks = (tuple(column) for column in zip(*rows, strict=True))
    _check_encodable(ids)
    if len(set(ids)) < len(ids):
        raise DataError(_duplicate_id_message(ids, paths))
    return InferenceInputs(
        ids, paths, lesions, labels, masks if mask_dir is None else find_masks_in(mask_dir, ids)
    )


def _check_encodable(ids: Sequence[str]) -> None:
    """Raise an error for ids that could not be written into a predictions file."""
    try:
        "\n".join(ids).encode()
    except UnicodeEncodeError:
        unprintable = next(name for name in ids if not name.isprintable())
        raise DataError(
            f"The file name {unprintable!r} is not valid UTF-8 and cannot be written into a table. Rename the file"
        ) from None


def _duplicate_id_message(ids: Sequence[str], paths: Sequence[Path]) -> str:
    """Return an error message for an id that two files have, or for a file that was passed twice."""
    repeated = [name for name, times in Counter(ids).items() if times > 1]
    first, second = [path for name, path in zip(ids, paths, strict=True) if name == repeated[0]][:2]
    if first.absolute() == second.absolute():
        example, hint = f"{first}, which is passed twice", "Pass each image once."
    else:
        example, hint = (
            f"{repeated[0]!r} of {first} and {second}",
            "Rename the files, or score the folders separately.",
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
    """Map labels to the model's classes: other labels become the other class, or "" with a warning if there is none."""
    other = other_class(card)
    known = {"", other, *card.classes}
    unknown = sorted({label for label in inputs.label if label not in known})
    if unknown and not other:
        warnings.warn(
            f"Labels for which the model has no class are ignored: {', '.join(unknown)}. "
            f"Its classes are {', '.join(card.classes)}",
            stacklevel=3,
        )
    labels = tuple(label if label in known else other for label in inputs.label)
    return replace(inputs, label=labels)


def _input_rows(source: str, classes: Sequence[str]) -> Iterator[tuple[str, Path, str, str, Path | None]]:
    path = Path(source).expanduser()
    if path.is_dir():
        files = [Path(file) for file in _find_images(str(path))]
        if not files:
            raise DataError(f"There is no image ({', '.join(sorted(IMAGE_SUFFIXES))}) in the folder {path}")
        yield from ((file.stem, file, file.stem, "", None) for file in files)
    elif path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        yield path.stem, path, path.stem, "", None
    elif ":" not in source and not path.exists():
        raise DataError(f"There is no file or folder {source}. Pass folders, image files or FILE.csv")
    else:
        inputs = _inputs_from_source(source, classes)
        yield from zip(inputs.image_id, inputs.path, inputs.lesion_id, inputs.label, inputs.mask, strict=True)


def _find_images(folder: str) -> Iterator[str]:
    """Yield the images of a folder and its subfolders, sorted, from file names only (100,000 in about a second)."""
    try:
        with os.scandir(folder) as iterator:
            entries = sorted(iterator, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"Cannot list the folder {folder}: {error.strerror}. Make it readable, or exclude it"
        ) from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _find_images(entry.path)
        elif _is_image(entry.name):
            yield entry.path


def _is_image(name: str) -> bool:
    if name.startswith("."):  # macOS metadata files such as ._ISIC_1.jpg
        return False
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in IMAGE_SUFFIXES and not stem.casefold().endswith(NON_IMAGE_SUFFIXES)


def _inputs_from_source(source: str, classes: Sequence[str]) -> InferenceInputs:
    name, root = parse_source(source)
    issues = IssueCollector()
    rows = custom.read_unlabeled(root, issues) if DATASETS[name] is custom.CUSTOM_READER else None
    if rows is None:
        table = _load_custom_table(source, classes)
        for warning in table.warnings:
            if warning.startswith("rows without an image"):
                warnings.warn(f"{source}: {warning}", stacklevel=2)
        return inputs_from_table(table)
    issues.raise_errors(source)
    for warning in issues.warnings:
        warnings.warn(f"{source}: {warning}", stacklevel=2)
    paths = tuple(map(Path, rows["path"]))
    masks = tuple(Path(mask) if mask else None for mask in rows["mask_path"])
    return InferenceInputs(tuple(rows["image_id"]), paths, tuple(rows["lesion_id"]), ("",) * len(rows), masks)


def _load_custom_table(source: str, classes: Sequence[str]) -> LesionTable:
    """Load a table whose labels are standard diagnoses or, failing that, the model's classes."""
    try:
        return load_table(source)
    except DataError as error:
        try:
            return load_table(source, classes=classes)
        except DataError:
            raise error from None
