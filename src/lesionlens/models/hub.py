"""Files of pretrained weights: from the local cache, or else downloaded from the Hugging Face Hub with a time-out."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import timm
import torch
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

DOWNLOAD_TIMEOUT = 20.0  # seconds without a new byte
HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # in the order in which timm looks for them
_POLL_INTERVAL = 0.2  # seconds


def fetch_pretrained(name: str, *, timeout: float = DOWNLOAD_TIMEOUT) -> Path | None:
    """Return the file of the pretrained weights of a timm model; a file in the local cache needs no network.

    Parameters
    ----------
    name
        Name of the timm model, with the tag of its weights.
    timeout
        Seconds after which a download without a new byte ends.

    Returns
    -------
    Path or None
        The file, in the cache of the Hub or of torch; None if the model has no pretrained weights.

    Raises
    ------
    TimeoutError
        No byte arrived for ``timeout`` seconds.
    Exception
        The client of the Hub raises other types, which differ between its versions.
    """
    config = timm.get_pretrained_cfg(name)
    repository, url = getattr(config, "hf_hub_id", None), getattr(config, "url", None)
    if repository is not None:
        repository, _, revision = repository.partition("@")
        cached = (try_to_load_from_cache(repository, file, revision=revision or None) for file in HUB_FILES)
        for path in cached:
            if isinstance(path, str):
                return Path(path)
        folder = Path(constants.HF_HUB_CACHE, f"models--{repository.replace('/', '--')}", "blobs")
        return run_while_growing(lambda: _download_from_hub(repository, revision or None), folder, timeout)
    if url is not None:
        path = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(url).path).name)
        return (
            path if path.exists() else run_while_growing(lambda: _download(url, path), path.parent, timeout)
        )
    return None


def _download_from_hub(repository: str, revision: str | None) -> Path:
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # otherwise it warns at each retry
    disable_progress_bars()
    try:
        return Path(hf_hub_download(repository, HUB_FILES[0], revision=revision))
    except EntryNotFoundError as error:
        if isinstance(error, LocalEntryNotFoundError):  # no connection
            raise
        return Path(hf_hub_download(repository, HUB_FILES[1], revision=revision))


def _download(url: str, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.hub.download_url_to_file(url, str(path), progress=False)
    return path


def run_while_growing(function: Callable[[], Path], folder: Path, timeout: float) -> Path:
    """Run a download in a thread, and raise an error if the files of its folder do not grow for some time.

    Time-outs of the client do not suffice: they apply to each of its many attempts, and not to the search for the
    server's address.
    """
    outcome: list[Path | Exception] = []

    def run() -> None:
        try:
            outcome.append(function())
        except Exception as error:  # raised again in the thread that waits
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)  # does not keep the process if no answer comes
    thread.start()
    size, last = -1, time.monotonic()
    while thread.is_alive():
        thread.join(min(_POLL_INTERVAL, timeout))
        if (now := _total_size(folder)) != size:
            size, last = now, time.monotonic()
        elif time.monotonic() - last > timeout and thread.is_alive():
            raise TimeoutError(f"no data arrived for {timeout:g} s")
    result = outcome[0]
    if isinstance(result, Exception):
        raise result
    return result


def _total_size(folder: Path) -> int:
    """Return the size of the files of a folder in bytes; 0 if it does not exist."""
    size = 0
    for file in folder.glob("*"):
        try:
            size += file.stat().st_size
        except OSError:  # renamed in the meantime
            continue
    return size
