"""Image files below a folder: every real folder once, without the folders that LesionLens itself wrote."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lesionlens.core.errors import DataError
from lesionlens.imaging.formats import IMAGE_SUFFIXES, SIDECAR_SUFFIXES

# A folder with all files of one of these is a run, a group of runs, or the output of a command.
_OUTPUT_FILES = (
    ("metadata.json", "recipe.yaml"),
    ("multi_run.json",),
    ("audit.json", "duplicates.csv"),
    ("comparison.json", "comparison.csv"),
    ("evaluation.json",),
    ("ood.json",),
    ("table.html", "results.json"),
    ("artifact_injection.json",),
)
# Figures that a command writes next to a file, also into a folder of images.
_FIGURES = {
    "evaluation.json": (
        "roc.png",
        "precision_recall.png",
        "confusion.png",
        "reliability.png",
        "risk_coverage.png",
        "decision_curve.png",
    ),
    "subgroups.json": ("subgroups.png",),
    "ood.json": ("ood.png", "ood_examples.png"),
    "comparison.json": ("comparison.png",),
    "audit.json": ("duplicates.png",),
}
PANEL_SUFFIX = ".panel.png"  # of `lesionlens explain`, which writes STEM.MAP.png and STEM.panel.png
OUTPUT_FOLDERS = "folders that LesionLens wrote"
OUTPUT_IMAGES = "images that LesionLens wrote"
MASK_FOLDERS = "folders of masks"
_MASK_FOLDER = re.compile(r"mask|segmentation|structures|superpixel|ground_?truth|__macosx", re.IGNORECASE)


class FolderWalk:
    """Iterate over the folders below a root, each with the names of its image files, sorted.

    A link to a folder is followed, but every real folder is visited once, and a link to a folder that contains the link
    is not followed. Hidden files, overlays and figures of LesionLens are skipped; below the root, also hidden
    folders, folders of masks or ground truth (by their name) and outputs of LesionLens.

    Parameters
    ----------
    root
        Folder to search.
    depth
        Levels of subfolders to search. Default: all.

    Attributes
    ----------
    skipped
        Number of skipped files by extension, without text and tables, and of the rest under ``OUTPUT_IMAGES``,
        ``OUTPUT_FOLDERS`` and ``MASK_FOLDERS``; complete after the iteration.
    """

    def __init__(self, root: Path, *, depth: int | None = None) -> None:
        self.root, self.depth = root, depth
        self.skipped: Counter[str] = Counter()

    def __iter__(self) -> Iterator[tuple[Path, tuple[str, ...]]]:
        self.skipped.clear()
        status = _status(self.root)
        self._visited = {(status.st_dev, status.st_ino)}
        self._links: list[tuple[str, int | None]] = []
        yield from self._walk(str(self.root), self.depth, is_root=True)
        # Links come last, so that a folder below the root has its own path; the list grows meanwhile.
        for path, depth in self._links:
            if self._is_new(path):
                yield from self._walk(path, depth)

    def _walk(
        self, folder: str, depth: int | None, *, is_root: bool = False
    ) -> Iterator[tuple[Path, tuple[str, ...]]]:
        entries = _list_folder(folder)
        if not is_root and _is_output({entry.name for entry in entries}):
            self.skipped[OUTPUT_FOLDERS] += 1
            return
        yield Path(folder), tuple(self._select_images(entries))
        remaining = None if depth is None else depth - 1
        for entry in entries if depth != 0 else ():
            if entry.name.startswith(".") or not _is_folder(entry):
                continue
            if _MASK_FOLDER.search(entry.name):
                self.skipped[MASK_FOLDERS] += 1
            elif entry.is_symlink():
                self._links.append((entry.path, remaining))
            elif self._is_new(entry.path):
                yield from self._walk(entry.path, remaining)

    def _select_images(self, entries: Sequence["os.DirEntry[str]"]) -> Iterator[str]:
        outputs = _output_images({entry.name for entry in entries})
        for entry in entries:
            if entry.name.startswith(".") or _is_folder(entry):
                continue
            suffix = os.path.splitext(entry.name)[1].lower()
            if entry.name in outputs:
                self.skipped[OUTPUT_IMAGES] += 1
            elif suffix in IMAGE_SUFFIXES:
                yield entry.name
            elif suffix and suffix not in SIDECAR_SUFFIXES:
                self.skipped[suffix] += 1

    def _is_new(self, folder: str) -> bool:
        """Return whether a folder was not visited yet and, if it is a link, does not contain the link."""
        status = _status(folder)
        key = (status.st_dev, status.st_ino)
        if key in self._visited or _contains_itself(folder):
            return False
        self._visited.add(key)
        return True


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    """Return whether an entry is a folder or a link to one; a link that leads to itself is not."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _status(folder: str | Path) -> os.stat_result:
    try:
        return os.stat(folder)
    except OSError as error:
        raise _listing_error(folder, error) from error


def _contains_itself(folder: str) -> bool:
    target, parent = os.path.realpath(folder), os.path.realpath(os.path.dirname(folder))
    return os.path.commonpath([target, parent]) == target


def _list_folder(folder: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as iterator:
            return sorted(iterator, key=lambda entry: entry.name)
    except OSError as error:
        raise _listing_error(folder, error) from error


def _listing_error(folder: str | Path, error: OSError) -> DataError:
    return DataError(f"Cannot list the folder {folder}: {error.strerror}. Make it readable, or exclude it")


def _is_output(names: set[str]) -> bool:
    return any(names.issuperset(files) for files in _OUTPUT_FILES)


def _output_images(names: set[str]) -> set[str]:
    """Return the names of figures, of panels, and of the maps of the same images."""
    figures = {figure for file, written in _FIGURES.items() if file in names for figure in written}
    stems = {name.removesuffix(PANEL_SUFFIX) for name in names if name.endswith(PANEL_SUFFIX)} - {""}
    return figures | {
        name for name in names if name.endswith(".png") and name[:-4].rpartition(".")[0] in stems
    }


def describe_skipped(skipped: Counter[str]) -> str:
    """Format the numbers of skipped files, most frequent first; "" if there is none.

    Examples
    --------
    >>> describe_skipped(Counter({".gif": 3, "masks": 1}))
    '.gif (3), masks (1)'
    """
    return ", ".join(f"{kind} ({count:,})" for kind, count in skipped.most_common())
