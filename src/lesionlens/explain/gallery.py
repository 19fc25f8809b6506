"""The pictures of a run's gallery: each chosen image as it is, and with its maps over it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from numpy import ndarray
from torch import Tensor

from lesionlens.data.images import read_rgb
from lesionlens.explain.explain import explain_image
from lesionlens.explain.panel import write_png
from lesionlens.models.classifier import Classifier
from lesionlens.report.gallery import Case, file_stem

LONGER_SIDE = 320  # pixels: twice what the page shows


def write_gallery(
    model: Classifier,
    paths: Mapping[str, Path],
    cases: Iterable[Case],
    out: Path,
    *,
    classes: Sequence[str],
    prepare: Callable[[ndarray], Tensor],
    methods: Iterable[str] = ("auto",),
) -> list[Path]:
    """Write ``<image_id>.png`` and ``<image_id>.<map>.png`` for each case: the report looks there.

    CAM and Grad-CAM explain the class that the predictions name, also where it is wrong.

    Parameters
    ----------
    model, classes
        The network and the names of its classes.
    paths
        File of each image by its name.
    cases
        What ``lesionlens.report.gallery.choose`` gave.
    out
        The run's folder ``maps``.
    prepare, methods
        As for ``explain``.

    Raises
    ------
    ImageError
        An image cannot be read.
    ModelError
        A method does not fit the network.
    """
    written: list[Path] = []
    methods = tuple(methods)
    for case in cases:
        shown = explain_image(
            model, read_rgb(paths[case.image_id]), classes=classes, prepare=prepare, methods=methods,
            target=case.predicted, longer_side=LONGER_SIDE,
        )  # fmt: skip
        stem = file_stem(case.image_id)
        written.append(write_png(out / f"{stem}.png", shown.image))
        written += [write_png(out / f"{stem}.{name}.png", drawn) for name, drawn in shown.overlays.items()]
    return written
