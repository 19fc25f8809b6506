"""Mask prediction at the images' own size, batch by batch, with constant memory."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.core.errors import DataError, ImageError
from lesionlens.core.fileio import write_text
from lesionlens.core.types import ProgressCallback
from lesionlens.imaging.masks import MASK_SUFFIX, BinaryMask, ImageSize, keep_largest_component, write_mask
from lesionlens.inference.inputs import collect_inputs
from lesionlens.segmentation.models import LoadedSegmentationModel, load_segmentation_model

MASK_PROVENANCE_FILE = "masks.json"


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
    for start in range(0, len(paths), batch_size):
        inputs = [_load_input(loaded, path) for path in paths[start : start + batch_size]]
        images = [item[0] for item in inputs if not isinstance(item, ImageError)]
        logits = iter(_predict_logits(loaded, images))
        for item in inputs:
            yield item if isinstance(item, ImageError) else _to_mask(next(logits), item[1], largest_only)


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


def _to_mask(logits: NDArray[np.float32], size: ImageSize, largest_only: bool) -> BinaryMask:
    mask = np.asarray(cv2.resize(logits, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)) > 0
    return keep_largest_component(mask) if largest_only else mask


def segment_images(
    model_dir: Path | str,
    sources: Sequence[str | Path],
    out_dir: Path,
    *,
    largest_only: bool | None = None,
    overwrite: bool = False,
    device: str = "cpu",
    batch_size: int = 16,
    within_root: bool = False,
    on_progress: ProgressCallback | None = None,
) -> WriteSummary:
    """Write ``ID_segmentation.png`` (0 and 255) per image; existing masks are skipped.

    Parameters
    ----------
    model_dir
        Directory of a saved segmentation model or of a segmentation run.
    sources
        Folders, image files, or tables (``NAME:ROOT``, a CSV or parquet file).
    largest_only
        Whether to keep only the largest connected component and fill its holes; None: as on the model card.
    overwrite
        Predict all masks again.
    within_root
        As for ``predict``.

    Raises
    ------
    LesionLensError
        The model or the sources cannot be used, the folder is not writable, or it holds masks of another provenance.
    """
    loaded = load_segmentation_model(model_dir, device=device)
    largest_only = loaded.card.keep_largest_component if largest_only is None else largest_only
    inputs = collect_inputs(sources, within_root=within_root)
    files = _mask_paths(inputs.image_id, out_dir)
    provenance = {"weights": loaded.digest, "keep_largest_component": largest_only}
    _record_provenance(out_dir, provenance, files, overwrite=overwrite)
    pending = [index for index, file in enumerate(files) if overwrite or not file.is_file()]
    skipped = len(files) - len(pending)
    failures: list[str] = []
    masks = predict_masks(
        loaded, [inputs.path[index] for index in pending], largest_only=largest_only, batch_size=batch_size
    )
    for number, (index, mask) in enumerate(zip(pending, masks, strict=True)):
        if isinstance(mask, ImageError):
            failures.append(str(mask))
        else:
            write_mask(files[index], mask)
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
