"""The inference pipeline: crops → TTA views → ``engine.forward`` → aggregation, batch by batch."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, PredictionsError
from lesionlens.core.prefetch import prefetch
from lesionlens.core.runtime import available_cpus, single_blas_thread
from lesionlens.core.types import ProgressCallback
from lesionlens.evaluation.predictions import format_examples
from lesionlens.imaging.preprocessing import Preprocessing
from lesionlens.imaging.sources import InMemoryImage, content_digest
from lesionlens.inference.engine import InferenceEngine
from lesionlens.inference.inputs import InferenceInputs
from lesionlens.inference.results import ImageResult, InferenceResult, ResultCollector
from lesionlens.inference.resume import PartialPredictions
from lesionlens.models.aggregation import aggregate_logits, array_views
from lesionlens.models.model_card import ModelCard
from lesionlens.uncertainty.ood_detectors import OODDetector


def run_inference(
    engine: InferenceEngine,
    card: ModelCard,
    inputs: InferenceInputs,
    *,
    batch_size: int = 32,
    num_workers: int | None = None,
    on_progress: ProgressCallback | None = None,
    partial_predictions: PartialPredictions | None = None,
    crop_seeds: Sequence[int] | None = None,
    detector: OODDetector | None = None,
    keep_features: bool = False,
) -> InferenceResult:
    """Score images with the preprocessing of the model card, as in training.

    Threads decode the next batches while the engine computes. Memory use is constant except for image names and
    scores.

    Parameters
    ----------
    engine
        Network that is ready to compute.
    card
        Its model card.
    batch_size
        Number of crops per forward pass; at least the number of crops per image.
    num_workers
        Decoding threads; default: one per available CPU core.
    on_progress
        Called with the number of finished images and the total: once before the first batch, then after each batch.
    partial_predictions
        Partial results of an interrupted run. Each batch is saved there as soon as it is scored. Images that are
        already there are skipped, unless their image or mask file has changed.
    crop_seeds
        Random seed of the test crops of each image; default: that of the model card for all images.
    detector
        Detector of unknown images, whose score is computed for each image.
    keep_features
        Whether to return the features of each image, as for calibration: 4 f bytes per image.

    Raises
    ------
    DataError
        No image can be read.
    PredictionsError
        The model returns scores that are not finite.
    RunError
        The partial predictions cannot be written.
    """
    report_progress = on_progress or (lambda *_: None)
    collector = ResultCollector(len(inputs.image), len(card.classes))
    num_resumed = (
        0 if partial_predictions is None else _restore_results(collector, partial_predictions, inputs)
    )
    num_done, total = num_resumed, len(inputs.image)
    report_progress(num_done, total)
    images_per_batch = max(1, batch_size // card.preprocessing.crop_count)
    num_threads = num_workers or available_cpus()
    prepared = prefetch(
        partial(preprocess_item, card.preprocessing, inputs, crop_seeds=crop_seeds),
        np.flatnonzero(~collector.completed).tolist(),
        num_threads=num_threads,
        ahead=2 * images_per_batch + num_threads,
    )
    with closing(prepared):
        while batch := list(islice(prepared, images_per_batch)):
            results, features = _predict_batch(engine, card, batch, inputs, detector)
            if partial_predictions is not None:
                partial_predictions.add(results)
            for item, result in zip(batch, results, strict=True):
                collector.add(item.input_index, result)
            if keep_features and len(features):
                usable = [item.input_index for item in batch if item.crops is not None]
                collector.add_features(usable, features)
            num_done += len(batch)
            report_progress(num_done, total)
    return collector.build_result(inputs, card, num_resumed=num_resumed)


class BatchOutput(NamedTuple):
    """Class probabilities (b, k) in double precision, and features (b, f) averaged over crops and TTA views."""

    scores: NDArray[np.float64]
    features: NDArray[np.float32]


def predict_scores(
    engine: InferenceEngine, card: ModelCard, crops: UInt8[np.ndarray, "b n h w 3"]
) -> BatchOutput:
    """Score b images from n crops each: compute every TTA view, and aggregate as on the model card."""
    b, n = crops.shape[:2]
    preprocessing = card.preprocessing
    outputs = [
        engine.forward(view if engine.multi_crop else view.reshape(b * n, *view.shape[2:]))
        for view in array_views(crops, preprocessing.tta)
    ]
    logits = [output.logits.astype(np.float64).reshape(b, -1, output.logits.shape[-1]) for output in outputs]
    features = [output.features.reshape(b, -1, output.features.shape[-1]).mean(axis=1) for output in outputs]
    scores = aggregate_logits(
        np.concatenate(logits, axis=1), aggregate=preprocessing.aggregate, multilabel=card.multilabel
    )
    return BatchOutput(scores, np.mean(features, axis=0))


class PreparedItem(NamedTuple):
    """An image that is ready for the model, or the reason why it cannot be used.

    Attributes
    ----------
    input_index
        Index of the image among the inputs.
    signature
        Signature of its image and mask files, see ``image_signature``.
    crops
        Test crops (n, h, w, 3); None if the image cannot be used.
    missing_mask
        Whether the model crops to the lesion, but the image has no mask or an empty one and is used uncropped.
    failure
        Reason why the image cannot be used, or "".
    """

    input_index: int
    signature: str
    crops: NDArray[np.uint8] | None
    missing_mask: bool = False
    failure: str = ""


def preprocess_item(
    preprocessing: Preprocessing,
    inputs: InferenceInputs,
    index: int,
    *,
    crop_seeds: Sequence[int] | None = None,
) -> PreparedItem:
    """Decode an image and extract its test crops; only the crops stay in memory."""
    source, mask = inputs.image[index], inputs.mask[index]
    if crop_seeds is not None:
        preprocessing = preprocessing.model_copy(update={"seed": crop_seeds[index]})
    signature = image_signature(source, mask)
    try:
        image = preprocessing.load_image(source)
        roi = preprocessing.lesion_roi(image, mask, source=source)
    except DataError as error:
        name = "" if isinstance(source, Path) else f"{inputs.image_id[index]}: "
        return PreparedItem(index, signature, None, failure=f"{name}{error}")
    missing_mask = roi is None and preprocessing.roi_margin is not None
    return PreparedItem(index, signature, preprocessing.extract_crops(image, roi), missing_mask)


def image_signature(image: Path | InMemoryImage, mask: Path | None) -> str:
    """Return a signature of an image and its mask file that changes when either of them does.

    It is a hash of absolute paths, sizes and modification times of files, and of the content of images in memory. As in
    rsync, a file with the same path, size and time (to the nanosecond) counts as unchanged.
    """
    state = "\n".join("" if part is None else _state(part) for part in (image, mask))
    return hashlib.blake2b(os.fsencode(state), digest_size=8).hexdigest()


def _state(image: Path | InMemoryImage) -> str:
    if not isinstance(image, Path):
        return content_digest(image)
    return f"{os.path.abspath(image)}\n{_size_and_mtime(image)}"


def _size_and_mtime(file: Path) -> str:
    try:
        status = os.stat(file)
    except (OSError, ValueError):  # ValueError: a null character in the path; reported when the image is read
        return "none"
    return f"{status.st_size} {status.st_mtime_ns}"


def _restore_results(
    collector: ResultCollector, partial_predictions: PartialPredictions, inputs: InferenceInputs
) -> int:
    """Add the saved results whose files are unchanged, and return the number of completed images."""
    indices = {image_id: index for index, image_id in enumerate(inputs.image_id)}
    for result in partial_predictions.read_results():
        index = indices.get(result.image_id)
        if index is not None and result.signature == image_signature(inputs.image[index], inputs.mask[index]):
            collector.add(index, result)
    return int(collector.completed.sum())


def _predict_batch(
    engine: InferenceEngine,
    card: ModelCard,
    batch: Sequence[PreparedItem],
    inputs: InferenceInputs,
    detector: OODDetector | None,
) -> tuple[list[ImageResult], NDArray[np.float32]]:
    """Score a batch and return the features of its usable images.

    Unusable images make it smaller, so that batches are the same after a resume.
    """
    crops = [item.crops for item in batch if item.crops is not None]
    empty = BatchOutput(np.empty((0, 0)), np.empty((0, 0), dtype=np.float32))
    scores, features = predict_scores(engine, card, np.stack(crops)) if crops else empty
    if not np.isfinite(scores).all():
        names = [inputs.image_id[item.input_index] for item in batch if item.crops is not None]
        raise PredictionsError(
            f"The model returned scores that are not finite numbers, for {format_examples(names)}. "
            "Check whether its weights are damaged"
        )
    ood_scores: list[float | None] = [None] * len(scores)
    if detector is not None and len(features):
        with single_blas_thread():  # others would wait actively and delay the network's threads
            ood_scores = detector.scores(features).tolist()
    rows, ood = iter(scores.tolist()), iter(ood_scores)
    results = [
        ImageResult(
            inputs.image_id[item.input_index],
            item.signature,
            () if item.crops is None else next(rows),
            item.missing_mask,
            item.failure,
            None if item.crops is None else next(ood),
        )
        for item in batch
    ]
    return results, features
