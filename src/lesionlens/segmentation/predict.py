"""Mask prediction at the images' own size, batch by batch, with constant memory."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.fileio import write_text
from lesionlens.core.types import ProgressCallback
from lesionlens.imaging.masks import (
    MASK_PROVENANCE_FILE,
    MASK_SUFFIX,
    BinaryMask,
    ImageSize,
    keep_largest_component,
    write_probabilities,
)
from lesionlens.inference.inputs import collect_inputs
from lesionlens.segmentation.models import LoadedSegmentationModel, load_segmentation_model


@dataclass(frozen=True)
class WriteSummary:
    """Number of masks written, number skipped because they existed, and the reasons for failures."""

    written: int
    skipped: int
    failures: tuple[str, ...]


def predict_masks(
    loaded: LoadedSegmentationModel, paths: Sequence[Path], *, largest_only: bool, batch_size: int = 16
) -> Iterator[BinaryMask | ImageError]:
    """Yield a lesion mask (h, w) per image, in order and at the image's own size, or the error if it cannot be read.

    The logits are resized to the image's size by bilinear interpolation and thresholded at 0.
    """
    for logits in predict_logits(loaded, paths, batch_size=batch_size):
        yield logits if isinstance(logits, ImageError) else _to_mask(logits, largest_only)


def predict_logits(
    loaded: LoadedSegmentationModel, paths: Sequence[Path], *, batch_size: int = 16
) -> Iterator[NDArray[np.float32] | ImageError]:
    """Yield the logits of the lesion, (h, w), per image as for ``predict_masks``."""
    for start in range(0, len(paths), batch_size):
        inputs = [_load_input(loaded, path) for path in paths[start : start + batch_size]]
        images = [item[0] for item in inputs if not isinstance(item, ImageError)]
        logits = iter(_predict_logits(loaded, images))
        for item in inputs:
            yield item if isinstance(item, ImageError) else _resize_logits(next(logits), item[1])


def _load_input(
    loaded: LoadedSegmentationModel, path: Path
) -> tuple[NDArray[np.uint8], ImageSize] | ImageError:
    try:
        image = loaded.card.preprocessing.load_image(path)
    except ImageError as error:
        return error
    return loaded.card.preprocessing.extract_crops(image)[0], (image.shape[0], image.shape[1])


def _predict_logits(
    loaded: LoadedSegmentationModel, images: Sequence[NDArray[np.uint8]]
) -> Sequence[NDArray[np.float32]]:
    if not images:
        return ()
    device = next(loaded.model.parameters()).device
    with torch.inference_mode():
        x = loaded.card.preprocessing.normalize(torch.from_numpy(np.stack(images)).to(device))
        return list(loaded.model(x)[:, 0].float().cpu().numpy())


def _resize_logits(logits: NDArray[np.float32], size: ImageSize) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(logits, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.float32)


def _to_mask(logits: NDArray[np.float32], largest_only: bool) -> BinaryMask:
    mask = logits > 0
    return keep_largest_component(mask) if largest_only else mask


def _to_levels(logits: NDArray[np.float32], largest_only: bool, probabilities: bool) -> NDArray[np.uint8]:
    """Return the mask of 0 and 255, or the probabilities from 0 to 255, which are at least 128 inside the mask."""
    if probabilities:
        return np.asarray(np.rint(255 * expit(logits.astype(np.float64))), np.uint8)
    return _to_mask(logits, largest_only).astype(np.uint8) * np.uint8(255)


def segment_images(
    model_dir: Path | str,
    sources: Sequence[str | Path],
    out_dir: Path,
    *,
    largest_only: bool | None = None,
    probabilities: bool = False,
    overwrite: bool = False,
    device: str = "auto",
    batch_size: int = 16,
    within_root: bool = False,
    on_progress: ProgressCallback | None = None,
) -> WriteSummary:
    """Write ``ID_segmentation.png`` (0 and 255, or probabilities) per image; existing masks are skipped.

    Parameters
    ----------
    model_dir
        Directory of a saved segmentation model or of a segmentation run.
    sources
        Folders, image files, or tables (``NAME:ROOT``, a CSV or parquet file).
    largest_only
        Whether to keep only the largest connected component and fill its holes; None: as on the model card, or no for
        probabilities.
    probabilities
        Whether to write the probability of each pixel, from 0 to 255, instead of a binary mask.
    overwrite
        Predict all masks again.
    within_root
        As for ``predict``.

    Raises
    ------
    LesionLensError
        The model or the sources cannot be used, the folder is not writable, or it holds masks of another provenance.
    """
    if probabilities and largest_only:
        raise DataError("probabilities have no largest component; omit --keep-largest-component")
    loaded = load_segmentation_model(model_dir, device=device)
    if largest_only is None:
        largest_only = loaded.card.keep_largest_component and not probabilities
    inputs = collect_inputs(sources, within_root=within_root)
    files = _mask_paths(inputs.image_id, out_dir)
    provenance = {"weights": loaded.digest, "keep_largest_component": largest_only}
    provenance |= {"probabilities": True} if probabilities else {}
    _record_provenance(out_dir, provenance, files, overwrite=overwrite)
    pending = [index for index, file in enumerate(files) if overwrite or not file.is_file()]
    skipped = len(files) - len(pending)
    failures: list[str] = []
    all_logits = predict_logits(loaded, [inputs.paths[index] for index in pending], batch_size=batch_size)
    for number, (index, logits) in enumerate(zip(pending, all_logits, strict=True)):
        if isinstance(logits, ImageError):
            failures.append(str(logits))
        else:
            write_probabilities(files[index], _to_levels(logits, largest_only, probabilities))
        if on_progress is not None:
            on_progress(skipped + number + 1, len(files))
    return WriteSummary(len(pending) - len(failures), skipped, tuple(failures))


def _mask_paths(ids: Sequence[str], out_dir: Path) -> list[Path]:
    invalid = [name for name in ids if Path(name).name != name]
    if invalid:
        raise DataError(f"The image id {invalid[0]!r} cannot be a file name. Rename it without slashes")
    return [out_dir / f"{name}{MASK_SUFFIX}" for name in ids]


def _record_provenance(
    out_dir: Path, provenance: dict[str, object], files: Sequence[Path], *, overwrite: bool
) -> None:
    """Record which model and options the masks come from; masks of different provenance are never mixed."""
    note = out_dir / MASK_PROVENANCE_FILE
    try:
        same = json.loads(note.read_text(encoding="utf-8")) == provenance
    except (OSError, ValueError):
        same = False
    foreign = [] if same else sorted(out_dir.glob(f"*{MASK_SUFFIX}"))
    replaceable = set(foreign) <= set(files)
    if foreign and not (overwrite and replaceable):
        hint = ", or use --overwrite" if replaceable else ": --overwrite would not replace all of them"
        raise DataError(
            f"{out_dir} holds masks of another model or other options. Choose another folder{hint}"
        )
    for file in foreign:  # before the first new mask, so that an interrupted run cannot mix them
        file.unlink()
    write_text(note, json.dumps(provenance, indent=2) + "\n")
