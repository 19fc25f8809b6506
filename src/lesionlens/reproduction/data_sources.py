"""The generated data sets of a reproduction: drawn once, whoever asks first; the others wait and use them."""

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console

from lesionlens.core.console import progress_bar
from lesionlens.core.errors import DataError, RunError, unknown_name_message
from lesionlens.core.fileio import atomic_directory, file_lock, write_text
from lesionlens.datasets.registry import DATASETS, load_table, parse_source
from lesionlens.imaging.masks import read_mask
from lesionlens.reproduction.profiles import Profile
from lesionlens.reproduction.spec import ArtifactSet, TableSpec
from lesionlens.synthesis.artifacts import ArtifactRates
from lesionlens.synthesis.dataset import encode_image
from lesionlens.synthesis.inject_artifacts import inject_artifact
from lesionlens.synthesis.layouts import generate_in_layout

_PARALLEL_PIXELS = 10_000_000  # pixels in all, from which a second process pays its start
_MAX_OUTLINE_SHIFT = 0.03  # of an image's shorter side, by which an outline is off at most


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
    """Draw a synthetic set in the layout of ``layout`` into ``folder``, unless it is there, and give its source.

    Parameters
    ----------
    layout
        A name of ``LAYOUTS``.
    folder
        The set's own; two processes may ask for it at a time.
    num_images, size, seed
        As for `generate_in_layout`.
    exclude_artifacts
        Artifacts that no image gets, because they are to be planted.

    Raises
    ------
    DataError
        As for `generate_in_layout`.
    """
    with _create_once(folder) as missing:
        if missing:
            with progress_bar(console) as progress:
                line = progress.add_task(f"drawing {layout}", total=num_images)
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
    artifact_sets: Mapping[str, ArtifactSet], source: str, folder: Path, *, console: Console
) -> dict[str, str]:
    """Plant what an experiment's sets say into copies of ``source`` below ``folder``, unless they are there.

    Parameters
    ----------
    folder
        Of the copies of this one source, each named by what is planted.

    Returns
    -------
    dict
        Name of the set -> its source. Sets of equal content share a copy.

    Raises
    ------
    DataError
        As for `inject_artifact`.
    """
    roots = {name: folder / _artifact_set_name(each) for name, each in artifact_sets.items()}
    for name, root in roots.items():
        with _create_once(root) as missing:
            if missing:
                _create_artifact_set(artifact_sets[name], source, root, console)
    return {name: f"table:{root.absolute() / 'images.csv'}" for name, root in roots.items()}


def make_noisy_masks(source: str, folder: Path) -> Path:
    """Write lesion masks that are a little wrong, as a network's are, into ``folder``, unless they are there.

    Each mask is the table's own with its outline moved out or in by up to 3 % of the image's shorter side, drawn by the
    image's id. An image without a mask gets none.

    Raises
    ------
    DataError
        No image has a lesion mask.
    """
    frame = load_table(source).frame
    known = frame[frame["mask_path"] != ""]
    if known.empty:
        raise DataError(f"not one image of {source} has a lesion mask; draw them: lesionlens segment predict")
    with _create_once(folder) as missing:
        if missing:
            with atomic_directory(folder) as part:
                for image_id, path in zip(known["image_id"], known["mask_path"], strict=True):
                    worn = _jitter_mask(read_mask(Path(path)), zlib.crc32(image_id.encode()))
                    encode_image(part / f"{image_id}.png", worn, [])
    return folder


@contextmanager
def _create_once(root: Path) -> Iterator[bool]:
    """Wait until nobody else makes ``root``; say whether it is missing still. What is there is complete."""
    with file_lock(root.parent / f".{root.name}.lock"):
        yield not root.exists()


def _create_artifact_set(artifact_set: ArtifactSet, source: str, root: Path, console: Console) -> None:
    with progress_bar(console) as progress:
        line = progress.add_task(
            f"planting {artifact_set.artifact} ({artifact_set.rate_difference:+g})", total=None
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
    """Name a copy by what is in it."""
    return f"{artifact_set.artifact}-{artifact_set.task}{artifact_set.rate_difference:+g}-seed{artifact_set.seed}"


def _jitter_mask(mask: npt.NDArray[np.bool_], seed: int) -> npt.NDArray[np.uint8]:
    """Move a mask's outline; a lesion that would vanish stays as it is. 0 and 255, (h, w)."""
    most = max(1, round(_MAX_OUTLINE_SHIFT * min(mask.shape)))
    by = int(np.random.default_rng(seed).integers(-most, most + 1))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * abs(by) + 1,) * 2)
    white = mask.astype(np.uint8) * 255
    moved = cv2.dilate(white, kernel) if by > 0 else cv2.erode(white, kernel)
    return np.asarray(moved if moved.any() else white, np.uint8)


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

    Drawn images are without the artifacts that the experiment plants.

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
            f"the paper's protocol needs the data set {data}: give --dataset {data}:FOLDER (lesionlens data list tells "
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
