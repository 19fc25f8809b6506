"""From image files to pictures of where the network looked."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from lesionlens.data.images import read_rgb
from lesionlens.errors import ImageError, ModelError, unknown
from lesionlens.explain.methods import maps_of
from lesionlens.explain.panel import panel, write_png
from lesionlens.explain.render import overlay, shrunk
from lesionlens.explain.undisturbed import undisturbed
from lesionlens.models.classifier import Classifier

LONGER_SIDE = 1024  # pixels of an overlay: enough to see structures, small enough to keep many


class Explained(NamedTuple):
    """One image, (h, w, 3), its overlays of the same size by map name, and its score for each class."""

    image: ndarray
    overlays: dict[str, ndarray]
    scores: dict[str, float]


def explain(
    model: Classifier,
    paths: Iterable[Path],
    out: Path,
    *,
    classes: Sequence[str],
    prepare: Callable[[ndarray], Tensor],
    methods: Iterable[str] = ("auto",),
    target: str | None = None,
    labels: Mapping[Path, str] | None = None,
) -> list[Path]:
    """Draw the maps of images over them: one PNG for each map, and a panel with all of them.

    An image that cannot be read is left out, and one warning at the end names all of these.

    Parameters
    ----------
    model, classes
        The network and the names of its classes.
    paths
        Image files.
    out
        Folder for ``<stem>.<map>.png`` and ``<stem>.panel.png``.
    prepare
        Brings a whole image, uint8 (h, w, 3), to the network's input, (3, h, w): the same as in prediction.
    methods
        ``native``, ``cam``, ``gradcam`` or ``auto`` (native where the network has maps, and always gradcam).
    target
        Class that CAM and Grad-CAM explain; by default each image's class with the highest score.
    labels
        True classes, for the panel.

    Returns
    -------
    list of Path
        The files, the panel of each image last.

    Raises
    ------
    ModelError
        A class or method that does not exist or does not fit the network.
    ImageError
        None of the images can be read.
    """
    written: list[Path] = []
    problems: list[str] = []
    paths, methods = [Path(path) for path in paths], tuple(methods)
    for path, stem in zip(paths, distinct_stems(paths), strict=True):
        try:
            image = read_rgb(path)
        except ImageError as error:
            problems.append(str(error))
            continue
        shown = explain_image(model, image, classes=classes, prepare=prepare, methods=methods, target=target)
        written += [write_png(out / f"{stem}.{name}.png", drawn) for name, drawn in shown.overlays.items()]
        drawn = panel(*shown[:2], name=path.name, scores=shown.scores, label=(labels or {}).get(path, ""))
        written.append(write_png(out / f"{stem}.panel.png", drawn))
    _tell(problems, of=len(paths))
    return written


def explain_image(
    model: Classifier,
    image: ndarray,
    *,
    classes: Sequence[str],
    prepare: Callable[[ndarray], Tensor],
    methods: Iterable[str] = ("auto",),
    target: str | None = None,
    longer_side: int = LONGER_SIDE,
) -> Explained:
    """Make one image's overlays and scores; parameters as for ``explain``.

    The network sees the image as ``prepare`` gives it; the maps are brought back to the image's own aspect.

    Raises
    ------
    ModelError
        A class or method that does not exist or does not fit the network.
    """
    if target is not None and target not in classes:
        raise ModelError(unknown("class", target, classes))
    wanted = None if target is None else torch.tensor([list(classes).index(target)])
    batch = prepare(image)[None].to(next(model.parameters()).device)
    maps = maps_of(model, batch, methods=methods, target=wanted)
    scores = _scores(model, batch)
    small = shrunk(image, longer_side)
    overlays = {name: overlay(small, np.asarray(found[0].cpu())) for name, found in maps.items()}
    return Explained(small, overlays, dict(zip(classes, scores, strict=True)))


def distinct_stems(paths: Sequence[Path]) -> list[str]:
    """Give each file's name without its ending, numbered where two folders have the same.

    Examples
    --------
    >>> distinct_stems([Path("a/1.jpg"), Path("b/1.jpg"), Path("b/2.jpg")])
    ['1', '1-2', '2']
    """
    seen: Counter[str] = Counter()
    stems = []
    for path in paths:
        seen[path.stem] += 1
        stems.append(path.stem if seen[path.stem] == 1 else f"{path.stem}-{seen[path.stem]}")
    return stems


def _scores(model: Classifier, batch: Tensor) -> list[float]:
    with undisturbed(model):
        return [float(score) for score in model(batch).logits[0].double().softmax(dim=0)]


def _tell(problems: Sequence[str], *, of: int) -> None:
    if problems and len(problems) == of:
        raise ImageError(f"none of the {of} images can be read:\n" + "\n".join(problems))
    if problems:
        listed = "\n".join(problems)
        warnings.warn(f"{len(problems)} of {of} images left out:\n{listed}", stacklevel=3)
