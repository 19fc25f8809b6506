"""Names of classification tasks: all classes, one class against the rest, pairs and sets of classes."""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from lesionlens.core.errors import DataError, unknown_name_message
from lesionlens.core.taxonomy import match_class

ALL_CLASSES = "all"
CLASS_PREFIX = "class:"  # class:all is the class of this name

TaskKind = Literal["all", "one-vs-rest", "one-vs-one", "multilabel"]


class TaskName(NamedTuple):
    """Kind of a task and its classes, the positive one of a pair first; no classes for all of them."""

    kind: TaskKind
    classes: tuple[str, ...]


def parse_task(text: str, classes: Sequence[str]) -> TaskName:
    """Parse the name of a task; classes are matched as labels are (see `lesionlens.core.taxonomy.match_class`).

    Parameters
    ----------
    text
        ``all``; ``CLASS``, one class against the rest; ``CLASS/OTHER``, one class against another; ``CLASS+OTHER``,
        several classes, each against the rest. After ``class:`` the entire text is one class, also ``all``.
    classes
        Names of all classes; they may contain slashes and plus signs.

    Raises
    ------
    DataError
        A class does not exist or is named twice, or the text can be read in two ways.

    Examples
    --------
    >>> parse_task("SK/nevus", ["melanoma", "nevus", "seborrheic_keratosis"])
    TaskName(kind='one-vs-one', classes=('seborrheic_keratosis', 'nevus'))
    >>> parse_task("yes/no", ["yes/no", "maybe"]), parse_task("class:all", ["all", "none"])
    (TaskName(kind='one-vs-rest', classes=('yes/no',)), TaskName(kind='one-vs-rest', classes=('all',)))
    """
    if text == ALL_CLASSES:
        return TaskName("all", ())
    if text not in classes and text.startswith(CLASS_PREFIX):
        return TaskName("one-vs-rest", (_match(text.removeprefix(CLASS_PREFIX), classes),))
    readings = list(dict.fromkeys(_interpretations(text, classes)))
    if len(readings) > 1:
        raise DataError(
            f"the task {text!r} can be read in {len(readings)} ways: a class has this name. Use {CLASS_PREFIX}{text} "
            "for the class, or rename it"
        )
    return readings[0] if readings else _explain(text, classes)


def class_task(class_name: str, classes: Sequence[str]) -> str:
    """Return the task of a class against the rest as `parse_task` reads it: the name, after ``class:`` if necessary.

    Examples
    --------
    >>> class_task("melanoma", ["melanoma", "all"]), class_task("all", ["melanoma", "all"])
    ('melanoma', 'class:all')
    """
    is_unique = class_name != ALL_CLASSES and len(set(_interpretations(class_name, classes))) == 1
    return class_name if is_unique else CLASS_PREFIX + class_name


def _interpretations(text: str, classes: Sequence[str]) -> Iterator[TaskName]:
    if name := match_class(text, classes):
        yield TaskName("one-vs-rest", (name,))
    for names in _segmentations(text.split("/"), "/", classes):
        if len(names) == 2 and names[0] != names[1]:
            yield TaskName("one-vs-one", names)
    for names in _segmentations(text.split("+"), "+", classes):
        if len(names) > 1 and len(set(names)) == len(names):
            yield TaskName("multilabel", names)


def _segmentations(
    parts: Sequence[str], separator: str, classes: Sequence[str], depth: int = 0
) -> Iterator[tuple[str, ...]]:
    """Yield every way to join neighboring parts such that each piece is a class."""
    if not parts:
        yield ()
    for end in range(1, len(parts) + 1 if depth < len(classes) else 1):
        name = match_class(separator.join(parts[:end]), classes)
        if name:
            for rest in _segmentations(parts[end:], separator, classes, depth + 1):
                yield (name, *rest)


def _match(text: str, classes: Sequence[str], *, is_part: bool = False) -> str:
    if name := match_class(text, classes):
        return name
    if is_part:
        raise DataError(unknown_name_message("class", text, classes))
    raise DataError(unknown_name_message("task", text, (ALL_CLASSES, *classes)))


def _explain(text: str, classes: Sequence[str]) -> TaskName:
    """Raise an error about the first part that is not a class, or about the combination."""
    separator = next((character for character in "/+" if character in text), None)
    for part in text.split(separator) if separator else (text,):
        _match(part, classes, is_part=bool(separator))
    raise DataError(
        f"{text!r} is not a task; use one class, ONE/OTHER for one against another, or ONE+OTHER for independent scores"
    )
