"""A bundle as a folder that works without LesionLens: network, card and README, checked before it is kept."""

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import numpy as np
from torch import Tensor

from lesionlens.atomic import new_folder, write_text
from lesionlens.engines.onnxruntime_engine import Run
from lesionlens.errors import EngineError, unknown
from lesionlens.export.agreement import agreements
from lesionlens.export.card import Difference, ExportCard, Target, Tensors
from lesionlens.export.difference import TOLERANCE, differences, expected
from lesionlens.export.formats import NEEDS, read, write
from lesionlens.export.program import Program, example, program
from lesionlens.export.readme import readme
from lesionlens.models.bundle import Loaded, load_model
from lesionlens.subjects import as_asked, subjects

BATCHES = (1, 3)  # another than the two images that the network is traced with


def export(bundle: Path | str, target: Target, out: Path, *, check: Sequence[str] = ()) -> ExportCard:
    """Write a trained network for use without LesionLens; a folder that is left is checked and complete.

    Parameters
    ----------
    bundle
        A bundle's folder, or a run's.
    target
        ``onnx``, ``openvino`` or ``torch-export``.
    out
        A new folder.
    check
        Images (as for predictions, with labels or without) on which the export is compared with torch as well.

    Raises
    ------
    EngineError
        The format does not exist or its packages are missing, the network cannot be expressed in it, or its numbers
        differ from torch's.
    LesionLensError
        The bundle or the images cannot be used, or the folder holds something.
    """
    if target not in get_args(Target):
        raise EngineError(unknown("format", target, get_args(Target)))
    loaded = load_model(bundle)
    images = as_asked(subjects(check, classes=loaded.card.classes), loaded.card) if check else None
    with new_folder(out) as folder:
        traced = program(loaded, maps=True)
        file = write(traced, target, folder)
        run = read(file, target)
        card = _card(loaded, target, traced, checked(loaded, run), file)
        if images is not None:
            card = card.model_copy(update={"agreement": agreements(loaded, file, target, run, images)})
        write_text(folder / "card.json", card.model_dump_json(indent=2) + "\n")
        write_text(folder / "README.md", readme(card))
    return card


def checked(loaded: Loaded, run: Run) -> tuple[Difference, ...]:
    """Compare with torch, on one image and on several.

    Raises
    ------
    EngineError
        Something differs by more than 1e-4.
    """
    found = tuple(_checked(loaded, run, example(loaded, batch)) for batch in BATCHES)
    for each in found:
        name, largest = max(each.largest.items(), key=lambda item: item[1])
        if largest > TOLERANCE:
            raise EngineError(
                f"the export is not kept: with {each.batch} images its {name} differ by {largest:.2g} from torch's, "
                f"more than {TOLERANCE:g}. Try another format"
            )
    return found


def _checked(loaded: Loaded, run: Run, x: Tensor) -> Difference:
    wanted = expected(loaded, x, maps=True)
    largest = differences(run(np.ascontiguousarray(x)), wanted, independent=loaded.card.independent)
    return Difference(batch=len(x), largest=largest)


def _card(
    loaded: Loaded, target: Target, traced: Program, checks: tuple[Difference, ...], file: Path
) -> ExportCard:
    x = example(loaded, 1)
    found = expected(loaded, x, maps=True)
    return ExportCard(
        target=target,
        file=file.name,
        made_with={package: version(package) for package in ("torch", *NEEDS[target])},
        model=loaded.card,
        input=_tensors(traced.input, x),
        outputs=tuple(_tensors(name, found[name]) for name in traced.outputs),
        checks=checks,
    )


def _tensors(name: str, values: Tensor) -> Tensors:
    return Tensors(name=name, shape=("batch", *values.shape[1:]))
