"""Images to masks of their own size, a batch at a time: memory does not grow with their number."""

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
    """How many masks were written and how many were there, and why the others could not be made."""

    written: int
    skipped: int
    failures: tuple[str, ...]


def predict_masks(
    loaded: LoadedSegmentationModel, paths: Sequence[Path], *, largest_only: bool, batch_size: int = 16
) -> Iterator[BinaryMask | ImageError]:
    """Draw the lesion of each image, in order: (h, w) of the image's own size, or why it cannot be read.

    The network's logits are brought to the image's size, bilinear; above 0 is lesion.
    """
    for start in range(0, len(paths), batch_size):
        found = [_load_input(loaded, path) for path in paths[start : start + batch_size]]
        views = [each[0] for each in found if not isinstance(each, ImageError)]
        logits = iter(_predict_logits(loaded, views))
        for each in found:
            yield each if isinstance(each, ImageError) else _to_mask(next(logits), each[1], largest_only)


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
    on_progress: ProgressCallback | None = None,
) -> WriteSummary:
    """Write ``ID_segmentation.png`` for each image, 0 and 255; masks that are there already are kept.

    Parameters
    ----------
    model_dir
        A bundle's folder, or a segmentation run's.
    sources
        Folders, image files, or tables (``NAME:ROOT``, a CSV or parquet).
    largest_only
        Keep only the largest region, and fill its holes; None: as the card says.
    overwrite
        Draw all masks anew.

    Raises
    ------
    LesionLensError
        The bundle or the sources cannot be used, the folder cannot be written, or it holds masks of another origin.
    """
    loaded = load_segmentation_model(model_dir, device=device)
    largest_only = loaded.card.keep_largest_component if largest_only is None else largest_only
    wanted = collect_inputs(sources)
    files = _mask_paths(wanted.image_id, out_dir)
    provenance = {"weights": loaded.digest, "keep_largest_component": largest_only}
    _record_provenance(out_dir, provenance, files, overwrite=overwrite)
    pending = [place for place, file in enumerate(files) if overwrite or not file.is_file()]
    skipped = len(files) - len(pending)
    unreadable: list[str] = []
    drawn = predict_masks(
        loaded, [wanted.path[place] for place in pending], largest_only=largest_only, batch_size=batch_size
    )
    for number, (place, mask) in enumerate(zip(pending, drawn, strict=True)):
        if isinstance(mask, ImageError):
            unreadable.append(str(mask))
        else:
            write_mask(files[place], mask)
        if on_progress is not None:
            on_progress(skipped + number + 1, len(files))
    return WriteSummary(len(pending) - len(unreadable), skipped, tuple(unreadable))


def _mask_paths(ids: Sequence[str], out_dir: Path) -> list[Path]:
    outside = [name for name in ids if Path(name).name != name]
    if outside:
        raise DataError(f"the image id {outside[0]!r} cannot be a file's name; rename it without slashes")
    return [out_dir / f"{name}{MASK_SUFFIX}" for name in ids]


def _record_provenance(
    out_dir: Path, provenance: dict[str, object], files: Sequence[Path], *, overwrite: bool
) -> None:
    """Write down whose masks these are; never mix them with those of another network."""
    note = out_dir / MASK_PROVENANCE_FILE
    try:
        same = json.loads(note.read_text(encoding="utf-8")) == provenance
    except (OSError, ValueError):
        same = False
    foreign = [] if same else sorted(out_dir.glob(f"*{MASK_SUFFIX}"))
    anew = overwrite and set(foreign) <= set(files)
    if foreign and not anew:
        do = ", or --overwrite" if set(foreign) <= set(files) else ": not all of them would be drawn anew"
        raise DataError(
            f"{out_dir} holds masks that this network did not draw with these options; choose another folder{do}"
        )
    for file in foreign:  # now, lest a run that is stopped take what is left of them for its own
        file.unlink()
    write_text(note, json.dumps(provenance, indent=2) + "\n")
