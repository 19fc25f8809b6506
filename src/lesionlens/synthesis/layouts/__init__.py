"""Synthetic sets in the official layout of each data set; for research and tests only."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from lesionlens.atomic import new_folder
from lesionlens.errors import DataError, unknown
from lesionlens.synthesis.artefacts import ArtefactRates
from lesionlens.synthesis.dataset import synthesise
from lesionlens.synthesis.layouts import derm7pt, isic2016, isic2017, isic2018, isic2018_task1
from lesionlens.synthesis.layouts.painted import Painted, read_painted
from lesionlens.synthesis.noise import Size


class Layout(NamedTuple):
    """How a painted set becomes an official one.

    Attributes
    ----------
    weights
        HAM10000 code -> relative frequency of lesions, such that a small set has enough of each class.
    labels
        HAM10000 code -> label of the layout.
    shares
        Official part, as the layout names it -> share of the lesions.
    write
        Puts each file into its place.
    """

    weights: Mapping[str, float]
    labels: Mapping[str, str]
    shares: Mapping[str, float]
    write: Callable[[Painted], None]


def _layout(module: ModuleType) -> Layout:
    return Layout(module.WEIGHTS, module.LABELS, module.SHARES, module.write)


LAYOUTS: Mapping[str, Layout | None] = {
    "ham10000": None,  # as it is painted
    "isic2016": _layout(isic2016),
    "isic2017": _layout(isic2017),
    "isic2018": _layout(isic2018),
    "isic2018-task1": _layout(isic2018_task1),
    "derm7pt": _layout(derm7pt),
}


def lay_out(
    name: str,
    root: Path,
    *,
    images: int,
    seed: int = 0,
    size: Size = (192, 256),
    difficulty: float = 0.5,
    artefacts: ArtefactRates | None = None,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a synthetic set in an official layout into the new folder ``root``; complete or not at all.

    Parameters
    ----------
    name
        A name of ``LAYOUTS``, as `load_table` knows it: ``isic2017`` is read as ``isic2017:ROOT``.
    root
        Folder that does not exist yet or is empty.
    images, seed, size, difficulty, artefacts, workers, progress
        As for `synthesise`. Each class is in each official part, so that 60 images are enough for any layout.

    Returns
    -------
    Path
        ``root``, with the layout's files, and beside them ``structures/``, ``artefact_masks/``,
        ``artefacts.csv`` and ``synthesis.json``, by which readers know that the set is synthetic.

    Raises
    ------
    DataError
        An unknown name, a folder that holds something, an option that is not allowed, or too few images.
    """
    if name not in LAYOUTS:
        raise DataError(unknown("layout", name, LAYOUTS))
    layout, root = LAYOUTS[name], Path(root)
    with new_folder(root) as folder:
        synthesise(
            folder,
            images=images,
            seed=seed,
            size=size,
            difficulty=difficulty,
            artefacts=artefacts,
            class_weights=layout.weights if layout else None,
            workers=workers,
            progress=progress,
        )
        if layout:
            layout.write(read_painted(folder, labels=layout.labels, shares=layout.shares, size=size))
            _tidy(folder)
    return root


def _tidy(folder: Path) -> None:
    """Take away what would make the set one of HAM10000's: its table, and folders that were emptied."""
    (folder / "HAM10000_metadata.csv").unlink()
    for path in folder.iterdir():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
