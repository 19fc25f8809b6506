"""Names of images: the same image with and without extension or directories."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence

from lesionlens.imaging.formats import other_format_of_name, strip_image_suffix


def match_image_ids(names: Sequence[str], image_ids: Iterable[str]) -> list[str]:
    r"""Return for each name the ID of the image that it means, ``""`` if there is none.

    A name means the image of this name; otherwise of this name without the extension of an image; otherwise the one
    whose path ends in the same file name and the most equal directories before it; otherwise the same in any case. If
    several images are equally near, it means none of them. Several names may mean one image.

    Examples
    --------
    >>> match_image_ids(["a.jpg", "photos\\b.PNG", "C", "data/x/1.dcm", "z"], ["a", "b", "c", "x/1", "y/1"])
    ['a', 'b', 'c', 'x/1', '']
    """
    ids = list(image_ids)
    lookups = [lookup for normalize in (_normalize, _fold_case) for lookup in _lookups(ids, normalize)]
    known = set(ids)
    return [
        name if name in known else next((image for lookup in lookups if (image := lookup(name))), "")
        for name in names
    ]


def _lookups(ids: Sequence[str], normalize: Callable[[str], str]) -> Iterator[Callable[[str], str]]:
    """Yield functions that find the image of a name: by its path, and by the end of its path."""
    paths = [normalize(image_id) for image_id in ids]
    by_path = _unique(zip(paths, ids, strict=True))
    yield lambda name: by_path.get(normalize(name), "")
    by_end = _unique(
        (end, image_id) for path, image_id in zip(paths, ids, strict=True) for end in _ends(path)
    )
    yield lambda name: next((by_end[end] for end in _ends(normalize(name)) if end in by_end), "")


def _unique(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the image of each key, ``""`` if several images have it."""
    index: dict[str, str] = {}
    for key, image_id in pairs:
        index[key] = image_id if index.get(key, image_id) == image_id else ""
    return index


def _ends(path: str) -> Iterator[str]:
    """Yield the ends of a path, from the entire path to the file name."""
    while path:
        yield path
        path = path.partition("/")[2]


def _normalize(name: str) -> str:
    """Return a path with slashes, without the extension of an image, and with composed accents."""
    path = unicodedata.normalize("NFC", name).replace("\\", "/")
    stem = path.rpartition(".")[0] if other_format_of_name(path) else strip_image_suffix(path)
    return stem.strip("/") or path


def _fold_case(name: str) -> str:
    return _normalize(name).casefold()
