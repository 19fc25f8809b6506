"""The gallery's pictures, small enough to lie inside the page."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lesionlens.evaluation.case_selection import ExampleCase, file_stem
from lesionlens.evaluation.predictions import Predictions
from lesionlens.models.map_titles import MAP_TITLES, map_kind, map_title

MAX_HTML_BYTES = 1_900_000  # bytes of all pictures as text: keeps the page below 3 MB
IMAGE_SIZES = (260, 220, 180, 150, 120, 96, 72)  # pixels of the longer side: the largest that fits the budget
LOW_CONFIDENCE_FACTOR = 1.5  # times the even score of all classes


class GalleryImage(NamedTuple):
    """One picture: what it shows, and itself as a data URI."""

    title: str
    data_uri: str


class GalleryCase(NamedTuple):
    """A case with its pictures (none where the folder has none), its label's score and the number of classes."""

    case: ExampleCase
    images: tuple[GalleryImage, ...]
    label_score: float
    num_classes: int

    @property
    def low_confidence(self) -> bool:
        """Whether it is right with a score barely above even, 1 / classes."""
        return self.case.correct and self.case.score < LOW_CONFIDENCE_FACTOR / self.num_classes


def gallery_cases(
    cases: Sequence[ExampleCase], maps_dir: Path, predictions: Predictions
) -> tuple[GalleryCase, ...]:
    """Pair cases with their pictures in ``maps_dir``, at the largest size that keeps the page small."""
    files = [_find_images(maps_dir, case.image_id) for case in cases]
    for side in IMAGE_SIZES:
        tiles = [
            tuple(GalleryImage(title, _encode_data_uri(path, side)) for title, path in each) for each in files
        ]
        if sum(len(tile.data_uri) for each in tiles for tile in each) <= MAX_HTML_BYTES:
            break
    row = {str(image_id): place for place, image_id in enumerate(predictions.image_id)}
    scores = [
        float(predictions.scores[row[case.image_id], predictions.classes.index(case.label)]) for case in cases
    ]
    k = len(predictions.classes)
    return tuple(GalleryCase(*each, k) for each in zip(cases, tiles, scores, strict=True))


def _find_images(maps_dir: Path, image_id: str) -> list[tuple[str, Path]]:
    """Find the image, then its maps in the order of the network, then any others."""
    stem = file_stem(image_id)
    found = {"": maps_dir / f"{stem}.png"}
    found |= {
        path.name[len(stem) + 1 : -len(".png")]: path for path in sorted(maps_dir.glob(f"{stem}.*.png"))
    }
    kinds = list(MAP_TITLES)

    def place(name: str) -> tuple[int, int]:
        # of two gates the shorter name is first: blocks.9, blocks.10
        return kinds.index(map_kind(name)) if map_kind(name) in MAP_TITLES else len(kinds), len(name)

    return [(map_title(name), found[name]) for name in sorted(found, key=place) if found[name].is_file()]


def _encode_data_uri(path: Path, max_size: int) -> str:
    """Give a picture as a JPEG data URI; one that cannot be read is left blank."""
    try:
        with Image.open(path) as image:
            small = image.convert("RGB")
    except (OSError, ValueError):
        return ""
    small.thumbnail((max_size, max_size), Image.Resampling.LANCZOS)
    stream = BytesIO()
    small.save(stream, format="JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + b64encode(stream.getvalue()).decode("ascii")
