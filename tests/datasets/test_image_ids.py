"""One mechanism matches names of images in splits, labels, comparisons and lists."""

import random
import unicodedata

import pytest

from lesionlens.datasets.image_ids import find_same_image, match_image_ids

IDS = ["ISIC_0000001", "b.c", "Ärztin 3", "x/7", "y/7", "z/y/8"]

SPELLINGS = {
    "extension": lambda name: name + ".jpg",
    "other extension": lambda name: name + ".DCM",
    "folder": lambda name: f"photos/{name}.png",
    "Windows": lambda name: "C:\\data\\" + name.replace("/", "\\") + ".JPEG",
    "absolute": lambda name: f"/home/a/{name}",
    "upper case": lambda name: name.upper(),
    "decomposed": lambda name: unicodedata.normalize("NFD", name),
    "unchanged": lambda name: name,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_every_image_is_matched(spelling: str) -> None:
    names = [SPELLINGS[spelling](image_id) for image_id in IDS]
    assert match_image_ids(names, IDS) == IDS


def test_lists_with_mixed_spellings_are_matched() -> None:
    generator = random.Random(0)
    for _ in range(50):
        ids = generator.sample(IDS, k=4)
        names = [generator.choice(list(SPELLINGS.values()))(image_id) for image_id in ids]
        assert match_image_ids(names, IDS) == ids
        assert match_image_ids(ids, names) == names  # and in the other direction


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("7", ["x/7", "y/7"]),
        ("w/7.jpg", ["x/7", "y/7"]),
        ("a", ["a.jpg", "a.png"]),
        ("b", ["a"]),
        ("1", ["01"]),
        ("a.b", ["a"]),
        ("a", []),
        ("", ["a"]),
        ("/", ["a"]),
    ],
)
def test_a_name_of_several_images_or_of_none_is_not_matched(name: str, ids: list[str]) -> None:
    assert match_image_ids([name], ids) == [""]


def test_the_nearest_image_is_preferred() -> None:
    assert match_image_ids(["a", "A", "a.jpg", "q/a"], ["a", "A", "x/a"]) == ["a", "A", "a", ""]
    assert match_image_ids(["A.png"], ["a", "x/a"]) == ["a"]
    assert match_image_ids(["data/y/a.jpg", "x/a.tif"], ["x/a", "y/a"]) == ["y/a", "x/a"]
    assert match_image_ids(["a.jpg", "a.png"], ["a.jpg", "a.png"]) == ["a.jpg", "a.png"]
    assert match_image_ids(["a.jpg", "x/a"], ["a"]) == ["a", "a"]


@pytest.mark.parametrize(
    ("ids", "same"),
    [
        (["x", "y", "x.jpg"], ("x", "x.jpg")),
        (["x.JPG", "x.jpg"], ("x.JPG", "x.jpg")),
        (["a\\x", "a/x"], ("a\\x", "a/x")),
        (["a/x.png", "/a/x"], ("a/x.png", "/a/x")),
        (["x.jpg", "x.png", "y"], None),
        (["a/x.jpg", "b/x.jpg", "x.jpg"], None),
        (["X", "x"], None),
        (["x.1", "x.2"], None),
        (["x", "x"], None),  # reported by the predictions
    ],
)
def test_names_that_can_only_mean_one_image_are_found(ids: list[str], same: tuple[str, str] | None) -> None:
    assert find_same_image(ids) == same
