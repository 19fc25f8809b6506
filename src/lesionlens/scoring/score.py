"""Images to scores: threads decode ahead while an engine computes, and memory stays flat."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import islice

import numpy as np

from lesionlens.cores import available_cpus
from lesionlens.engines.engine import Engine, open_engine
from lesionlens.errors import PredictionsError
from lesionlens.evaluation.prediction_table import format_examples
from lesionlens.models.bundle import LoadedModel
from lesionlens.scoring.ahead import prefetch
from lesionlens.scoring.outcomes import ImageResult, ResultCollector, InferenceResult
from lesionlens.scoring.part import PartialPredictions
from lesionlens.scoring.seen import PreparedItem, file_signature, preprocess_item
from lesionlens.subjects import InferenceInputs

ProgressCallback = Callable[[int, int], None]


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
        The part cannot be written.
    """
    engine = engine or open_engine(loaded, "torch", num_images=len(inputs.path))
    tell = on_progress or (lambda *_: None)
    outcomes = ResultCollector(len(inputs.path), len(loaded.card.classes))
    before = 0 if partial_predictions is None else _resume_from(outcomes, partial_predictions, inputs)
    done, total = before, len(inputs.path)
    tell(done, total)
    images, threads = max(1, batch_size // loaded.card.preprocessing.crop_count), num_workers or available_cpus()
    pending = np.flatnonzero(~outcomes.completed).tolist()
    looked = prefetch(
        partial(preprocess_item, loaded.card.preprocessing, inputs), pending, num_threads=threads, max_pending=2 * images + threads
    )
    with closing(looked):
        while batch := list(islice(looked, images)):
            found = _predict_batch(engine, batch, inputs)
            if partial_predictions is not None:
                partial_predictions.add(found)
            for seen, outcome in zip(batch, found, strict=True):
                outcomes.add(seen.index, outcome)
            done += len(batch)
            tell(done, total)
    return outcomes.build_result(inputs, loaded.card, num_resumed=before)


def _resume_from(collector: ResultCollector, partial_predictions: PartialPredictions, inputs: InferenceInputs) -> int:
    """Put down what is scored already, and give how many images that are."""
    places = {image: place for place, image in enumerate(inputs.image_id)}
    for outcome in partial_predictions.read_results():
        place = places.get(outcome.image_id)
        if place is not None and outcome.signature == file_signature(inputs.path[place], inputs.mask[place]):
            collector.add(place, outcome)
    return int(collector.completed.sum())


def _predict_batch(engine: Engine, batch: Sequence[PreparedItem], inputs: InferenceInputs) -> list[ImageResult]:
    """Compute a batch; images that cannot be used leave it smaller, so that the next one is the same after a stop."""
    views = [seen.crops for seen in batch if seen.crops is not None]
    found = engine.predict_scores(np.stack(views)) if views else np.empty((0, 0))
    if not np.isfinite(found).all():
        names = [inputs.image_id[seen.index] for seen in batch if seen.crops is not None]
        raise PredictionsError(
            f"the network gives scores that are no numbers, for {format_examples(names)}; are its weights damaged?"
        )
    rows = iter(found.tolist())
    return [
        ImageResult(
            inputs.image_id[seen.index],
            seen.signature,
            () if seen.crops is None else next(rows),
            seen.missing_mask,
            seen.failure,
        )
        for seen in batch
    ]
