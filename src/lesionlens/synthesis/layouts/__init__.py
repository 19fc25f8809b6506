"""Synthetic sets in the official layout of each data set; for research and tests only."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from lesionlens.atomic import atomic_directory
from lesionlens.errors import DataError, unknown_name_message
from lesionlens.synthesis.artefacts import ArtifactRates
from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.synthesis.layouts import derm7pt, isic2016, isic2017, isic2018, isic2018_task1
from lesionlens.synthesis.layouts.painted import GeneratedDataset, read_generated
from lesionlens.synthesis.noise import ImageSize


class Layout(NamedTuple):
    """How a painted set becomes an official one.

    Attributes
    ----------
    class_weights
        HAM10000 code -> relative frequency of lesions, such that a small set has enough of each class.
    labels
        HAM10000 code -> label of the layout.
    split_fractions
        Official part, as the layout names it -> share of the lesions.
    write_files
        Puts each file into its place.
    """

    class_weights: Mapping[str, float]
    labels: Mapping[str, str]
    split_fractions: Mapping[str, float]
    write_files: Callable[[GeneratedDataset], None]


def _layout_from_module(module: ModuleType) -> Layout:
    return Layout(module.WEIGHTS, module.LABELS, module.SHARES, module.write)


LAYOUTS: Mapping[str, Layout | None] = {
    "ham10000": None,  # as it is painted
    "isic2016": _layout_from_module(isic2016),
    "isic2017": _layout_from_module(isic2017),
    "isic2018": _layout_from_module(isic2018),
    "isic2018-task1": _layout_from_module(isic2018_task1),
    "derm7pt": _layout_from_module(derm7pt),
}


def generate_in_layout(
    name: str,
    root: Path,
    *,
    num_images: int,
    seed: int = 0,
    size: ImageSize = (192, 256),
    difficulty: float = 0.5,
    artifacts: ArtifactRates | None = None,
    num_workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write a synthetic set in an official layout into the new folder ``root``; complete or not at all.

    Parameters
    ----------
    name
        A name of ``LAYOUTS``, as `load_table` knows it: ``isic2017`` is read as ``isic2017:ROOT``.
    root
        Folder that does not exist yet or is empty.
    num_images, seed, size, difficulty, artifacts, num_workers, progress
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
        raise DataError(unknown_name_message("layout", name, LAYOUTS))
    layout, root = LAYOUTS[name], Path(root)
    with atomic_directory(root) as folder:
        generate_dataset(
            folder,
            num_images=num_images,
            seed=seed,
            size=size,
            difficulty=difficulty,
            artifacts=artifacts,
            class_weights=layout.class_weights if layout else None,
            num_workers=num_workers,
            progress=progress,
        )
        if layout:
            layout.write_files(read_generated(folder, labels=layout.labels, split_fractions=layout.split_fractions, size=size))
            _remove_ham10000_files(folder)
    return root


def _remove_ham10000_files(folder: Path) -> None:
    """Take away what would make the set one of HAM10000's: its table, and folders that were emptied."""
    (folder / "HAM10000_metadata.csv").unlink()
    for path in folder.iterdir():
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
