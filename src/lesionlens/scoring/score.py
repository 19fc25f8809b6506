"""Images to scores: threads decode ahead while an engine computes, and memory stays flat."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from itertools import islice

import numpy as np

from lesionlens.cores import cores
from lesionlens.engines.engine import Engine, open_engine
from lesionlens.errors import PredictionsError
from lesionlens.evaluation.prediction_table import examples
from lesionlens.models.bundle import Loaded
from lesionlens.scoring.ahead import ahead
from lesionlens.scoring.outcomes import Outcome, Outcomes, Scored
from lesionlens.scoring.part import Part
from lesionlens.scoring.seen import Seen, mark_of, see
from lesionlens.subjects import Subjects

Progress = Callable[[int, int], None]


def score(
    loaded: Loaded,
    wanted: Subjects,
    *,
    engine: Engine | None = None,
    batch_size: int = 32,
    workers: int | None = None,
    progress: Progress | None = None,
    part: Part | None = None,
) -> Scored:
    """Score images as the card says: decoded, cropped and normalised as in training, crops joined.

    Threads decode the next batches while one is computed. Memory does not grow with the number of images, but for
    their names and scores.

    Parameters
    ----------
    engine
        What computes; default: torch, on the device on which the model was loaded.
    batch_size
        How many crops go through the network at once; never less than those of one image.
    workers
        How many threads decode; default: one a core.
    progress
        Called with how many images are done, and of how many: once before the first, then after each batch.
    part
        Where each batch is kept as soon as it is scored. What it holds already is not scored again, unless the file of
        the image, or that of its mask, is another now.

    Raises
    ------
    DataError
        Not one image can be read.
    PredictionsError
        The network's scores are not numbers.
    RunError
        The part cannot be written.
    """
    engine = engine or open_engine(loaded, "torch", images=len(wanted.path))
    tell = progress or (lambda *_: None)
    outcomes = Outcomes(len(wanted.path), len(loaded.card.classes))
    before = 0 if part is None else _take_up(outcomes, part, wanted)
    done, total = before, len(wanted.path)
    tell(done, total)
    images, threads = max(1, batch_size // loaded.card.preprocessing.crop_count), workers or cores()
    pending = np.flatnonzero(~outcomes.known).tolist()
    looked = ahead(
        partial(see, loaded.card.preprocessing, wanted), pending, threads=threads, most=2 * images + threads
    )
    with closing(looked):
        while batch := list(islice(looked, images)):
            found = _scored(engine, batch, wanted)
            if part is not None:
                part.add(found)
            for seen, outcome in zip(batch, found, strict=True):
                outcomes.put(seen.place, outcome)
            done += len(batch)
            tell(done, total)
    return outcomes.scored(wanted, loaded.card, before=before)


def _take_up(outcomes: Outcomes, part: Part, wanted: Subjects) -> int:
    """Put down what is scored already, and give how many images that are."""
    places = {image: place for place, image in enumerate(wanted.image_id)}
    for outcome in part.outcomes():
        place = places.get(outcome.image_id)
        if place is not None and outcome.mark == mark_of(wanted.path[place], wanted.mask[place]):
            outcomes.put(place, outcome)
    return int(outcomes.known.sum())


def _scored(engine: Engine, batch: Sequence[Seen], wanted: Subjects) -> list[Outcome]:
    """Compute a batch; images that cannot be used leave it smaller, so that the next one is the same after a stop."""
    views = [seen.views for seen in batch if seen.views is not None]
    found = engine.scores(np.stack(views)) if views else np.empty((0, 0))
    if not np.isfinite(found).all():
        names = [wanted.image_id[seen.place] for seen in batch if seen.views is not None]
        raise PredictionsError(
            f"the network gives scores that are no numbers, for {examples(names)}; are its weights damaged?"
        )
    rows = iter(found.tolist())
    return [
        Outcome(
            wanted.image_id[seen.place],
            seen.mark,
            () if seen.views is None else next(rows),
            seen.whole,
            seen.reason,
        )
        for seen in batch
    ]
