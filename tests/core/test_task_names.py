"""Names of tasks, also of classes that contain the separators of tasks."""

import pytest

from lesionlens.core.errors import DataError
from lesionlens.core.task_names import class_task, parse_task

THREE = ("melanoma", "nevus", "seborrheic_keratosis")


@pytest.mark.parametrize(
    ("text", "classes", "kind", "expected"),
    [
        ("all", THREE, "all", ()),
        ("MEL", THREE, "one-vs-rest", ("melanoma",)),
        ("sk/NV", THREE, "one-vs-one", ("seborrheic_keratosis", "nevus")),
        ("SK + melanoma", THREE, "multilabel", ("seborrheic_keratosis", "melanoma")),
        ("yes/no", ("yes/no", "maybe"), "one-vs-rest", ("yes/no",)),
        ("maybe/yes/no", ("yes/no", "maybe"), "one-vs-one", ("maybe", "yes/no")),
        ("HER2+/ER-", ("HER2+", "ER-"), "one-vs-one", ("HER2+", "ER-")),
        ("class:all", ("all", "none"), "one-vs-rest", ("all",)),
        ("class:a/b", ("a", "b", "a/b"), "one-vs-rest", ("a/b",)),
        ("class:x", ("class:x", "x"), "one-vs-rest", ("class:x",)),
    ],
)
def test_a_task_is_read_from_the_classes(
    text: str, classes: tuple[str, ...], kind: str, expected: tuple[str, ...]
) -> None:
    assert parse_task(text, classes) == (kind, expected)


@pytest.mark.parametrize(
    ("text", "classes", "message"),
    [
        ("a/b", ("a", "b", "a/b"), "can be read in 2 ways: a class has this name. Use class:a/b"),
        ("melanomia", THREE, "unknown task 'melanomia': did you mean 'melanoma'"),
        ("nevus/wart", THREE, "unknown class 'wart'"),
        ("class:wart", THREE, "unknown task 'wart'"),
        ("nevus/nevus", THREE, "is not a task"),
        ("", THREE, "unknown task ''"),
        ("/", THREE, "unknown class ''"),
    ],
)
def test_other_tasks_raise(text: str, classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        parse_task(text, classes)


@pytest.mark.parametrize("name", ["melanoma", "all", "a/b", "a+b", "class:a"])
def test_the_task_of_a_class_is_read_as_that_class(name: str) -> None:
    classes = ("melanoma", "all", "a", "b", "a/b", "a+b", "class:a")
    assert parse_task(class_task(name, classes), classes) == ("one-vs-rest", (name,))
