"""Measure how well detectors find images of unknown kinds, with the features of a model."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.core.errors import DataError
from lesionlens.core.missing import is_missing
from lesionlens.core.types import ProgressCallback, StrArray
from lesionlens.imaging.decode import read_rgb
from lesionlens.inference.batch import run_inference
from lesionlens.inference.engines import open_engine
from lesionlens.inference.inputs import InferenceInputs, collect_inputs, map_labels_to_model_classes
from lesionlens.inference.ood_report import KNOWN, DetectorResult, OODReport
from lesionlens.models.saved_model import LoadedModel
from lesionlens.synthesis.unknown_images import (
    CHANGED_KINDS,
    RENDERED_KINDS,
    SKIMAGE_FILES,
    RGBImage,
    change_dermoscopic,
    crop_skimage_sample,
    render_unknown,
)
from lesionlens.uncertainty.ood_detectors import DETECTORS, OODDetector, fit_detector
from lesionlens.uncertainty.ood_evaluation import evaluate_separation

MIN_KNOWN_LESIONS = 10
_RENDERED_SIZE = (288, 384)
_MAX_SHORT_SIDE = 512  # of dermoscopic images before they are changed
_NUM_EXAMPLES, _EXAMPLE_SIDE = 6, 128  # images of a kind in the figure of examples, and their side in pixels


@dataclass(frozen=True, kw_only=True)
class OODOptions:
    """Sizes and seed of an evaluation of detectors.

    Attributes
    ----------
    num_images
        Number of images of each kind: generated, or sampled from the given ones.
    n_resamples
        Number of bootstrap resamples.
    seed
        Random seed of halves, images and bootstrap.
    """

    num_images: int = 40
    n_resamples: int = 1000
    seed: int = 0


class OODEvaluation(NamedTuple):
    """Results, and small copies of some images of each kind, (h, w, 3)."""

    report: OODReport
    examples: dict[str, list[RGBImage]]


class _Outputs(NamedTuple):
    """Features and class scores of the images that could be read, their files, lesions and labels."""

    features: NDArray[np.float32]
    scores: NDArray[np.float64]
    paths: list[Path]
    lesions: StrArray
    labels: StrArray

    @property
    def counts(self) -> tuple[int, int]:
        """Number of images and of lesions."""
        return len(self.paths), len(np.unique(self.lesions))

    def of(self, detector: str) -> NDArray[np.floating]:
        return self.scores if detector == "msp" else self.features


def evaluate_detectors(
    loaded: LoadedModel,
    known: InferenceInputs,
    unknown: Mapping[str, InferenceInputs] | None = None,
    *,
    options: OODOptions | None = None,
    on_progress: ProgressCallback | None = None,
) -> OODEvaluation:
    """Measure every detector on every kind of unknown images.

    A random half of the known lesions calibrates the detectors, as ``lesionlens calibrate`` does; the images of the
    other half are compared with the unknown images. Kinds of ``CHANGED_KINDS`` change images of that other half. Images
    that cannot be read are excluded with a warning.

    Parameters
    ----------
    loaded
        Model.
    known
        Images that neither trained nor selected the model, with any labels.
    unknown
        Further unknown images by the name of their kind.
    options
        Sizes and seed.
    on_progress
        Called with the number of finished kinds and their total.

    Raises
    ------
    DataError
        The known images are of fewer than 10 lesions, two kinds have the same name, or scikit-image is not installed.
    """
    options, unknown = options or OODOptions(), unknown or {}
    known = map_labels_to_model_classes(known, loaded.card)
    calibrating = _random_half(known.lesion_id, options.seed)
    fitted_on, held_out = (_outputs(loaded, _select(known, rows)) for rows in (calibrating, ~calibrating))
    detectors = _fit_detectors(fitted_on, options.seed)
    generators = _generators(held_out.paths, options.seed)
    if repeated := {KNOWN, *generators} & set(unknown):
        raise DataError(f"the kind of images {min(repeated)!r} exists already; rename the folder or table")
    results: list[DetectorResult] = []
    examples = {KNOWN: _thumbnails(held_out)}
    kinds = [*generators, *unknown]
    for done, kind in enumerate(kinds):
        if on_progress is not None:
            on_progress(done, len(kinds))
        with TemporaryDirectory() as folder:
            if kind in unknown:
                inputs = _sample(unknown[kind], options)
            else:
                inputs = _write_images(Path(folder), generators[kind], options.num_images)
            outputs = _outputs(loaded, inputs)
            examples[kind] = _thumbnails(outputs)
            results += _compare(kind, detectors, held_out, outputs, options)
    report = OODReport(
        results=tuple(results),
        num_calibrating=fitted_on.counts,
        num_known=held_out.counts,
        weights_sha256=loaded.card.weights_sha256,
        n_resamples=options.n_resamples,
        seed=options.seed,
    )
    return OODEvaluation(report, examples)


def group_by_label(name: str, inputs: InferenceInputs) -> dict[str, InferenceInputs]:
    """Return the images of a source as kinds: one for each label, or one for all images without labels.

    A kind is named ``NAME``, or ``NAME, LABEL``.
    """
    labels = np.array(inputs.label)
    present = [label for label in dict.fromkeys(inputs.label) if not is_missing(label)]
    if not present:
        return {name: inputs}
    return {f"{name}, {label}": _select(inputs, labels == label) for label in present}


def _fit_detectors(outputs: _Outputs, seed: int) -> list[OODDetector]:
    """Fit every detector, with a mean of each class if every image has a label."""
    labels = None if (outputs.labels == "").any() else outputs.labels
    return [fit_detector(name, outputs.of(name), outputs.lesions, labels, seed=seed) for name in DETECTORS]


def _sample(inputs: InferenceInputs, options: OODOptions) -> InferenceInputs:
    """Return as many random images as each kind has, or all if there are fewer, without their labels."""
    order = np.random.default_rng(options.seed).permutation(len(inputs.image))
    chosen = np.zeros(len(order), dtype=np.bool_)
    chosen[order[: options.num_images]] = True
    sample = _select(inputs, chosen)
    return replace(sample, label=("",) * len(sample.label))


def _thumbnails(outputs: _Outputs) -> list[RGBImage]:
    return [_thumbnail(path) for path in outputs.paths[:_NUM_EXAMPLES]]


def _thumbnail(path: Path) -> RGBImage:
    """Return the center square of an image, small."""
    image = read_rgb(path, max_short_side=_EXAMPLE_SIDE, draft=True)
    side = min(image.shape[:2])
    top, left = ((length - side) // 2 for length in image.shape[:2])
    square = image[top : top + side, left : left + side]
    return np.asarray(
        cv2.resize(square, (_EXAMPLE_SIDE, _EXAMPLE_SIDE), interpolation=cv2.INTER_AREA), np.uint8
    )


def _random_half(lesion_id: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """Return whether each image is of the random half of the lesions that calibrates."""
    lesions, member = np.unique(np.array(lesion_id), return_inverse=True)
    if len(lesions) < MIN_KNOWN_LESIONS:
        raise DataError(
            f"The known images are of {len(lesions)} lesions: one half calibrates the detectors and the other is "
            f"compared with unknown images. Pass images of {MIN_KNOWN_LESIONS} lesions or more"
        )
    rank = np.random.default_rng(seed).permutation(len(lesions))
    return np.asarray((rank < len(lesions) // 2)[member], np.bool_)


def _select(inputs: InferenceInputs, rows: NDArray[np.bool_]) -> InferenceInputs:
    index = np.flatnonzero(rows).tolist()
    columns = (inputs.image_id, inputs.image, inputs.lesion_id, inputs.label, inputs.mask)
    return InferenceInputs(*(tuple(column[row] for row in index) for column in columns))  # type: ignore[arg-type]


def _generators(paths: Sequence[Path], seed: int) -> Mapping[str, Callable[[int], RGBImage]]:
    """Return, for each kind, a function from the number of an image to the image."""
    base = seed * 100_000

    def rendered(kind: str, index: int) -> RGBImage:
        return render_unknown(kind, _RENDERED_SIZE, seed=base + index)

    def sample(kind: str, index: int) -> RGBImage:
        return crop_skimage_sample(kind, _RENDERED_SIZE, seed=base + index)

    def changed(kind: str, index: int) -> RGBImage:
        image = read_rgb(paths[index % len(paths)], max_short_side=_MAX_SHORT_SIDE)
        return change_dermoscopic(kind, image, seed=base + index)

    groups = ((RENDERED_KINDS, rendered), (SKIMAGE_FILES, sample), (CHANGED_KINDS, changed))
    return {
        kind: lambda index, kind=kind, generate=generate: generate(kind, index)  # type: ignore[misc]
        for kinds, generate in groups
        for kind in kinds
    }


def _write_images(folder: Path, generate: Callable[[int], RGBImage], num_images: int) -> InferenceInputs:
    """Write images to files, so that the model reads them as any other image."""
    for index in range(num_images):
        Image.fromarray(generate(index)).save(folder / f"{index:05d}.png", compress_level=1)
    return collect_inputs([folder])


def _outputs(loaded: LoadedModel, inputs: InferenceInputs) -> _Outputs:
    engine = open_engine(loaded, "torch", num_images=len(inputs.image))
    result = run_inference(engine, loaded.card, inputs, keep_features=True)
    if result.features is None:
        raise DataError("The model returns no features")
    if result.failures:
        listed = "\n  ".join(result.failures[:10])
        number = f"{len(result.failures)} of {len(inputs.image)}"
        warnings.warn(f"images that cannot be read are excluded ({number}):\n  {listed}", stacklevel=3)
    predictions = result.predictions
    path_by_id = dict(zip(inputs.image_id, inputs.paths, strict=True))
    paths = [path_by_id[name] for name in predictions.image_id.tolist()]
    return _Outputs(result.features, predictions.scores, paths, predictions.lesion_id, predictions.label)


def _compare(
    kind: str, detectors: Sequence[OODDetector], held_out: _Outputs, unknown: _Outputs, options: OODOptions
) -> Iterator[DetectorResult]:
    for detector in detectors:
        separation = evaluate_separation(
            detector.scores(held_out.of(detector.name)),
            detector.scores(unknown.of(detector.name)),
            held_out.lesions,
            n_resamples=options.n_resamples,
            seed=options.seed,
        )
        yield DetectorResult(kind, detector.name, len(unknown.features), separation)
