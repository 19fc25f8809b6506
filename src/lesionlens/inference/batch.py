"""Images to scores: threads decode ahead while an engine computes, and memory stays flat."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, PredictionsError
from lesionlens.core.prefetch import prefetch
from lesionlens.core.runtime import available_cpus
from lesionlens.core.types import ProgressCallback
from lesionlens.evaluation.predictions import format_examples
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.inference.engine import Engine
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs
from lesionlens.inference.results import ImageResult, InferenceResult, ResultCollector
from lesionlens.inference.resume import PartialPredictions
from lesionlens.models.saved_model import LoadedModel


class PreparedItem(NamedTuple):
    """One image on its way to the network.

    Attributes
    ----------
    input_index
        Among those that are wanted.
    signature
        Of its files, see ``file_signature``.
    crops
        Its crops, (n, h, w, 3); None where it cannot be used.
    missing_mask
        A model that looks at the box around the lesion sees all of it: no mask, or an empty one.
    failure
        Why it cannot be used, or "".
    """

    input_index: int
    signature: str
    crops: NDArray[np.uint8] | None
    missing_mask: bool = False
    failure: str = ""


def preprocess_item(preprocessing: Preprocessing, inputs: InferenceInputs, index: int) -> PreparedItem:
    """Decode an image and cut its crops: of the decoded pixels nothing is kept."""
    path, mask = inputs.path[index], inputs.mask[index]
    mark = file_signature(path, mask)
    try:
        image = preprocessing.load_image(path)
        region = preprocessing.lesion_roi(image, mask, path=path)
    except DataError as error:
        return PreparedItem(index, mark, None, failure=str(error))
    whole = region is None and preprocessing.roi_margin is not None
    return PreparedItem(index, mark, preprocessing.extract_crops(image, region), whole)


def file_signature(path: Path, mask: Path | None) -> str:
    """Tell an image and its mask from what may lie there later: by names, sizes and times of change.

    As rsync does: a file of the same name, size and time (to the nanosecond) is the same.
    """
    told = "\n".join(
        "" if file is None else f"{os.path.abspath(file)}\n{_size_and_mtime(file)}" for file in (path, mask)
    )
    return hashlib.blake2b(os.fsencode(told), digest_size=8).hexdigest()


def _size_and_mtime(file: Path) -> str:
    try:
        found = os.stat(file)
    except (OSError, ValueError):
        return "none"
    return f"{found.st_size} {found.st_mtime_ns}"


def run_inference(
    loaded: LoadedModel,
    inputs: InferenceInputs,
    *,
    engine: Engine | None = None,
    batch_size: int = 32,
    num_workers: int | None = None,
    on_progress: ProgressCallback | None = None,
    partial_predictions: PartialPredictions | None = None,
) -> InferenceResult:
    """Score images as the card says: decoded, cropped and normalised as in training, crops joined.

    Threads decode the next batches while one is computed. Memory does not grow with the number of images, but for
    their names and scores.

    Parameters
    ----------
    engine
        What computes; default: torch, on the device on which the model was loaded.
    batch_size
        How many crops go through the network at once; never less than those of one image.
    num_workers
        How many threads decode; default: one a core.
    on_progress
        Called with how many images are done, and of how many: once before the first, then after each batch.
    partial_predictions
        Where each batch is kept as soon as it is scored. What it holds already is not scored again, unless the file of
        the image, or that of its mask, is another now.

    Raises
    ------
    DataError
        Not one image can be read.
    PredictionsError
        The network's scores are not numbers.
    RunError
        The partial predictions cannot be written.
    """
    engine = engine or open_engine(loaded, "torch", num_images=len(inputs.path))
    tell = on_progress or (lambda *_: None)
    outcomes = ResultCollector(len(inputs.path), len(loaded.card.classes))
    before = 0 if partial_predictions is None else _resume_from(outcomes, partial_predictions, inputs)
    done, total = before, len(inputs.path)
    tell(done, total)
    images = max(1, batch_size // loaded.card.preprocessing.crop_count)
    threads = num_workers or available_cpus()
    pending = np.flatnonzero(~outcomes.completed).tolist()
    looked = prefetch(
        partial(preprocess_item, loaded.card.preprocessing, inputs),
        pending,
        num_threads=threads,
        ahead=2 * images + threads,
    )
    with closing(looked):
        while batch := list(islice(looked, images)):
            found = _predict_batch(engine, batch, inputs)
            if partial_predictions is not None:
                partial_predictions.add(found)
            for seen, outcome in zip(batch, found, strict=True):
                outcomes.add(seen.input_index, outcome)
            done += len(batch)
            tell(done, total)
    return outcomes.build_result(inputs, loaded.card, num_resumed=before)


def _resume_from(
    collector: ResultCollector, partial_predictions: PartialPredictions, inputs: InferenceInputs
) -> int:
    """Put down what is scored already, and give how many images that are."""
    places = {image: place for place, image in enumerate(inputs.image_id)}
    for outcome in partial_predictions.read_results():
        place = places.get(outcome.image_id)
        if place is not None and outcome.signature == file_signature(inputs.path[place], inputs.mask[place]):
            collector.add(place, outcome)
    return int(collector.completed.sum())


def _predict_batch(
    engine: Engine, batch: Sequence[PreparedItem], inputs: InferenceInputs
) -> list[ImageResult]:
    """Compute a batch; images that cannot be used leave it smaller, so that the next one is the same after a stop."""
    views = [seen.crops for seen in batch if seen.crops is not None]
    found = engine.predict_scores(np.stack(views)) if views else np.empty((0, 0))
    if not np.isfinite(found).all():
        names = [inputs.image_id[seen.input_index] for seen in batch if seen.crops is not None]
        raise PredictionsError(
            f"the network gives scores that are no numbers, for {format_examples(names)}; are its weights damaged?"
        )
    rows = iter(found.tolist())
    return [
        ImageResult(
            inputs.image_id[seen.input_index],
            seen.signature,
            () if seen.crops is None else next(rows),
            seen.missing_mask,
            seen.failure,
        )
        for seen in batch
    ]
