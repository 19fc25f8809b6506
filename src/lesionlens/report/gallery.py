"""Images of the report's gallery, embedded in the page at a size that keeps it small."""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from lesionlens.core.errors import ImageError
from lesionlens.core.tabular import read_table
from lesionlens.evaluation.case_selection import (
    CENTER_ROW,
    SCORE_DROP_COLUMNS,
    SCORE_DROPS_FILE,
    ExampleCase,
    file_stem,
)
from lesionlens.evaluation.predictions import Predictions
from lesionlens.imaging.decode import read_rgb
from lesionlens.models.map_titles import MAP_TITLES, map_kind, map_title

MAX_HTML_BYTES = 1_900_000  # of all embedded images: keeps the page below 3 MB
# Pixels of the longer side; the largest that fits the budget is used.
IMAGE_SIZES = (260, 220, 180, 150, 120, 96, 72)
LOW_CONFIDENCE_FACTOR = 1.5  # relative to a uniform score over all classes


class GalleryImage(NamedTuple):
    """One image of a case: its title, its data URI ("" if the file cannot be read), and how its score drops.

    ``drop`` is the score of the predicted class, and the score without the pixels that the map marks most; "" for
    images without a map.
    """

    title: str
    data_uri: str
    drop: str = ""


class GalleryCase(NamedTuple):
    """One case with its images.

    Attributes
    ----------
    case
        Image name, true and predicted class.
    images
        The image and its attention maps; empty if the run's directory has none.
    center_drop
        As the drop of a map, for the pixels nearest the center; "" if it was not measured.
    label_score
        Score of the true class, between 0 and 1.
    num_classes
        Number of classes.
    """

    case: ExampleCase
    images: tuple[GalleryImage, ...]
    label_score: float
    num_classes: int
    center_drop: str = ""

    @property
    def low_confidence(self) -> bool:
        """Whether the prediction is correct with a score barely above uniform, 1 / classes."""
        return self.case.correct and self.case.score < LOW_CONFIDENCE_FACTOR / self.num_classes


def gallery_cases(
    cases: Sequence[ExampleCase], maps_dir: Path, predictions: Predictions
) -> tuple[GalleryCase, ...]:
    """Load the images of each case from ``maps_dir``, at the largest size that keeps the page small.

    Parameters
    ----------
    cases
        Cases to show.
    maps_dir
        Directory with ``<image>.png`` and ``<image>.<map>.png``.
    predictions
        Predictions from which the cases were selected.
    """
    files = [_find_images(maps_dir, case.image_id) for case in cases]
    drops = _read_score_drops(maps_dir)
    for size in IMAGE_SIZES:
        images = [
            tuple(
                GalleryImage(
                    map_title(name), _encode_data_uri(path, size), drops.get((case.image_id, name), "")
                )
                for name, path in case_files
            )
            for case, case_files in zip(cases, files, strict=True)
        ]
        if sum(len(image.data_uri) for case_images in images for image in case_images) <= MAX_HTML_BYTES:
            break
    row = {str(image_id): index for index, image_id in enumerate(predictions.image_id)}
    label_scores = [
        float(predictions.scores[row[case.image_id], predictions.classes.index(case.label)]) for case in cases
    ]
    k = len(predictions.classes)
    return tuple(
        GalleryCase(case, case_images, score, k, drops.get((case.image_id, CENTER_ROW), ""))
        for case, case_images, score in zip(cases, images, label_scores, strict=True)
    )


def _find_images(maps_dir: Path, image_id: str) -> list[tuple[str, Path]]:
    """Return names and paths of the image (""), its maps in the order of the network, and any other maps."""
    stem = file_stem(image_id)
    paths = {"": maps_dir / f"{stem}.png"}
    paths |= {
        path.name[len(stem) + 1 : -len(".png")]: path for path in sorted(maps_dir.glob(f"{stem}.*.png"))
    }
    return [(name, paths[name]) for name in sorted(paths, key=_map_order) if paths[name].is_file()]


def _read_score_drops(maps_dir: Path) -> dict[tuple[str, str], str]:
    """Return the drop of each image and map as a text; empty in runs of earlier versions."""
    path = maps_dir / SCORE_DROPS_FILE
    if not path.is_file():
        return {}
    return {
        (image_id, name): f"{float(score):.2f} → {float(without):.2f}"
        for image_id, name, score, without in read_table(path)[list(SCORE_DROP_COLUMNS)].itertuples(
            index=False
        )
    }


def _map_order(name: str) -> tuple[int, int]:
    """Return the sort key of a map; of two blocks the shorter name is first: blocks.9, blocks.10."""
    kinds = list(MAP_TITLES)
    kind = map_kind(name)
    return kinds.index(kind) if kind in MAP_TITLES else len(kinds), len(name)


def _encode_data_uri(path: Path, max_size: int) -> str:
    """Return an image as a JPEG data URI; "" if it cannot be read."""
    try:
        small = Image.fromarray(read_rgb(path))
    except ImageError:
        return ""
    small.thumbnail((max_size, max_size), Image.Resampling.LANCZOS)
    stream = BytesIO()
    small.save(stream, format="JPEG", quality=80, optimize=True)
    return "data:image/jpeg;base64," + b64encode(stream.getvalue()).decode("ascii")
