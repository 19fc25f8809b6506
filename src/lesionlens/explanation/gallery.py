"""The pictures of a run's gallery: each chosen image as it is, and with its maps over it."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lesionlens.core.errors import ModelError
from lesionlens.evaluation.case_selection import ExampleCase, file_stem
from lesionlens.explanation.explain import explain_image
from lesionlens.explanation.panel import write_png
from lesionlens.models.saved_model import LoadedModel

MAX_GALLERY_SIZE = 320  # pixels: twice what the page shows


def write_gallery(
    loaded: LoadedModel,
    paths: Mapping[str, Path],
    cases: Iterable[ExampleCase],
    out: Path,
    *,
    methods: Iterable[str] = ("auto",),
    masks: Mapping[str, Path] | None = None,
) -> list[Path]:
    """Write ``<image_id>.png`` and ``<image_id>.<map>.png`` for each case: the report looks there.

    CAM and Grad-CAM explain the class that the predictions name, also where it is wrong; where that is the rest, of
    which a model of independent scores has no score, the class with the highest one.

    Parameters
    ----------
    loaded
        A model with its card.
    paths
        File of each image by its name.
    cases
        What ``lesionlens.evaluation.case_selection.select_cases`` gave.
    out
        The run's folder ``attention_maps``.
    methods
        As for ``explain``.
    masks
        Lesion mask of each image by its name, for a model that looks at the box around the lesion.

    A network that no method fits gets its images without maps: a run must not end without its report.

    Raises
    ------
    DataError
        An image cannot be read, or its mask does not fit.
    """
    written: list[Path] = []
    methods = tuple(methods)
    for case in cases:
        path, mask = paths[case.image_id], (masks or {}).get(case.image_id)
        image = loaded.card.preprocessing.load_image(path)
        region = loaded.card.preprocessing.lesion_roi(image, mask, path=path)
        target = case.predicted if case.predicted in loaded.card.classes else None
        options: dict[str, Any] = {"region": region, "target_class": target, "max_size": MAX_GALLERY_SIZE}
        try:
            shown = explain_image(loaded, image, methods=methods, **options)
        except ModelError:
            shown = explain_image(loaded, image, methods=(), **options)
        stem = file_stem(case.image_id)
        written.append(write_png(out / f"{stem}.png", shown.image))
        written += [write_png(out / f"{stem}.{name}.png", drawn) for name, drawn in shown.overlays.items()]
    return written
