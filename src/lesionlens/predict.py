"""A bundle and images to a file of predictions: the one way, for commands, reports and services alike."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.data.datasets import load_table
from lesionlens.data.table import LesionTable
from lesionlens.data.taxonomy import task
from lesionlens.errors import DataError, ImageError
from lesionlens.evaluate.prediction_table import Predictions
from lesionlens.evaluate.predictions import write_predictions
from lesionlens.models.bundle import Card, Loaded, load_model
from lesionlens.preprocessing import Preprocessing

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"})
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Subjects:
    """What is to be scored: ids, files, and lesions and labels where they are known ("" where not)."""

    image_id: tuple[str, ...]
    path: tuple[Path, ...]
    lesion_id: tuple[str, ...]
    label: tuple[str, ...]


@dataclass(frozen=True)
class Scored:
    """The predictions of the images that could be read, and why the others could not."""

    predictions: Predictions
    unreadable: tuple[str, ...]


def subjects(sources: Sequence[str | Path], *, classes: Sequence[str] = ()) -> Subjects:
    """Collect images from folders, files, and tables (``NAME:ROOT``, a CSV or parquet).

    Raises
    ------
    DataError
        Something does not exist or holds no image, or two images have the same id.
    """
    rows = [row for source in sources for row in _rows(str(source), classes)]
    if not rows:
        raise DataError(
            "no images were given; give folders, image files, or a table as NAME:ROOT or FILE.csv"
        )
    ids, paths, lesions, labels = (tuple(column) for column in zip(*rows, strict=True))
    if len(set(ids)) < len(ids):
        twice = sorted({name for name in ids if ids.count(name) > 1})
        raise DataError(f"{len(twice)} image ids occur more than once, for example {', '.join(twice[:5])}")
    return Subjects(ids, paths, lesions, labels)


def of_table(table: LesionTable, task_name: str = "all") -> Subjects:
    """Take ids, files, lesions and labels from a table."""
    frame, asked = table.frame, task(task_name, table.classes)
    labels = [asked.mapping[diagnosis] for diagnosis in frame["diagnosis"]]
    return Subjects(tuple(frame["image_id"]), table.paths, tuple(frame["lesion_id"]), tuple(labels))


def score(
    loaded: Loaded, wanted: Subjects, *, batch_size: int = 32, progress: Progress | None = None
) -> Scored:
    """Score images as the card says: decoded, cropped and normalised as in training, probabilities averaged.

    Raises
    ------
    DataError
        Not one image can be read.
    """
    device = next(loaded.model.parameters()).device
    kept: list[int] = []
    unreadable: list[str] = []
    scores: list[NDArray[np.float64]] = []
    with torch.inference_mode():
        for places, views in _batches(loaded.card.preprocessing, wanted.path, batch_size, unreadable):
            x = loaded.card.preprocessing.normalised(torch.from_numpy(views).to(device).flatten(0, 1))
            softmax = loaded.model(x).logits.double().softmax(dim=1)
            scores.append(softmax.reshape(*views.shape[:2], -1).mean(dim=1).cpu().numpy())
            kept += places
            if progress is not None:
                progress(len(kept) + len(unreadable), len(wanted.path))
    if not kept:
        raise DataError("not one image can be read:\n  " + "\n  ".join(unreadable[:5]))

    def chosen(values: Sequence[str]) -> NDArray[np.str_]:
        return np.array([values[place] for place in kept])

    found = Predictions(
        chosen(wanted.image_id),
        chosen(wanted.lesion_id),
        chosen(wanted.label),
        np.clip(np.concatenate(scores), 0, 1),
        loaded.card.classes,
    )
    return Scored(found, tuple(unreadable))


def predict(
    bundle: Path | str,
    images: Sequence[str | Path],
    *,
    out: Path | None = None,
    device: str = "cpu",
    batch_size: int = 32,
    progress: Progress | None = None,
) -> Scored:
    """Score images with a saved model and, if asked for, write ``predictions.csv``.

    Parameters
    ----------
    bundle
        A bundle's folder, or a run's.
    images
        Folders, image files, or tables (``NAME:ROOT``, a CSV or parquet).
    out
        Where the predictions go.

    Raises
    ------
    LesionLensError
        The bundle or the images cannot be used, or the file cannot be written.
    """
    loaded = load_model(bundle, device=device)
    wanted = _as_asked(subjects(images, classes=loaded.card.classes), loaded.card)
    scored = score(loaded, wanted, batch_size=batch_size, progress=progress)
    if out is not None:
        write_predictions(out, scored.predictions)
    return scored


def _as_asked(wanted: Subjects, card: Card) -> Subjects:
    """Translate labels into the model's classes: themselves, or the rest in a task of one against the rest."""
    asked = str(card.trained_on.get("task", "all"))
    rest = next(iter(set(card.classes) - {asked})) if asked in card.classes else ""
    own = {"", *card.classes}
    strange = sorted({label for label in wanted.label if label not in own})
    if strange and not rest:
        warnings.warn(
            f"labels that the model has no class for are left empty: {', '.join(strange)}; "
            f"its classes are {', '.join(card.classes)}",
            stacklevel=3,
        )
    labels = tuple(label if label in own else rest for label in wanted.label)
    return replace(wanted, label=labels)


def _rows(source: str, classes: Sequence[str]) -> Iterator[tuple[str, Path, str, str]]:
    path = Path(source).expanduser()
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise DataError(f"no image ({', '.join(sorted(IMAGE_SUFFIXES))}) in the folder {path}")
        yield from ((file.stem, file, file.stem, "") for file in files)
    elif path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        yield path.stem, path, path.stem, ""
    else:
        found = of_table(_own_table(source, classes))
        yield from zip(found.image_id, found.path, found.lesion_id, found.label, strict=True)


def _own_table(source: str, classes: Sequence[str]) -> LesionTable:
    """Read a table whose labels are diagnoses, or else the model's own classes."""
    try:
        return load_table(source)
    except DataError as error:
        try:
            return load_table(source, classes=classes)
        except DataError:
            raise error from None


def _batches(
    preprocessing: Preprocessing, paths: Iterable[Path], size: int, unreadable: list[str]
) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
    places: list[int] = []
    views: list[NDArray[np.uint8]] = []
    images = max(1, size // preprocessing.crop_count)
    for place, path in enumerate(paths):
        try:
            views.append(preprocessing.views(preprocessing.decode(path)))
        except ImageError as error:
            unreadable.append(str(error))
            continue
        places.append(place)
        if len(places) == images:
            yield places, np.stack(views)
            places, views = [], []
    if places:
        yield places, np.stack(views)
