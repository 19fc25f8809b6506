"""Find a model by its name: of an installed distribution, or of a repository of the Hugging Face Hub."""

import warnings
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from huggingface_hub import constants, snapshot_download

from lesionlens.core.downloads import DOWNLOAD_TIMEOUT, run_while_growing
from lesionlens.core.errors import SavedModelError
from lesionlens.core.fileio import sha256_of_file
from lesionlens.models.model_card import CARD_FILE

ENTRY_POINT_GROUP = "lesionlens.models"
HUB_PREFIX = "hf:"
# a saved model with its calibration and card: no file that could hold a pickled object is downloaded
HUB_PATTERNS = (
    "model.safetensors",
    "model_card.json",
    "calibration.json",
    "calibration.safetensors",
    "README.md",
)


def installed_models() -> dict[str, EntryPoint]:
    """Return the entry points of models by name; that of the first distribution if several have one of a name."""
    models: dict[str, EntryPoint] = {}
    for entry_point in entry_points(group=ENTRY_POINT_GROUP):
        models.setdefault(entry_point.name, entry_point)
    return models


def named_model_dir(name: str, *, timeout: float = DOWNLOAD_TIMEOUT) -> Path | None:
    """Return the directory of a model by its name; None if there is no such model.

    Parameters
    ----------
    name
        Name of an entry point in the group ``lesionlens.models``, whose object is the directory of a saved model; or
        ``hf:OWNER/NAME``, optionally with ``@REVISION``, for a saved model in a repository of the Hugging Face Hub.
    timeout
        Seconds after which a download without a new byte ends.

    Raises
    ------
    SavedModelError
        The distribution cannot be imported, or the repository cannot be downloaded.
    """
    if name.startswith(HUB_PREFIX):
        return _download(name, timeout)
    entry_point = installed_models().get(name)
    return None if entry_point is None else _installed_dir(entry_point)


def _installed_dir(entry_point: EntryPoint) -> Path:
    distribution = entry_point.dist.name if entry_point.dist else "a distribution"
    try:
        return Path(entry_point.load())
    except Exception as error:  # the code of another distribution raises any type
        raise SavedModelError(
            f"the model {entry_point.name!r} of {distribution} cannot be loaded: {entry_point.value} is not the "
            f"directory of a saved model ({type(error).__name__}: {error}). Reinstall {distribution}"
        ) from error


def _download(name: str, timeout: float) -> Path:
    """Download a saved model, or return its directory in the cache of the Hub, and report the digest of the weights."""
    repository, _, revision = name.removeprefix(HUB_PREFIX).partition("@")
    if repository.count("/") != 1 or "" in repository.split("/"):
        raise SavedModelError(f"{name!r} names no repository. Pass hf:OWNER/NAME, or hf:OWNER/NAME@REVISION")
    blobs = Path(constants.HF_HUB_CACHE, f"models--{repository.replace('/', '--')}", "blobs")
    try:
        folder = run_while_growing(
            lambda: Path(
                snapshot_download(repository, revision=revision or None, allow_patterns=list(HUB_PATTERNS))
            ),
            blobs,
            timeout,
        )
    except Exception as error:  # the client of the Hub raises other types, which differ between its versions
        reason = str(error).strip().splitlines()
        raise SavedModelError(
            f"{name} cannot be downloaded: {reason[0] if reason else type(error).__name__}. Check the name and the "
            "network, or download the model on another machine and pass its directory"
        ) from error
    if (weights := folder / HUB_PATTERNS[0]).is_file():
        warnings.warn(
            f"{name} is the revision {folder.name}; SHA-256 of its weights {sha256_of_file(weights)}. Check that they "
            "come from whom you trust",
            stacklevel=4,
        )
    return folder


def find_model_dir(name: Path | str) -> Path:
    """Return the directory of a model.

    Parameters
    ----------
    name
        Directory of the model, or of a run that contains it in ``model/``; else a name as for ``named_model_dir``.

    Raises
    ------
    SavedModelError
        There is no model.
    """
    folder = Path(name)
    if not folder.exists() and (named := named_model_dir(str(name))) is not None:
        folder = named
    for candidate in (folder, folder / "model"):
        if (candidate / CARD_FILE).is_file():
            return candidate
    if folder.is_file():
        raise SavedModelError(
            f"{folder} is a file; pass the directory that contains model.safetensors and {CARD_FILE}"
        )
    if not folder.exists():
        installed = ", ".join(sorted(installed_models())) or "none"
        raise SavedModelError(
            f"there is no model {name}: it is not a folder here. Installed models: {installed}; models of the Hugging "
            "Face Hub are named hf:OWNER/NAME@REVISION"
        )
    runs = sorted(path.name for path in folder.iterdir() if (path / "model" / CARD_FILE).is_file())
    if runs:
        raise SavedModelError(
            f"no model in {folder}, but in its folders: {', '.join(runs)}. Pass one of these"
        )
    raise SavedModelError(
        f"no model in {folder}: expected a directory with model.safetensors and model_card.json, "
        "or the directory of a run with model/"
    )
