"""What is to be scored: images from folders, files and tables, with lesions and labels where they are known."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lesionlens.core.errors import DataError
from lesionlens.datasets.file_layout import IMAGE_SUFFIXES, find_masks_in, lesion_mask_paths
from lesionlens.datasets.issues import IssueCollector, pluralize
from lesionlens.datasets.readers import custom as own
from lesionlens.datasets.registry import DATASETS, load_table, parse_source
from lesionlens.datasets.table import LesionTable
from lesionlens.datasets.tasks import make_task
from lesionlens.models.saved_model import ModelCard

NON_IMAGE_SUFFIXES = ("_superpixels", "_segmentation")  # what ISIC's archives hold beside the images


@dataclass(frozen=True)
class InferenceInputs:
    """What is to be scored: ids, files, and lesions, labels ("" where not) and lesion masks where they are known."""

    image_id: tuple[str, ...]
    path: tuple[Path, ...]
    lesion_id: tuple[str, ...]
    label: tuple[str, ...]
    mask: tuple[Path | None, ...]


def collect_inputs(
    sources: Sequence[str | Path], *, classes: Sequence[str] = (), mask_dir: Path | None = None
) -> InferenceInputs:
    """Collect images from folders, files, and tables (``NAME:ROOT``, a CSV or parquet).

    Parameters
    ----------
    classes
        Labels that a table may hold beside the field's own.
    mask_dir
        Folder of lesion masks, ``ID.png`` and its like, in place of those that a table names.

    Raises
    ------
    DataError
        Something does not exist or holds no image, two images have the same id, or a table without labels
        has a row without an image.
    """
    rows = [row for source in sources for row in _input_rows(str(source), classes)]
    if not rows:
        raise DataError(
            "no images were given; give folders, image files, or a table as NAME:ROOT or FILE.csv"
        )
    ids, paths, lesions, labels, own_masks = (tuple(column) for column in zip(*rows, strict=True))
    _check_encodable(ids)
    if len(set(ids)) < len(ids):
        raise DataError(_duplicate_id_message(ids, paths))
    return InferenceInputs(
        ids, paths, lesions, labels, own_masks if mask_dir is None else find_masks_in(mask_dir, ids)
    )


def _check_encodable(ids: Sequence[str]) -> None:
    """Refuse now what no file of predictions could name in the end."""
    try:
        "\n".join(ids).encode()
    except UnicodeEncodeError:
        strange = next(name for name in ids if not name.isprintable())
        raise DataError(
            f"the file name {strange!r} is not in UTF-8 and cannot be written into a table; rename the file"
        ) from None


def _duplicate_id_message(ids: Sequence[str], paths: Sequence[Path]) -> str:
    """Say which id stands for two files, or which file was given twice."""
    twice = [name for name, times in Counter(ids).items() if times > 1]
    one, other = [path for name, path in zip(ids, paths, strict=True) if name == twice[0]][:2]
    if one.absolute() == other.absolute():
        example, do = f"{one}, which is given twice", "Give each image once."
    else:
        example, do = f"{twice[0]!r} of {one} and {other}", "Rename the files, or score the folders apart."
    kinds = f"{pluralize(len(twice), 'image id')} {'occurs' if len(twice) == 1 else 'occur'} more than once"
    return f"{kinds}, for example {example}. {do}"


def inputs_from_table(
    table: LesionTable, task_name: str = "all", *, mask_dir: Path | None = None
) -> InferenceInputs:
    """Take ids, files, lesions, labels and lesion masks (or those of a folder) from a table."""
    frame = table.frame
    labels = list(frame["diagnosis"])
    if task_name != "all":
        asked = make_task(task_name, table.classes)
        labels = [asked.mapping[diagnosis] for diagnosis in labels]
    ids, lesions = tuple(frame["image_id"]), tuple(frame["lesion_id"])
    return InferenceInputs(
        ids, table.paths, lesions, tuple(labels), tuple(lesion_mask_paths(table, mask_dir))
    )


def other_class(card: ModelCard) -> str:
    """Name the images that are none of those asked about, or "" where each class is asked about."""
    if card.multilabel:
        return "rest" if "other" in card.classes else "other"
    asked = str(card.training_data.get("task", "all"))
    return next(iter(set(card.classes) - {asked})) if asked in card.classes else ""


def map_labels_to_model_classes(inputs: InferenceInputs, card: ModelCard) -> InferenceInputs:
    """Translate labels into the model's classes: themselves, or the rest where there is one."""
    rest = other_class(card)
    own = {"", rest, *card.classes}
    strange = sorted({label for label in inputs.label if label not in own})
    if strange and not rest:
        warnings.warn(
            f"labels that the model has no class for are left empty: {', '.join(strange)}; "
            f"its classes are {', '.join(card.classes)}",
            stacklevel=3,
        )
    labels = tuple(label if label in own else rest for label in inputs.label)
    return replace(inputs, label=labels)


def _input_rows(source: str, classes: Sequence[str]) -> Iterator[tuple[str, Path, str, str, Path | None]]:
    path = Path(source).expanduser()
    if path.is_dir():
        files = [Path(file) for file in _find_images(str(path))]
        if not files:
            raise DataError(f"no image ({', '.join(sorted(IMAGE_SUFFIXES))}) in the folder {path}")
        yield from ((file.stem, file, file.stem, "", None) for file in files)
    elif path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        yield path.stem, path, path.stem, "", None
    elif ":" not in source and not path.exists():
        raise DataError(f"there is no file or folder {source}; give folders, image files or FILE.csv")
    else:
        found = _inputs_from_source(source, classes)
        yield from zip(found.image_id, found.path, found.lesion_id, found.label, found.mask, strict=True)


def _find_images(folder: str) -> Iterator[str]:
    """List the images in a folder and those in it, sorted, by names alone: an archive's 100,000 in a second or so."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(
            f"the folder {folder} cannot be listed: {error.strerror}. Make it readable, or leave it out"
        ) from error
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _find_images(entry.path)
        elif _is_image(entry.name):
            yield entry.path


def _is_image(name: str) -> bool:
    if name.startswith("."):  # ._ISIC_1.jpg of a Mac
        return False
    stem, suffix = os.path.splitext(name)
    return suffix.lower() in IMAGE_SUFFIXES and not stem.casefold().endswith(NON_IMAGE_SUFFIXES)


def _inputs_from_source(source: str, classes: Sequence[str]) -> InferenceInputs:
    name, root = parse_source(source)
    problems = IssueCollector()
    new = own.read_unlabeled(root, problems) if DATASETS[name] is own.CUSTOM_READER else None
    if new is None:
        table = _load_custom_table(source, classes)
        for fewer in (warning for warning in table.warnings if warning.startswith("rows without an image")):
            warnings.warn(f"{source}: {fewer}", stacklevel=2)
        return inputs_from_table(table)
    problems.raise_errors(source)
    for warning in problems.warnings:
        warnings.warn(f"{source}: {warning}", stacklevel=2)
    paths = tuple(map(Path, new["path"]))
    masks = tuple(Path(mask) if mask else None for mask in new["mask_path"])
    return InferenceInputs(tuple(new["image_id"]), paths, tuple(new["lesion_id"]), ("",) * len(new), masks)


def _load_custom_table(source: str, classes: Sequence[str]) -> LesionTable:
    """Read a table whose labels are diagnoses, or else the model's own classes."""
    try:
        return load_table(source)
    except DataError as error:
        try:
            return load_table(source, classes=classes)
        except DataError:
            raise error from None
