"""Measure how well detectors find images of unknown kinds, with the features of a model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lesionlens.core.errors import DataError
from lesionlens.core.types import StrArray
from lesionlens.imaging.decode import read_rgb
from lesionlens.inference.batch import run_inference
from lesionlens.inference.inputs import InferenceInputs, collect_inputs
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
from lesionlens.uncertainty.ood_evaluation import Separation, evaluate_separation

MIN_KNOWN_LESIONS = 10
_RENDERED_SIZE = (288, 384)
_MAX_SHORT_SIDE = 512  # of dermoscopic images before they are changed


class ChallengeResult(NamedTuple):
    """Separation of one kind of unknown images by one detector.

    Attributes
    ----------
    kind
        Kind of the images, or the folder that contains them.
    detector
        Name of the detector.
    num_images
        Number of unknown images.
    separation
        AUROC and FPR95 against known images that calibrated nothing.
    """

    kind: str
    detector: str
    num_images: int
    separation: Separation


class _Outputs(NamedTuple):
    """Features and class scores of images, and their lesions."""

    features: NDArray[np.float32]
    scores: NDArray[np.float64]
    lesions: StrArray

    def of(self, detector: str) -> NDArray[np.floating]:
        return self.scores if detector == "msp" else self.features


def evaluate_detectors(
    loaded: LoadedModel,
    known: Sequence[str | Path],
    *,
    folders: Sequence[Path] = (),
    num_images: int = 40,
    n_resamples: int = 1000,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[ChallengeResult]:
    """Measure every detector on every kind of unknown images.

    A random half of the known lesions calibrates the detectors; the images of the other half are compared with the
    unknown images. Kinds of ``CHANGED_KINDS`` change images of that other half.

    Parameters
    ----------
    loaded
        Model.
    known
        Images that neither trained nor selected the model: folders, files or tables.
    folders
        Folders of further unknown images, a kind each.
    num_images
        Number of images of each generated kind.
    n_resamples, seed
        Bootstrap resamples, and the random seed of halves, images and bootstrap.
    on_progress
        Called with the number of finished kinds and their total.

    Raises
    ------
    DataError
        The known images are of fewer than 10 lesions, or scikit-image is not installed.
    """
    inputs = collect_inputs(known)
    calibrating = _random_half(inputs.lesion_id, seed)
    fitted_on, held_out = (_outputs(loaded, _select(inputs, rows)) for rows in (calibrating, ~calibrating))
    detectors = [fit_detector(name, fitted_on.of(name), fitted_on.lesions, seed=seed) for name in DETECTORS]
    paths = [inputs.path[row] for row in np.flatnonzero(~calibrating)]
    generators = _generators(paths, seed)
    results: list[ChallengeResult] = []
    kinds: list[str | Path] = [*generators, *folders]
    for done, kind in enumerate(kinds):
        if on_progress is not None:
            on_progress(done, len(kinds))
        if isinstance(kind, Path):
            unknown = _outputs(loaded, collect_inputs([kind]))
        else:
            unknown = _generated_outputs(loaded, [generators[kind](index) for index in range(num_images)])
        results += _compare(str(kind), detectors, held_out, unknown, n_resamples, seed)
    return results


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
    columns = (inputs.image_id, inputs.path, inputs.lesion_id, inputs.label, inputs.mask)
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


def _generated_outputs(loaded: LoadedModel, images: Sequence[RGBImage]) -> _Outputs:
    """Write images to temporary files, so that the model reads them as any other image."""
    with TemporaryDirectory() as folder:
        for index, image in enumerate(images):
            Image.fromarray(image).save(Path(folder) / f"{index:05d}.png", compress_level=1)
        return _outputs(loaded, collect_inputs([folder]))


def _outputs(loaded: LoadedModel, inputs: InferenceInputs) -> _Outputs:
    result = run_inference(loaded, inputs, keep_features=True)
    if result.features is None:
        raise DataError("The model returns no features")
    predictions = result.predictions
    return _Outputs(result.features, predictions.scores, predictions.lesion_id)


def _compare(
    kind: str,
    detectors: Sequence[OODDetector],
    held_out: _Outputs,
    unknown: _Outputs,
    n_resamples: int,
    seed: int,
) -> list[ChallengeResult]:
    return [
        ChallengeResult(
            kind,
            detector.name,
            len(unknown.features),
            evaluate_separation(
                detector.scores(held_out.of(detector.name)),
                detector.scores(unknown.of(detector.name)),
                held_out.lesions,
                n_resamples=n_resamples,
                seed=seed,
            ),
        )
        for detector in detectors
    ]
