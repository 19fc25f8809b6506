"""Data sources of a reproduction: the user's datasets, and synthetic ones that are generated once and then reused.

A process that needs a dataset while another process generates it waits for it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from lesionlens.core.console import activity, entered, progress_bar
from lesionlens.core.errors import DataError, RunError, unknown_name_message
from lesionlens.core.fileio import file_lock
from lesionlens.core.json_file import read_json, write_json
from lesionlens.datasets.registry import DATASETS, load_table, parse_source
from lesionlens.datasets.table import LesionTable
from lesionlens.reproduction.profiles import Profile
from lesionlens.reproduction.spec import ArtifactSet, TableSpec
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.inject_artifacts import inject_artifact
from lesionlens.synthesis.layouts import generate_in_layout

SYNTHETIC_SEED = 0  # random seed of synthetic datasets
MASK_SEED = 1  # of those on which segmentation models are trained: their lesions are in no table

_PARALLEL_PIXELS = 10_000_000  # total pixels from which a second process is worth its start


def parse_sources(sources: Sequence[str]) -> dict[str, str]:
    """Return sources ``NAME:ROOT`` by the name of their dataset.

    Raises
    ------
    DataError
        A dataset is unknown, or has two sources.
    """
    source_by_dataset: dict[str, str] = {}
    for source in sources:
        name = parse_source(source)[0]
        if name not in DATASETS:
            raise DataError(unknown_name_message("dataset", name, DATASETS))
        if name in source_by_dataset:
            raise DataError(f"two sources of {name}: {source_by_dataset[name]} and {source}; pass only one")
        source_by_dataset[name] = source
    return source_by_dataset


def resolve_source(
    spec: TableSpec,
    sources: dict[str, str],
    profile: Profile,
    out: Path,
    console: Console,
    *,
    load: Callable[[str], LesionTable] = load_table,
) -> str:
    """Return the data source of a table: the user's, else a synthetic dataset in the reproduction's folder.

    Synthetic images do not show the artifacts that the table's artifact sets add.

    Parameters
    ----------
    sources
        The user's sources by dataset.
    out
        Folder of the reproduction.
    load
        ``load_table``, or a function with the same results.

    Raises
    ------
    DataError
        The profile is ``paper``, which requires real images.
    RunError
        The folder has runs on other images.
    """
    dataset = spec.dataset
    if dataset in sources:
        with activity(console, f"reading {dataset}"):
            _check_unchanged(out, dataset, sources[dataset], load)
        return sources[dataset]
    if profile.name == "paper":
        raise DataError(
            f"the paper's protocol needs the dataset {dataset}: pass --dataset {dataset}:FOLDER (lesionlens data list "
            "shows where to download it), or try --profile smoke, which generates its own images"
        )
    artifacts = sorted({artifact_set.artifact for artifact_set in spec.artifact_sets.values()})
    return _generate(dataset, profile, out, console, SYNTHETIC_SEED, load, exclude_artifacts=artifacts)


def resolve_mask_source(
    dataset: str, source: str, sources: Mapping[str, str], profile: Profile, out: Path, console: Console
) -> str:
    """Return the data source with masks on which the segmentation model of a table is trained.

    Parameters
    ----------
    dataset
        Name of the dataset.
    source
        Data source of the table; if it is synthetic, so is the dataset unless the user specifies it.
    sources
        The user's sources by dataset.
    out
        Folder of the reproduction.

    Returns
    -------
    str
        ``NAME:ROOT``, or "" if the user has to specify it.

    Raises
    ------
    RunError
        The folder has runs on other images.
    """
    if dataset in sources:
        with activity(console, f"reading {dataset}"):
            _check_unchanged(out, dataset, sources[dataset], load_table)
        return sources[dataset]
    if parse_source(source)[0] == dataset:
        return source
    if not is_synthetic(source, out):
        return ""
    return _generate(dataset, profile, out, console, MASK_SEED, load_table)


def _generate(
    dataset: str,
    profile: Profile,
    out: Path,
    console: Console,
    seed: int,
    load: Callable[[str], LesionTable],
    *,
    exclude_artifacts: Sequence[str] = (),
) -> str:
    """Generate the synthetic dataset of a profile, unless it exists, and return its source ``NAME:ROOT``."""
    name = "-".join([profile.name, dataset, *(f"no-{artifact}" for artifact in exclude_artifacts)])
    source = get_synthetic(
        dataset,
        out / "data" / name,
        num_images=profile.num_images,
        size=profile.image_size,
        seed=seed,
        console=console,
        exclude_artifacts=exclude_artifacts,
    )
    _check_unchanged(out, name, source, load)
    return source


def is_synthetic(source: str, out: Path) -> bool:
    """Return whether a source is one of the synthetic datasets of a reproduction."""
    root = Path(source.rpartition(":")[2])
    return root.absolute().is_relative_to((out / "data").absolute())


def _check_unchanged(out: Path, name: str, source: str, load: Callable[[str], LesionTable]) -> None:
    """Raise an error if the folder has runs on other images, and record the images otherwise."""
    path = out / "data.json"
    fingerprints = read_json(path)
    fingerprint = load(source).fingerprint()
    if fingerprints.setdefault(name, fingerprint) != fingerprint:
        raise RunError(
            f"{out} was started with other images of {name} than {source} has (images, labels or sizes differ); "
            "restore them, or choose another --out"
        )
    write_json(path, fingerprints)


def get_synthetic(
    layout: str,
    folder: Path,
    *,
    num_images: int,
    size: tuple[int, int],
    seed: int,
    console: Console,
    exclude_artifacts: Sequence[str] = (),
) -> str:
    """Generate a synthetic dataset in ``folder``, unless it exists, and return its source ``NAME:ROOT``.

    Parameters
    ----------
    layout
        Key of ``LAYOUTS``: the dataset whose file layout is used.
    folder
        Folder of this dataset only; several processes may request it at the same time.
    num_images, size, seed
        As for `generate_in_layout`.
    exclude_artifacts
        Artifacts that no image shows, because they are added later by label.

    Raises
    ------
    DataError
        As for `generate_in_layout`.
    """
    with _create_once(folder, console) as missing:
        if missing:
            with progress_bar(console) as progress:
                line = progress.add_task(f"generating {layout}", total=num_images)
                generate_in_layout(
                    layout,
                    folder,
                    num_images=num_images,
                    seed=seed,
                    size=size,
                    artifacts=ArtifactRates().excluding(exclude_artifacts),
                    num_workers=2 if num_images * size[0] * size[1] > _PARALLEL_PIXELS else 1,
                    progress=lambda done, _: progress.update(line, completed=done),
                )
    return f"{layout}:{folder}"


def get_artifact_sets(
    artifact_sets: Mapping[str, ArtifactSet],
    source: str,
    folder: Path,
    *,
    console: Console,
    dry_run: bool = False,
) -> dict[str, str]:
    """Generate the artifact sets of a table from ``source``, unless they exist.

    Parameters
    ----------
    artifact_sets
        Specifications by name.
    source
        Data source, ``NAME:ROOT``.
    folder
        Folder of the sets of this source; each set is named by its content.
    dry_run
        Generate nothing: the sources of sets that do not exist are those that they would have.

    Returns
    -------
    dict
        Data source of each set by name. Sets of equal content have the same source.

    Raises
    ------
    DataError
        As for `inject_artifact`.
    """
    roots = {name: folder / _artifact_set_name(spec) for name, spec in artifact_sets.items()}
    if not dry_run:
        for name, root in roots.items():
            with _create_once(root, console) as missing:
                if missing:
                    _create_artifact_set(artifact_sets[name], source, root, console)
    return {name: f"table:{root.absolute() / 'images.csv'}" for name, root in roots.items()}


@contextmanager
def _create_once(root: Path, console: Console) -> Iterator[bool]:
    """Wait until no other process creates ``root``, and yield whether it is still missing."""
    lock = file_lock(root.parent / f".{root.name}.lock")
    with entered(lock, console, f"waiting until no other process creates {root}"):
        yield not root.exists()


def _create_artifact_set(artifact_set: ArtifactSet, source: str, root: Path, console: Console) -> None:
    with progress_bar(console) as progress:
        line = progress.add_task(
            f"adding {artifact_set.artifact} ({artifact_set.rate_difference:+g})", total=None
        )
        inject_artifact(
            source,
            root,
            artifact=artifact_set.artifact,
            rate_difference=artifact_set.rate_difference,
            task=artifact_set.task,
            seed=artifact_set.seed,
            progress=lambda done, total: progress.update(line, completed=done, total=total),
        )


def _artifact_set_name(artifact_set: ArtifactSet) -> str:
    """Return a folder name for the content of a set."""
    return f"{artifact_set.artifact}-{artifact_set.task}{artifact_set.rate_difference:+g}-seed{artifact_set.seed}"
