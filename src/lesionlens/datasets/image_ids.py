"""Names of images: the same image with and without extension or directories."""

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

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


def find_same_image(ids: Sequence[str]) -> tuple[str, str] | None:
    r"""Return the first two different IDs that can only mean one image, None if there are none.

    They have the same path with another separator, or only one has the extension of an image. ``x.jpg`` and ``x.png``
    are two images, and so are equal file names in two directories.

    Examples
    --------
    >>> find_same_image(["a/x", "x.jpg", "a\\x.jpg"]), find_same_image(["x.jpg", "x.png", "a/x.jpg"])
    (('a/x', 'a\\x.jpg'), None)
    """
    by_path: dict[str, list[str]] = {}
    for image_id in ids:
        by_path.setdefault(_normalize(image_id), []).append(image_id)
    pairs = (pair for names in by_path.values() for pair in combinations(dict.fromkeys(names), 2))
    return next((pair for pair in pairs if "" in (suffixes := _suffixes(pair)) or len(suffixes) == 1), None)


def _suffixes(names: Iterable[str]) -> set[str]:
    """Return the extensions of images, in lower case, and "" for a name without one."""
    paths = [unicodedata.normalize("NFC", name).replace("\\", "/").strip("/") for name in names]
    return {path.removeprefix(_normalize(path)).lower() for path in paths}


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
