"""Images of a run's gallery: each selected image, unchanged and with overlays of its maps."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lesionlens.core.errors import ModelError
from lesionlens.core.tabular import write_csv_rows
from lesionlens.evaluation.case_selection import (
    CENTER_ROW,
    SCORE_DROP_COLUMNS,
    SCORE_DROPS_FILE,
    ExampleCase,
    file_stem,
)
from lesionlens.explanation.explain import explain_image
from lesionlens.explanation.map_controls import CENTER
from lesionlens.explanation.panel import write_png
from lesionlens.models.saved_model import LoadedModel

MAX_GALLERY_SIZE = 320  # pixels of the longer side: twice the size in the report


def write_gallery(
    loaded: LoadedModel,
    paths: Mapping[str, Path],
    cases: Iterable[ExampleCase],
    out: Path,
    *,
    methods: Iterable[str] = ("auto",),
    masks: Mapping[str, Path] | None = None,
) -> list[Path]:
    """Write ``<image_id>.png`` and ``<image_id>.<map>.png`` for each case, and ``score_drops.csv``, for the report.

    CAM and Grad-CAM explain the predicted class, even if it is wrong. If that is the rest class of a multilabel model,
    which has no score, they explain the class with the highest score. If no method works on the network, the images are
    written without overlays, so that the report of the run can be completed.

    Parameters
    ----------
    loaded
        Model with its card.
    paths
        Image file by image id.
    cases
        Cases selected by ``lesionlens.evaluation.case_selection.select_cases``.
    out
        Directory ``attention_maps`` of the run.
    methods
        As for ``explain``.
    masks
        Lesion mask file by image id, for a model that crops around the lesion.

    Returns
    -------
    list of Path
        Written files.

    Raises
    ------
    DataError
        An image cannot be read, or its mask does not match it.
    """
    written: list[Path] = []
    drops: list[tuple[str, str, str, str]] = [SCORE_DROP_COLUMNS]
    methods = tuple(methods)
    for case in cases:
        path, mask = paths[case.image_id], (masks or {}).get(case.image_id)
        target = case.predicted if case.predicted in loaded.card.classes else None
        options: dict[str, Any] = {"mask": mask, "target_class": target, "max_size": MAX_GALLERY_SIZE}
        options["score_drops"] = True
        try:
            explanation = explain_image(loaded, path, methods=methods, **options)
        except ModelError:
            explanation = explain_image(loaded, path, methods=(), **options)
        stem = file_stem(case.image_id)
        written.append(write_png(out / f"{stem}.png", explanation.image))
        written += [
            write_png(out / f"{stem}.{name}.png", overlay) for name, overlay in explanation.overlays.items()
        ]
        drops += [
            (
                case.image_id,
                CENTER_ROW if name == CENTER else name,
                f"{drop.score:.4f}",
                f"{drop.without:.4f}",
            )
            for name, drop in explanation.score_drops.items()
        ]
    write_csv_rows(out / SCORE_DROPS_FILE, drops)
    return [*written, out / SCORE_DROPS_FILE]
