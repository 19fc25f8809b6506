"""From image files to pictures of where the network looked."""

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray

from lesionlens.crops.box import Box
from lesionlens.crops.stitch import resized
from lesionlens.errors import DataError, ImageError, ModelError, unknown
from lesionlens.explanation.image_maps import drawn, maps_of_crops
from lesionlens.explanation.panel import panel, write_png
from lesionlens.explanation.render import shrunk
from lesionlens.explanation.undisturbed import undisturbed
from lesionlens.models.bundle import Loaded
from lesionlens.models.voting import probabilities
from lesionlens.subjects import seen_whole

LONGER_SIDE = 1024  # pixels of an overlay: enough to see structures, small enough to keep many


class Explained(NamedTuple):
    """One image, (h, w, 3), its overlays of the same aspect, its score for each class, and the class explained."""

    image: ndarray
    overlays: dict[str, ndarray]
    scores: dict[str, float]
    target: str


def explain(
    loaded: Loaded,
    paths: Iterable[Path | str],
    out: Path,
    *,
    methods: Iterable[str] = ("auto",),
    target: str | None = None,
    labels: Mapping[Path, str] | None = None,
    masks: Mapping[Path, Path] | None = None,
) -> list[Path]:
    """Draw the maps of images over them: one PNG for each map, and a panel with all of them.

    An image that cannot be read, or whose mask does not fit, is left out; one warning at the end names all of these,
    and one says how many are seen whole by a model that looks at the box around the lesion.

    Parameters
    ----------
    loaded
        A model with its card.
    paths
        Image files.
    out
        Folder for ``<stem>.<map>.png`` and ``<stem>.panel.png``.
    methods
        ``native`` (the network's own maps), ``heads`` (each head of soft attention), ``cam``, ``gradcam``,
        ``gradcam++``, ``layercam``, or ``auto`` (native where the network has maps, and gradcam where it fits).
    target
        Class that ``cam`` … ``layercam`` explain; by default each image's class with the highest score.
    labels
        True classes, for the panel.
    masks
        Lesion masks, for a model that looks at the box around the lesion; an image without one is seen whole.

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
    whole: list[str] = []
    files, methods = [Path(path) for path in paths], tuple(methods)
    for path, stem in zip(files, distinct_stems(files), strict=True):
        try:
            image = loaded.card.preprocessing.decode(path)
            region = loaded.card.preprocessing.region(image, (masks or {}).get(path), path=path)
        except DataError as error:
            problems.append(str(error))
            continue
        if region is None and loaded.card.preprocessing.roi is not None:
            whole.append(path.name)
        shown = explain_image(loaded, image, region=region, methods=methods, target=target)
        written += [write_png(out / f"{stem}.{name}.png", each) for name, each in shown.overlays.items()]
        label = (labels or {}).get(path, "")
        together = panel(
            shown.image, shown.overlays, name=path.name, scores=shown.scores, label=label, target=shown.target
        )
        written.append(write_png(out / f"{stem}.panel.png", together))
    _tell(problems, of=len(files))
    if whole:
        warnings.warn(seen_whole(whole, of=len(files)), stacklevel=2)
    return written


def explain_image(
    loaded: Loaded,
    image: UInt8[ndarray, "h w 3"],
    *,
    region: Box | None = None,
    methods: Iterable[str] = ("auto",),
    target: str | None = None,
    longer_side: int = LONGER_SIDE,
) -> Explained:
    """Make one image's overlays and scores; ``methods`` and ``target`` as for ``explain``.

    Scores are those of prediction. Maps are of the same test crops, not turned, each brought back to where it was cut
    and averaged where crops overlap; what no crop showed to the network is veiled in white.

    Parameters
    ----------
    region
        The box in which the crops lie, as ``Preprocessing.region`` gives it; None: the whole image.

    Raises
    ------
    ModelError
        A class or method that does not exist or does not fit the network.
    """
    classes, preprocessing = loaded.card.classes, loaded.card.preprocessing
    if target is not None and target not in classes:
        raise ModelError(unknown("class", target, classes))
    crops = preprocessing.prepare(image, region).to(next(loaded.model.parameters()).device)
    with undisturbed(loaded.model):
        found = probabilities(
            loaded.model,
            crops[None],
            turns=preprocessing.turns,
            average=preprocessing.average,
            independent=loaded.card.independent,
        )
    scores: list[float] = found[0].tolist()
    wanted = classes.index(target) if target is not None else int(np.argmax(scores))
    maps = maps_of_crops(loaded.model, crops, methods=methods, target=wanted)
    small = shrunk(image, longer_side)
    height, width = image.shape[:2]
    boxes = resized(
        preprocessing.boxes(height, width, region),
        before=(height, width),
        after=(small.shape[0], small.shape[1]),
    )
    overlays = {name: drawn(small, values.cpu().numpy(), boxes) for name, values in maps.items()}
    return Explained(small, overlays, dict(zip(classes, scores, strict=True)), classes[wanted])


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


def _tell(problems: Sequence[str], *, of: int) -> None:
    if problems and len(problems) == of:
        raise ImageError(f"none of the {of} images can be read:\n" + "\n".join(problems))
    if problems:
        listed = "\n".join(problems)
        warnings.warn(f"{len(problems)} of {of} images left out:\n{listed}", stacklevel=3)
