"""Files of pretrained weights: from the local cache, or else downloaded from the Hugging Face Hub with a time-out."""

import logging
from pathlib import Path
from urllib.parse import urlparse

import timm
import torch
from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from huggingface_hub.utils.tqdm import disable_progress_bars

from lesionlens.core.downloads import DOWNLOAD_TIMEOUT, run_while_growing

HUB_FILES = ("model.safetensors", "pytorch_model.bin")  # in the order in which timm looks for them


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
