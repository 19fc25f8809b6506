"""Copies among files: byte by byte, or as pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lesionlens.datasets.audit.duplicates import (
    Fingerprint,
    duplicate_pairs,
    exact_duplicate_pairs,
    fingerprints,
)
from lesionlens.synthesis.dataset import generate_dataset


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Lay out drawn lesions, and behind them a copy, a recompressed, mirrored copy, and a text."""
    root = tmp_path_factory.mktemp("made")
    generate_dataset(root, num_images=12, seed=1, size=(120, 160))
    paths = sorted(root.rglob("*.jpg"))[:12]
    copy, mirrored, text = root / "copy.jpg", root / "mirrored.jpg", root / "text.jpg"
    copy.write_bytes(paths[2].read_bytes())
    with Image.open(paths[5]) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored, quality=60)
    text.write_text("no image")
    return [*paths, copy, mirrored, text]


def test_copies_are_found_and_what_is_no_image_says_so(files: list[Path]) -> None:
    seen: list[tuple[int, int]] = []
    prints = fingerprints(files, progress=lambda done, total: seen.append((done, total)))
    assert isinstance(prints[-1], str)
    assert "text.jpg is not a usable image" in prints[-1]
    assert seen[-1] == (15, 15)
    usable = [each for each in prints if isinstance(each, Fingerprint)]
    found = {(pair.first, pair.second, pair.kind) for pair in duplicate_pairs(usable)}
    assert found == {(2, 12, "exact"), (5, 13, "near")}


def test_pairs_within_what_is_known_may_be_left_out(files: list[Path]) -> None:
    usable = [each for each in fingerprints(files) if isinstance(each, Fingerprint)]
    assert {pair.second for pair in duplicate_pairs(usable, exclude=13)} == {13}
    assert duplicate_pairs(usable[:12]) == duplicate_pairs([]) == ()


def test_the_first_stands_for_its_copies() -> None:
    pairs = exact_duplicate_pairs(["a", "b", "a", "a", "c"])
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2), (0, 3)]


def test_blank_pictures_are_near_none() -> None:
    blank = [Fingerprint(str(grey), np.full((64, 64), grey, dtype=np.uint8)) for grey in range(3)]
    assert duplicate_pairs(blank) == ()


@pytest.mark.real_data
def test_the_known_duplicates_of_isic_2017_are_found(real_data: Path) -> None:
    root = real_data / "isic2017"
    # The doubtful series: photographs that are in the archive twice, recoloured and cropped anew.
    series = [*range(150, 235), *range(14650, 14850), *range(14940, 14950), *range(15120, 15320)]
    names = [f"ISIC_{n:07d}.jpg" for n in (*series, 12127, 12970, 12290, 13594, 12672, 12673, 12756, 13184)]
    paths = [path for name in names for path in sorted(root.rglob(name))]
    prints = [each for each in fingerprints(paths) if isinstance(each, Fingerprint)]
    assert len(prints) == len(paths)
    found = {(paths[pair.first].stem, paths[pair.second].stem) for pair in duplicate_pairs(prints)}
    assert len(found) == 18
    across = {
        tuple(sorted((a, b))) for a, b in found if len({p.parent for p in paths if p.stem in (a, b)}) == 2
    }
    assert across == {
        ("ISIC_0000157", "ISIC_0014946"),
        ("ISIC_0000171", "ISIC_0015124"),
        ("ISIC_0000215", "ISIC_0015313"),
        ("ISIC_0012127", "ISIC_0012970"),
    }
    assert np.all([pair.similarity > 0.9 for pair in duplicate_pairs(prints)])
