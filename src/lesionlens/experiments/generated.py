"""The generated data sets of a reproduction: drawn once, whoever asks first; the others wait and use them."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from filelock import FileLock
from rich.console import Console

from lesionlens.atomic import new_folder
from lesionlens.bar import bar
from lesionlens.data.datasets import load_table
from lesionlens.data.fitted_mask import lesion_pixels
from lesionlens.errors import DataError
from lesionlens.experiments.experiment import Planted
from lesionlens.synthesis.artefacts import ArtefactRates
from lesionlens.synthesis.dataset import encode
from lesionlens.synthesis.layouts import lay_out
from lesionlens.synthesis.plant import plant

_MUCH = 10_000_000  # pixels in all, from which a second process pays its start
_OFF = 0.03  # of an image's shorter side, by which an outline is off at most


def generated(
    data: str,
    folder: Path,
    *,
    images: int,
    size: tuple[int, int],
    seed: int,
    console: Console,
    without: Sequence[str] = (),
) -> str:
    """Draw a synthetic set in the layout of ``data`` into ``folder``, unless it is there, and give its source.

    Parameters
    ----------
    data
        A name of ``LAYOUTS``.
    folder
        The set's own; two processes may ask for it at a time.
    images, size, seed
        As for `lay_out`.
    without
        Artefacts that no image gets, because they are to be planted.

    Raises
    ------
    DataError
        As for `lay_out`.
    """
    with _once(folder) as missing:
        if missing:
            with bar(console) as progress:
                line = progress.add_task(f"drawing {data}", total=images)
                lay_out(
                    data,
                    folder,
                    images=images,
                    seed=seed,
                    size=size,
                    artefacts=ArtefactRates().without(without),
                    workers=2 if images * size[0] * size[1] > _MUCH else 1,
                    progress=lambda done, _: progress.update(line, completed=done),
                )
    return f"{data}:{folder}"


def planted_sets(
    sets: Mapping[str, Planted], source: str, folder: Path, *, console: Console
) -> dict[str, str]:
    """Plant what an experiment's sets say into copies of ``source`` below ``folder``, unless they are there.

    Parameters
    ----------
    folder
        Of the copies of this one source, each named by what is planted.

    Returns
    -------
    dict
        Name of the set -> its source. Sets of equal content share a copy.

    Raises
    ------
    DataError
        As for `plant`.
    """
    roots = {name: folder / _named(each) for name, each in sets.items()}
    for name, root in roots.items():
        with _once(root) as missing:
            if missing:
                _plant(sets[name], source, root, console)
    return {name: f"table:{root.absolute() / 'images.csv'}" for name, root in roots.items()}


def mask_folder(source: str, folder: Path) -> Path:
    """Write lesion masks that are a little wrong, as a network's are, into ``folder``, unless they are there.

    Each mask is the table's own with its outline moved out or in by up to 3 % of the image's shorter side, drawn by the
    image's id. An image without a mask gets none.

    Raises
    ------
    DataError
        No image has a lesion mask.
    """
    frame = load_table(source).frame
    known = frame[frame["mask_path"] != ""]
    if known.empty:
        raise DataError(f"not one image of {source} has a lesion mask; draw them: lesionlens segment predict")
    with _once(folder) as missing:
        if missing:
            with new_folder(folder) as part:
                for image_id, path in zip(known["image_id"], known["mask_path"], strict=True):
                    worn = _worn(lesion_pixels(Path(path)), zlib.crc32(image_id.encode()))
                    encode(part / f"{image_id}.png", worn, [])
    return folder


@contextmanager
def _once(root: Path) -> Iterator[bool]:
    """Wait until nobody else makes ``root``; say whether it is missing still. What is there is complete."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(root.parent / f".{root.name}.lock"):
        yield not root.exists()


def _plant(each: Planted, source: str, root: Path, console: Console) -> None:
    with bar(console) as progress:
        line = progress.add_task(f"planting {each.artefact} ({each.association:+g})", total=None)
        plant(
            source,
            root,
            artefact=each.artefact,
            association=each.association,
            task=each.task,
            seed=each.seed,
            progress=lambda done, total: progress.update(line, completed=done, total=total),
        )


def _named(each: Planted) -> str:
    """Name a copy by what is in it."""
    return f"{each.artefact}-{each.task}{each.association:+g}-seed{each.seed}"


def _worn(mask: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.uint8]:
    """Move a mask's outline; a lesion that would vanish stays as it is. 0 and 255, (h, w)."""
    most = max(1, round(_OFF * min(mask.shape)))
    by = int(np.random.default_rng(seed).integers(-most, most + 1))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(by) + 1,) * 2)
    white = mask.astype(np.uint8) * 255
    moved = cv2.dilate(white, kernel) if by > 0 else cv2.erode(white, kernel)
    return np.asarray(moved if moved.any() else white, np.uint8)
