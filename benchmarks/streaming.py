"""A folder of images to scores: threads decode ahead while the network computes, against one after the other."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from time import perf_counter, sleep

import numpy as np
from harness import Row, alternately, finish, options
from photographs import photograph

from lesionlens.engines.engine import Engine, open_engine
from lesionlens.models.bundle import Card, Loaded
from lesionlens.models.create import architecture
from lesionlens.preprocessing import Preprocessing
from lesionlens.scoring.score import score
from lesionlens.subjects import Subjects, subjects

BATCH = 16


def network(backbone: str) -> Loaded:
    """Make an untrained network of seven classes that sees 224 × 224 pixels."""
    made = architecture(backbone=backbone)
    card = Card(architecture=made, classes=tuple("abcdefg"), preprocessing=Preprocessing(shorter_side=256))
    return Loaded(made.build(7).eval(), card)


def in_turn(engine: Engine, loaded: Loaded, wanted: Subjects) -> Callable[[], object]:
    """Decode a batch, then compute it, then decode the next."""
    seen = loaded.card.preprocessing

    def go() -> list[object]:
        found: list[object] = []
        for start in range(0, len(wanted.path), BATCH):
            crops = [seen.views(seen.decode(path)) for path in wanted.path[start : start + BATCH]]
            found.append(engine.scores(np.stack(crops)))
        return found

    return go


class Elsewhere:
    """An engine that leaves the processor free, as an accelerator does: a batch takes as long as its decoding."""

    name = "elsewhere"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def scores(self, crops: np.ndarray) -> np.ndarray:
        sleep(self.seconds)
        return np.full((len(crops), 7), 0.5)


def drawn(folder: Path, width: int, height: int, images: int) -> Subjects:
    """Draw a photograph, and link it into a folder under many names."""
    folder = Path(mkdtemp(dir=folder))
    first = photograph(folder / "0.jpg", width, height)
    for number in range(1, images):
        (folder / f"{number}.jpg").hardlink_to(first)
    return subjects([folder])


def on_processor(folder: Path, backbone: str, width: int, height: int, images: int) -> Row:
    """Share the cores between decoding and computing; the limit: computing what is decoded already."""
    loaded, wanted = network(backbone), drawn(folder, width, height, images)
    engine, seen = open_engine(loaded, "torch", images=images), loaded.card.preprocessing
    crops = np.stack([seen.views(seen.decode(wanted.path[0]))] * BATCH)
    return alternately(
        f"folder of {width} × {height} to scores, {backbone}",
        {
            "naive": in_turn(engine, loaded, wanted),
            "ours": lambda: score(loaded, wanted, engine=engine, batch_size=BATCH),
            "one thread": lambda: score(loaded, wanted, engine=engine, batch_size=BATCH, workers=1),
            "limit": lambda: [engine.scores(crops) for _ in range(images // BATCH)],
        },
        items=images,
    )


def on_accelerator(folder: Path, width: int, height: int, images: int) -> Row:
    """Decode while something else computes; the limit: that alone."""
    loaded, wanted = network("resnet18"), drawn(folder, width, height, images)
    seen = loaded.card.preprocessing
    started = perf_counter()
    for path in wanted.path[:BATCH]:
        seen.views(seen.decode(path))
    engine = Elsewhere(perf_counter() - started)
    return alternately(
        f"folder of {width} × {height} to scores, computed elsewhere",
        {
            "naive": in_turn(engine, loaded, wanted),
            "ours": lambda: score(loaded, wanted, engine=engine, batch_size=BATCH),
            "limit": lambda: [engine.scores(np.empty(0)) for _ in range(images // BATCH)],
        },
        items=images,
        demand=1.5,
    )


if __name__ == "__main__":
    with TemporaryDirectory() as made:
        sizes = [("resnet18", 600, 450, 48), ("resnet18", 4000, 3000, 32)]
        if options().long:
            sizes += [("resnet50", 600, 450, 96), ("resnet50", 4000, 3000, 96)]
        rows = [on_accelerator(Path(made), 600, 450, 192), on_accelerator(Path(made), 4000, 3000, 80)]
        finish("Scoring a folder", rows + [on_processor(Path(made), *size) for size in sizes])
