"""A bundle and images to a file of predictions: the one way, for commands, reports and services alike."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.errors import DataError, ImageError, PredictionsError, unknown
from lesionlens.evaluation.formats import write_isic2017, write_isic2018
from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.evaluation.predictions import write_predictions
from lesionlens.models.bundle import Loaded, load_model
from lesionlens.models.voting import probabilities
from lesionlens.preprocessing import Preprocessing
from lesionlens.subjects import Subjects, as_asked, subjects

Progress = Callable[[int, int], None]
WRITERS = {"lesionlens": write_predictions, "isic2017": write_isic2017, "isic2018": write_isic2018}


@dataclass(frozen=True)
class Scored:
    """The predictions of the images that could be read, and why the others could not."""

    predictions: Predictions
    unreadable: tuple[str, ...]


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
    device = next(loaded.model.parameters()).device
    kept: list[int] = []
    unreadable: list[str] = []
    scores: list[NDArray[np.float64]] = []
    with torch.inference_mode():
        for places, views in _batches(loaded.card.preprocessing, wanted.path, batch_size, unreadable):
            x = loaded.card.preprocessing.normalised(torch.from_numpy(views).to(device).flatten(0, 1))
            found = probabilities(loaded.model, x.reshape(*views.shape[:2], *x.shape[1:]))
            scores.append(found.numpy())
            kept += places
            if progress is not None:
                progress(len(kept) + len(unreadable), len(wanted.path))
    if not kept:
        raise DataError("not one image can be read:\n  " + "\n  ".join(unreadable[:5]))

    def chosen(values: Sequence[str]) -> NDArray[np.str_]:
        return np.array([values[place] for place in kept])

    predictions = Predictions(
        chosen(wanted.image_id),
        chosen(wanted.lesion_id),
        chosen(wanted.label),
        np.clip(np.concatenate(scores), 0, 1),
        loaded.card.classes,
    )
    return Scored(predictions, tuple(unreadable))


def predict(
    bundle: Path | str,
    images: Sequence[str | Path],
    *,
    out: Path | None = None,
    layout: str = "lesionlens",
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

    Raises
    ------
    LesionLensError
        The bundle or the images cannot be used, or the file cannot be written.
    """
    if layout not in WRITERS:
        raise PredictionsError(unknown("layout", layout, WRITERS))
    loaded = load_model(bundle, device=device)
    wanted = as_asked(subjects(images, classes=loaded.card.classes), loaded.card)
    scored = score(loaded, wanted, batch_size=batch_size, progress=progress)
    if out is not None:
        WRITERS[layout](out, scored.predictions)
    return scored


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
