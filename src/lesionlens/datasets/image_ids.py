"""Names of images: the same image with and without extension or directories."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import PurePosixPath

from lesionlens.imaging.formats import strip_image_suffix


def match_image_ids(names: Sequence[str], image_ids: Iterable[str]) -> list[str]:
    r"""Return for each name the ID of the image that it means, ``""`` if there is none.

    A name is compared unchanged, then without an image extension, then also without directories. A name of several
    images matches none of them.

    Examples
    --------
    >>> match_image_ids(["a.jpg", "photos\\b.PNG", "c", "x/1", "z"], ["a", "b", "c", "x/1", "y/1"])
    ['a', 'b', 'c', 'x/1', '']
    """
    ids = list(image_ids)
    indexes = [
        (normalize, _unique_index(ids, normalize)) for normalize in (str, _strip_suffix, _strip_directories)
    ]
    return [
        next((index[key] for normalize, index in indexes if (key := normalize(name)) in index), "")
        for name in names
    ]


def _unique_index(ids: Sequence[str], normalize: Callable[[str], str]) -> dict[str, str]:
    """Return the ID of each normalized name that only one image has."""
    index: dict[str, str] = {}
    repeated = set()
    for image_id in ids:
        name = normalize(image_id)
        if index.setdefault(name, image_id) != image_id:
            repeated.add(name)
    return {name: image_id for name, image_id in index.items() if name not in repeated}


def _strip_suffix(name: str) -> str:
    return strip_image_suffix(name.replace("\\", "/"))


def _strip_directories(name: str) -> str:
    return PurePosixPath(_strip_suffix(name)).name
