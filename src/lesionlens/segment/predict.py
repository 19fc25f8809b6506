"""Images to masks of their own size, a batch at a time: memory does not grow with their number."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from lesionlens.atomic import write_text
from lesionlens.errors import DataError, ImageError
from lesionlens.segment.bundle import Loaded, load_masker
from lesionlens.segment.masks import SUFFIX, Mask, Size, tidied, write_mask
from lesionlens.subjects import subjects

Progress = Callable[[int, int], None]
ORIGIN = "masks.json"


@dataclass(frozen=True)
class Written:
    """How many masks were written and how many were there, and why the others could not be made."""

    written: int
    skipped: int
    unreadable: tuple[str, ...]


def masks_of(
    loaded: Loaded, paths: Sequence[Path], *, tidy: bool, batch_size: int = 16
) -> Iterator[Mask | ImageError]:
    """Draw the lesion of each image, in order: (h, w) of the image's own size, or why it cannot be read.

    The network's logits are brought to the image's size, bilinear; above 0 is lesion.
    """
    for start in range(0, len(paths), batch_size):
        found = [_small(loaded, path) for path in paths[start : start + batch_size]]
        views = [each[0] for each in found if not isinstance(each, ImageError)]
        logits = iter(_logits(loaded, views))
        for each in found:
            yield each if isinstance(each, ImageError) else _mask(next(logits), each[1], tidy)


def _small(loaded: Loaded, path: Path) -> tuple[NDArray[np.uint8], Size] | ImageError:
    try:
        image = loaded.card.preprocessing.decode(path)
    except ImageError as error:
        return error
    return loaded.card.preprocessing.views(image)[0], (image.shape[0], image.shape[1])


def _logits(loaded: Loaded, views: Sequence[NDArray[np.uint8]]) -> Sequence[NDArray[np.float32]]:
    if not views:
        return ()
    device = next(loaded.model.parameters()).device
    with torch.inference_mode():
        x = loaded.card.preprocessing.normalised(torch.from_numpy(np.stack(views)).to(device))
        return list(loaded.model(x)[:, 0].float().cpu().numpy())


def _mask(logits: NDArray[np.float32], size: Size, tidy: bool) -> Mask:
    mask = np.asarray(cv2.resize(logits, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)) > 0
    return tidied(mask) if tidy else mask


def predict(
    bundle: Path | str,
    sources: Sequence[str | Path],
    folder: Path,
    *,
    tidy: bool | None = None,
    overwrite: bool = False,
    device: str = "cpu",
    batch_size: int = 16,
    progress: Progress | None = None,
) -> Written:
    """Write ``ID_segmentation.png`` for each image, 0 and 255; masks that are there already are kept.

    Parameters
    ----------
    bundle
        A bundle's folder, or a segmentation run's.
    sources
        Folders, image files, or tables (``NAME:ROOT``, a CSV or parquet).
    tidy
        Keep only the largest region, and fill its holes; None: as the card says.
    overwrite
        Draw all masks anew.

    Raises
    ------
    LesionLensError
        The bundle or the sources cannot be used, the folder cannot be written, or it holds masks of another origin.
    """
    loaded = load_masker(bundle, device=device)
    tidy = loaded.card.tidy if tidy is None else tidy
    wanted = subjects(sources)
    files = _files(wanted.image_id, folder)
    _claim(folder, {"weights": loaded.digest, "tidy": tidy}, files, overwrite=overwrite)
    pending = [place for place, file in enumerate(files) if overwrite or not file.is_file()]
    skipped = len(files) - len(pending)
    unreadable: list[str] = []
    drawn = masks_of(loaded, [wanted.path[place] for place in pending], tidy=tidy, batch_size=batch_size)
    for number, (place, mask) in enumerate(zip(pending, drawn, strict=True)):
        if isinstance(mask, ImageError):
            unreadable.append(str(mask))
        else:
            write_mask(files[place], mask)
        if progress is not None:
            progress(skipped + number + 1, len(files))
    return Written(len(pending) - len(unreadable), skipped, tuple(unreadable))


def _files(ids: Sequence[str], folder: Path) -> list[Path]:
    outside = [name for name in ids if Path(name).name != name]
    if outside:
        raise DataError(f"the image id {outside[0]!r} cannot be a file's name; rename it without slashes")
    return [folder / f"{name}{SUFFIX}" for name in ids]


def _claim(folder: Path, origin: dict[str, object], files: Sequence[Path], *, overwrite: bool) -> None:
    """Write down whose masks these are; never mix them with those of another network."""
    note = folder / ORIGIN
    try:
        same = json.loads(note.read_text(encoding="utf-8")) == origin
    except (OSError, ValueError):
        same = False
    foreign = [] if same else sorted(folder.glob(f"*{SUFFIX}"))
    anew = overwrite and set(foreign) <= set(files)
    if foreign and not anew:
        do = ", or --overwrite" if set(foreign) <= set(files) else ": not all of them would be drawn anew"
        raise DataError(
            f"{folder} holds masks that this network did not draw with these options; choose another folder{do}"
        )
    for file in foreign:  # now, lest a run that is stopped take what is left of them for its own
        file.unlink()
    write_text(note, json.dumps(origin, indent=2) + "\n")
