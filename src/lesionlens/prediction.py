"""A bundle and images to a file of predictions: the one way, for commands, reports and services alike."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.errors import DataError, PredictionsError, unknown
from lesionlens.evaluation.formats import write_isic2017, write_isic2018
from lesionlens.evaluation.multilabel import multi_label
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.predictions import write_predictions
from lesionlens.models.bundle import Card, Loaded, load_model
from lesionlens.models.voting import probabilities
from lesionlens.preprocessing import Preprocessing
from lesionlens.subjects import Subjects, as_asked, rest_of, seen_whole, subjects

Progress = Callable[[int, int], None]
WRITERS = {"lesionlens": write_predictions, "isic2017": write_isic2017, "isic2018": write_isic2018}


@dataclass(frozen=True)
class Scored:
    """The predictions of the images that could be read, and why the others could not.

    Attributes
    ----------
    whole
        Ids of images scored whole by a model that looks at the box around the lesion: no mask, or an empty one.
    """

    predictions: Predictions
    unreadable: tuple[str, ...]
    whole: tuple[str, ...] = ()


def score(
    loaded: Loaded, wanted: Subjects, *, batch_size: int = 32, progress: Progress | None = None
) -> Scored:
    """Score images as the card says: decoded, cropped and normalised as in training, crops joined.

    Parameters
    ----------
    batch_size
        How many crops go through the network at once; never less than those of one image.

    Raises
    ------
    DataError
        Not one image can be read.
    """
    device, card = next(loaded.model.parameters()).device, loaded.card
    seen = card.preprocessing
    kept: list[int] = []
    unreadable: list[str] = []
    whole: list[str] = []
    scores: list[NDArray[np.float64]] = []
    images = max(1, batch_size // seen.crop_count)
    with torch.inference_mode():
        for places, views in _batches(_views(seen, wanted, unreadable, whole), images):
            x = seen.normalised(torch.from_numpy(views).to(device).flatten(0, 1))
            crops = x.reshape(*views.shape[:2], *x.shape[1:])
            found = probabilities(
                loaded.model, crops, turns=seen.turns, average=seen.average, independent=card.independent
            )
            scores.append(found.numpy())
            kept += places
            if progress is not None:
                progress(len(kept) + len(unreadable), len(wanted.path))
    if not kept:
        raise DataError("not one image can be read:\n  " + "\n  ".join(unreadable[:5]))
    if whole:
        warnings.warn(seen_whole(whole, of=len(kept)), stacklevel=2)
    return Scored(_predictions(card, wanted, kept, np.concatenate(scores)), tuple(unreadable), tuple(whole))


def _predictions(
    card: Card, wanted: Subjects, kept: Sequence[int], scores: NDArray[np.float64]
) -> Predictions:
    ids, lesions, labels = (
        np.array([values[place] for place in kept])
        for values in (wanted.image_id, wanted.lesion_id, wanted.label)
    )
    if card.independent:
        return multi_label(ids, lesions, labels, np.clip(scores, 0, 1), card.classes, rest=rest_of(card))
    return Predictions(ids, lesions, labels, np.clip(scores, 0, 1), card.classes)


def predict(
    bundle: Path | str,
    images: Sequence[str | Path],
    *,
    out: Path | None = None,
    layout: str = "lesionlens",
    masks: Path | None = None,
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
    layout
        ``lesionlens`` (image, lesion, label and every score), or what the ISIC challenges take: ``isic2017``,
        ``isic2018``.
    masks
        Folder of lesion masks ``ID.png``, in place of those of a table, for a model that looks at the box around the
        lesion; an image without one is scored whole, and a warning says how many were.

    Raises
    ------
    LesionLensError
        The bundle or the images cannot be used, or the file cannot be written.
    """
    if layout not in WRITERS:
        raise PredictionsError(unknown("layout", layout, WRITERS))
    loaded = load_model(bundle, device=device)
    wanted = as_asked(subjects(images, classes=loaded.card.classes, masks=masks), loaded.card)
    scored = score(loaded, wanted, batch_size=batch_size, progress=progress)
    if out is not None:
        WRITERS[layout](out, scored.predictions)
    return scored


def _views(
    preprocessing: Preprocessing, wanted: Subjects, unreadable: list[str], whole: list[str]
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Cut the crops of image after image, noting which cannot be used and which are seen whole for want of a mask."""
    for place, path in enumerate(wanted.path):
        try:
            image = preprocessing.decode(path)
            region = preprocessing.region(image, wanted.mask[place], path=path)
        except DataError as error:
            unreadable.append(str(error))
            continue
        if region is None and preprocessing.roi is not None:
            whole.append(wanted.image_id[place])
        yield place, preprocessing.views(image, region)


def _batches(
    found: Iterable[tuple[int, NDArray[np.uint8]]], images: int
) -> Iterator[tuple[list[int], NDArray[np.uint8]]]:
    """Put so many images together, with their places."""
    remaining = iter(found)
    while batch := list(islice(remaining, images)):
        places, views = zip(*batch, strict=True)
        yield list(places), np.stack(views)
