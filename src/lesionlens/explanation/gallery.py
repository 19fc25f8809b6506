"""The pictures of a run's gallery: each chosen image as it is, and with its maps over it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lesionlens.errors import ModelError
from lesionlens.explanation.explain import explain_image
from lesionlens.explanation.panel import write_png
from lesionlens.models.bundle import Loaded
from lesionlens.report.gallery import Case, file_stem

LONGER_SIDE = 320  # pixels: twice what the page shows


def write_gallery(
    loaded: Loaded,
    paths: Mapping[str, Path],
    cases: Iterable[Case],
    out: Path,
    *,
    methods: Iterable[str] = ("auto",),
) -> list[Path]:
    """Write ``<image_id>.png`` and ``<image_id>.<map>.png`` for each case: the report looks there.

    CAM and Grad-CAM explain the class that the predictions name, also where it is wrong.

    Parameters
    ----------
    loaded
        A model with its card.
    paths
        File of each image by its name.
    cases
        What ``lesionlens.report.gallery.choose`` gave.
    out
        The run's folder ``maps``.
    methods
        As for ``explain``.

    A network that no method fits gets its images without maps: a run must not end without its report.

    Raises
    ------
    ImageError
        An image cannot be read.
    """
    written: list[Path] = []
    methods = tuple(methods)
    for case in cases:
        image = loaded.card.preprocessing.decode(paths[case.image_id])
        options: dict[str, Any] = {"target": case.predicted, "longer_side": LONGER_SIDE}
        try:
            shown = explain_image(loaded, image, methods=methods, **options)
        except ModelError:
            shown = explain_image(loaded, image, methods=(), **options)
        stem = file_stem(case.image_id)
        written.append(write_png(out / f"{stem}.png", shown.image))
        written += [write_png(out / f"{stem}.{name}.png", drawn) for name, drawn in shown.overlays.items()]
    return written
