"""A bundle and images to a file of predictions: the one way, for commands, reports and services alike."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from lesionlens.data.decoding import decoder
from lesionlens.engines.engine import EngineName, Precision, open_engine
from lesionlens.errors import DataError, InterruptedRunError, PredictionsError, unknown
from lesionlens.evaluation.formats import write_isic2017, write_isic2018
from lesionlens.evaluation.predictions import write_predictions
from lesionlens.models.bundle import Card, load_model
from lesionlens.scoring.origin import Origin, begun, digest
from lesionlens.scoring.outcomes import Outcome, Outcomes, Scored
from lesionlens.scoring.part import Part, part_of
from lesionlens.scoring.score import Progress, score
from lesionlens.scoring.sole_writer import sole_writer
from lesionlens.subjects import Subjects, as_asked, subjects

WRITERS = {"lesionlens": write_predictions, "isic2017": write_isic2017, "isic2018": write_isic2018}


def predict(
    bundle: Path | str,
    images: Sequence[str | Path],
    *,
    out: Path | None = None,
    layout: str = "lesionlens",
    masks: Path | None = None,
    device: str = "cpu",
    engine: EngineName = "auto",
    precision: Precision = "fp32",
    batch_size: int = 32,
    workers: int | None = None,
    threads: int | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Scored:
    """Score images with a saved model and, if asked for, write ``predictions.csv``.

    While it goes on, ``predictions.csv.part`` holds what is scored; the same call goes on from there after whatever
    stopped it, and the file that comes out in the end is the same.

    Parameters
    ----------
    bundle
        A bundle's folder, or a run's.
    images
        Folders, image files, or tables (``NAME:ROOT``, a CSV or parquet).
    out
        Where the predictions go.
    layout
        ``lesionlens`` (image, lesion, label and every score), or what the ISIC challenges take: ``isic2017``,
        ``isic2018``.
    masks
        Folder of lesion masks ``ID.png``, in place of those of a table, for a model that looks at the box around the
        lesion; an image without one is scored whole, and a warning says how many were.
    engine, precision, threads
        What computes, and how; see ``open_engine``.
    batch_size, workers, progress
        As for ``score``.
    fresh
        Throw away what an earlier call left unfinished.

    Raises
    ------
    InterruptedRunError
        It was stopped by Ctrl-C; what is scored is kept beside ``out``.
    LesionLensError
        The bundle or the images cannot be used, the file cannot be written, or scores of another model are beside it.
    """
    if layout not in WRITERS:
        raise PredictionsError(unknown("layout", layout, WRITERS))
    loaded = load_model(bundle, device=device)
    wanted = as_asked(subjects(images, classes=loaded.card.classes, masks=masks), loaded.card)
    how = partial(score, loaded, wanted, batch_size=batch_size, workers=workers, progress=progress)
    make = partial(open_engine, loaded, precision=precision, images=len(wanted.path), threads=threads)
    if out is None:
        return how(engine=make(engine))
    _rehearse(layout, loaded.card, out)
    kind = next(loaded.model.parameters()).device.type
    asked = Origin(model=digest(bundle), engine=engine, precision=precision, device=kind, decoder=decoder())
    with sole_writer(out):
        before = None if fresh else begun(part_of(out), asked)
        made = make(engine if before is None else before.engine)
        origin = asked.model_copy(update={"engine": made.name})
        with Part(part_of(out), origin, new=before is None) as part:
            scored = _kept(partial(how, engine=made, part=part), part)
            WRITERS[layout](out, scored.predictions)
        part.remove()
    return replace(scored, by=f"{made.name}, {precision}")


def _rehearse(layout: str, card: Card, out: Path) -> None:
    """Refuse before the first image what could not be written after the last."""
    if out.is_dir():
        raise PredictionsError(
            f"{out} is a folder; give the name of a file, such as {out / 'predictions.csv'}"
        )
    one = Subjects(("image",), (out,), ("image",), ("",), (None,))
    outcomes = Outcomes(1, len(card.classes))
    outcomes.put(0, Outcome("image", "", [0.0] * len(card.classes)))
    with TemporaryDirectory() as folder:
        WRITERS[layout](Path(folder) / "predictions.csv", outcomes.scored(one, card).predictions)


def _kept(go: Callable[[], Scored], part: Part) -> Scored:
    """Score, and tell what is left of it where that is stopped."""
    try:
        return go()
    except KeyboardInterrupt as stop:
        raise InterruptedRunError(
            f"stopped; what is scored is kept in {part.path}. Give the same command again to go on, with --fresh to "
            "start anew"
        ) from stop
    except DataError:  # not one image can be read: nothing to go on with
        part.remove()
        raise
