"""The gallery's pictures, small enough to lie inside the page."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lesionlens.evaluation.prediction_table import Predictions
from lesionlens.report.gallery import Case, file_stem

BUDGET = 1_900_000  # bytes of all pictures as text: keeps the page below 3 MB
SIDES = (260, 220, 180, 150, 120, 96, 72)  # pixels of the longer side: the largest that fits the budget
BARELY = 1.5  # times the even score of all classes
TITLES = {
    "": "image",
    "initial-crops": "initial attention: weight of each crop",
    **{f"layer{stage}": f"ARL mask, stage {stage}" for stage in (1, 2, 3, 4)},
    **{f"ran-layer{stage}": f"residual attention, stage {stage}" for stage in (1, 2, 3)},
    "gate-": "gate at ",
    "soft": "soft attention",
    "soft-heads": "soft attention, each head",
    "end-crops": "end attention: weight of each crop",
    "cam": "CAM",
    "gradcam": "Grad-CAM",
    "gradcampp": "Grad-CAM++",
    "layercam": "Layer-CAM",
}
"""Of maps by name, in the order in which they are shown; the name of a gate goes on with that of its stage."""


def title(name: str) -> str:
    """Say in words what a map shows; one that is not known keeps its name.

    Examples
    --------
    >>> title("gate-pool3"), title("gradcampp"), title("mine")
    ('gate at pool3', 'Grad-CAM++', 'mine')
    """
    kind = _kind(name)
    return TITLES[kind] + name.removeprefix(kind) if kind in TITLES else name


def _kind(name: str) -> str:
    return "gate-" if name.startswith("gate-") else name


class Tile(NamedTuple):
    """One picture: what it shows, and itself as a data URI."""

    title: str
    uri: str


class Shown(NamedTuple):
    """A case with its pictures (none where the folder has none), its label's score and the number of classes."""

    case: Case
    tiles: tuple[Tile, ...]
    label_score: float
    classes: int

    @property
    def barely(self) -> bool:
        """Whether it is right with a score barely above even, 1 / classes."""
        return self.case.right and self.case.score < BARELY / self.classes


def shown(cases: Sequence[Case], maps: Path, predictions: Predictions) -> tuple[Shown, ...]:
    """Pair cases with their pictures in ``maps``, at the largest size that keeps the page small."""
    files = [_files(maps, case.image_id) for case in cases]
    for side in SIDES:
        tiles = [tuple(Tile(title, _uri(path, side)) for title, path in each) for each in files]
        if sum(len(tile.uri) for each in tiles for tile in each) <= BUDGET:
            break
    row = {str(image_id): place for place, image_id in enumerate(predictions.image_id)}
    scores = [
        float(predictions.scores[row[case.image_id], predictions.classes.index(case.label)]) for case in cases
    ]
    k = len(predictions.classes)
    return tuple(Shown(*each, k) for each in zip(cases, tiles, scores, strict=True))


def _files(maps: Path, image_id: str) -> list[tuple[str, Path]]:
    """Find the image, then its maps in the order of the network, then any others."""
    stem = file_stem(image_id)
    found = {"": maps / f"{stem}.png"}
    found |= {path.name[len(stem) + 1 : -len(".png")]: path for path in sorted(maps.glob(f"{stem}.*.png"))}
    kinds = list(TITLES)

    def place(name: str) -> tuple[int, int]:
        # of two gates the shorter name is first: blocks.9, blocks.10
        return kinds.index(_kind(name)) if _kind(name) in TITLES else len(kinds), len(name)

    return [(title(name), found[name]) for name in sorted(found, key=place) if found[name].is_file()]


def _uri(path: Path, side: int) -> str:
    """Give a picture as a JPEG data URI; one that cannot be read is left blank."""
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except (OSError, ValueError):
        return ""
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    stream = BytesIO()
    small.save(stream, format="JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + b64encode(stream.getvalue()).decode("ascii")
