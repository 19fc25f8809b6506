"""Duplicate files: byte-identical, or nearly identical images."""

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
    """Write generated lesions, then a copy, a recompressed and mirrored copy, and a text file."""
    root = tmp_path_factory.mktemp("made")
    generate_dataset(root, num_images=12, seed=1, size=(120, 160))
    paths = sorted(root.rglob("*.jpg"))[:12]
    copy, mirrored, text = root / "copy.jpg", root / "mirrored.jpg", root / "text.jpg"
    copy.write_bytes(paths[2].read_bytes())
    with Image.open(paths[5]) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored, quality=60)
    text.write_text("no image")
    return [*paths, copy, mirrored, text]


def test_duplicates_are_found_and_non_images_reported(files: list[Path]) -> None:
    calls: list[tuple[int, int]] = []
    prints = fingerprints(files, progress=lambda done, total: calls.append((done, total)))
    assert isinstance(prints[-1], str)
    assert "text.jpg is not a usable image" in prints[-1]
    assert calls[-1] == (15, 15)
    usable = [item for item in prints if isinstance(item, Fingerprint)]
    pairs = {(pair.first, pair.second, pair.kind) for pair in duplicate_pairs(usable)}
    assert pairs == {(2, 12, "exact"), (5, 13, "near")}


def test_pairs_within_known_groups_can_be_excluded(files: list[Path]) -> None:
    usable = [item for item in fingerprints(files) if isinstance(item, Fingerprint)]
    assert {pair.second for pair in duplicate_pairs(usable, exclude=13)} == {13}
    assert duplicate_pairs(usable[:12]) == duplicate_pairs([]) == ()


def test_first_file_represents_its_duplicates() -> None:
    pairs = exact_duplicate_pairs(["a", "b", "a", "a", "c"])
    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2), (0, 3)]


def test_blank_images_have_no_near_duplicates() -> None:
    blank = [Fingerprint(str(gray), np.full((64, 64), gray, dtype=np.uint8)) for gray in range(3)]
    assert duplicate_pairs(blank) == ()


@pytest.mark.real_data
def test_known_duplicates_of_isic_2017_are_found(real_data: Path) -> None:
    root = real_data / "isic2017"
    # Series with images that are in the archive twice, with other colors and crops.
    series = [*range(150, 235), *range(14650, 14850), *range(14940, 14950), *range(15120, 15320)]
    numbers = {*series, 12127, 12970, 12290, 13594, 12672, 12673, 12756, 13184}
    paths = [path for path in sorted(root.rglob("ISIC_*.jpg")) if int(path.stem[-7:]) in numbers]
    prints = [item for item in fingerprints(paths) if isinstance(item, Fingerprint)]
    assert len(prints) == len(paths)
    pairs = {(paths[pair.first].stem, paths[pair.second].stem) for pair in duplicate_pairs(prints)}
    assert len(pairs) == 18
    across = {
        tuple(sorted((a, b))) for a, b in pairs if len({p.parent for p in paths if p.stem in (a, b)}) == 2
    }
    assert across == {
        ("ISIC_0000157", "ISIC_0014946"),
        ("ISIC_0000171", "ISIC_0015124"),
        ("ISIC_0000215", "ISIC_0015313"),
        ("ISIC_0012127", "ISIC_0012970"),
    }
    assert np.all([pair.similarity > 0.9 for pair in duplicate_pairs(prints)])
