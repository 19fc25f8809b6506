"""Which data set each experiment gets: one that was given, or in small profiles a generated one."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lesionlens.atomic import write_text
from lesionlens.data.datasets import DATASETS, load_table, parse_source
from lesionlens.errors import DataError, RunError, unknown_name_message
from lesionlens.experiments.experiment import TableSpec
from lesionlens.experiments.generated import get_synthetic
from lesionlens.experiments.profile import Profile

SYNTHETIC_SEED = 0  # of generated sets


def parse_sources(sources: Sequence[str]) -> dict[str, str]:
    """Sort sources ``NAME:ROOT`` by data set.

    Raises
    ------
    DataError
        A source that is no data set, or two of one.
    """
    found: dict[str, str] = {}
    for source in sources:
        name = parse_source(source)[0]
        if name not in DATASETS:
            raise DataError(unknown_name_message("data set", name, DATASETS))
        if name in found:
            raise DataError(f"two sources of {name}: {found[name]} and {source}; give one")
        found[name] = source
    return found


def resolve_source(
    spec: TableSpec, sources: dict[str, str], profile: Profile, out: Path, console: Console
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
    data = spec.dataset
    if data in sources:
        _check_unchanged(out, data, sources[data])
        return sources[data]
    if profile.name == "paper":
        raise DataError(
            f"the paper's protocol needs the data set {data}: give --data {data}:FOLDER (lesionlens data list tells "
            "where it comes from), or try --profile smoke, which draws its own"
        )
    planted = sorted({each.artifact for each in spec.artifact_sets.values()})
    name = "-".join([profile.name, data, *(f"no-{each}" for each in planted)])
    source = get_synthetic(
        data,
        out / "data" / name,
        num_images=profile.num_images,
        size=profile.image_size,
        seed=SYNTHETIC_SEED,
        console=console,
        exclude_artifacts=planted,
    )
    _check_unchanged(out, name, source)
    return source


def is_synthetic(source: str, out: Path) -> bool:
    """Say whether a source lies among the drawn ones of a reproduction."""
    root = Path(source.rpartition(":")[2])
    return root.absolute().is_relative_to((out / "data").absolute())


def _check_unchanged(out: Path, name: str, source: str) -> None:
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
