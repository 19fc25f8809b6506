"""Which data set each experiment gets: one that was given, or in small profiles a generated one."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lesionlens.atomic import write_text
from lesionlens.data.datasets import DATASETS, load_table, resolved
from lesionlens.errors import DataError, RunError, unknown
from lesionlens.experiments.experiment import Experiment
from lesionlens.experiments.generated import generated
from lesionlens.experiments.profile import Profile

SEED = 0  # of generated sets


def given(sources: Sequence[str]) -> dict[str, str]:
    """Sort sources ``NAME:ROOT`` by data set.

    Raises
    ------
    DataError
        A source that is no data set, or two of one.
    """
    found: dict[str, str] = {}
    for source in sources:
        name = resolved(source)[0]
        if name not in DATASETS:
            raise DataError(unknown("data set", name, DATASETS))
        if name in found:
            raise DataError(f"two sources of {name}: {found[name]} and {source}; give one")
        found[name] = source
    return found


def source_of(
    experiment: Experiment, sources: dict[str, str], profile: Profile, out: Path, console: Console
) -> str:
    """Give the source of an experiment's images: as given, else drawn into the reproduction's folder.

    Drawn images are without the artefacts that the experiment plants.

    Raises
    ------
    DataError
        The profile is the paper's, which needs real images.
    RunError
        The folder was begun with other images.
    """
    data = experiment.data
    if data in sources:
        _same_as_before(out, data, sources[data])
        return sources[data]
    if profile.name == "paper":
        raise DataError(
            f"the paper's protocol needs the data set {data}: give --data {data}:FOLDER (lesionlens data list tells "
            "where it comes from), or try --profile smoke, which draws its own"
        )
    planted = sorted({each.artefact for each in experiment.sets.values()})
    name = "-".join([profile.name, data, *(f"no-{each}" for each in planted)])
    source = generated(
        data,
        out / "data" / name,
        images=profile.images,
        size=profile.size,
        seed=SEED,
        console=console,
        without=planted,
    )
    _same_as_before(out, name, source)
    return source


def is_drawn(source: str, out: Path) -> bool:
    """Say whether a source lies among the drawn ones of a reproduction."""
    root = Path(source.rpartition(":")[2])
    return root.absolute().is_relative_to((out / "data").absolute())


def _same_as_before(out: Path, name: str, source: str) -> None:
    """Refuse to mix runs on different images in one folder."""
    place = out / "data.json"
    known = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    found = load_table(source).fingerprint()
    if known.setdefault(name, found) != found:
        raise RunError(
            f"{out} was begun with other images of {name} than {source} holds (images, labels or sizes differ); bring "
            "them back, or choose another --out"
        )
    write_text(place, json.dumps(known, indent=1) + "\n")
