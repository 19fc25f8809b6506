"""The written set: official layout, the same bytes for the same seed, complete or absent."""

import csv
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from lesionlens.core.errors import DataError
from lesionlens.synthesis import dataset
from lesionlens.synthesis.artifacts import ARTIFACTS
from lesionlens.synthesis.dataset import generate_dataset
from lesionlens.synthesis.structures import STRUCTURES, read_structures

SIZE = (96, 128)
OFFICIAL = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_dataset(tmp_path_factory.mktemp("synthesis") / "set", num_images=40, seed=3, size=SIZE)


def test_columns_and_order_are_the_official_ones(root: Path) -> None:
    header = (root / "HAM10000_metadata.csv").read_text().splitlines()[0]
    assert header.split(",") == OFFICIAL


def test_every_row_has_its_image_and_mask_of_the_size_asked_for(root: Path) -> None:
    table = rows(root / "HAM10000_metadata.csv")
    assert len(table) == 40
    assert {path.stem for path in (root / "HAM10000_images").iterdir()} == {row["image_id"] for row in table}
    for row in table:
        image = cv2.imread(str(root / "HAM10000_images" / f"{row['image_id']}.jpg"))
        mask = cv2.imread(str(root / "masks" / f"{row['image_id']}_segmentation.png"), cv2.IMREAD_UNCHANGED)
        assert image.shape == (*SIZE, 3)
        assert mask.shape == SIZE
        assert set(np.unique(mask)) <= {0, 255}
        assert 0.003 < (mask > 0).mean() < 1


def test_identifiers_are_new_and_cannot_be_real_ones(root: Path) -> None:
    numbers = [int(row["image_id"].removeprefix("ISIC_")) for row in rows(root / "HAM10000_metadata.csv")]
    assert numbers == list(range(9_000_001, 9_000_041))


def test_a_small_set_has_all_classes_and_several_images_of_some_lesions(root: Path) -> None:
    table = rows(root / "HAM10000_metadata.csv")
    assert {row["dx"] for row in table} == {"mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"}
    lesions: dict[str, set[str]] = {}
    for row in table:
        lesions.setdefault(row["lesion_id"], set()).add(row["dx"])
    assert len(lesions) < len(table)
    assert all(len(codes) == 1 for codes in lesions.values())


def test_artifact_table_names_each_image_once(root: Path) -> None:
    table = rows(root / "artifacts.csv")
    assert list(table[0]) == ["image_id", *ARTIFACTS, "skin_tone"]
    assert [row["image_id"] for row in table] == [
        row["image_id"] for row in rows(root / "HAM10000_metadata.csv")
    ]
    assert {row[name] for row in table for name in ARTIFACTS} <= {"0", "1"}
    assert {row["skin_tone"] for row in table} <= {"I", "II", "III", "IV", "V", "VI"}


def test_the_set_says_that_it_is_synthetic_and_how_it_was_made(root: Path) -> None:
    about = json.loads((root / "synthesis.json").read_text())
    assert about["statement"].startswith("Synthetic images")
    assert (about["seed"], about["images"], about["size"], about["difficulty"]) == (3, 40, [96, 128], 0.5)
    assert about["structure_bits"]["pigment_network"] == 1


def test_structure_masks_name_their_structures(root: Path) -> None:
    files = sorted((root / "structures").iterdir())
    assert files
    for path in files:
        masks = read_structures(path)
        assert set(masks) <= set(STRUCTURES)
        assert all(mask.shape == SIZE and mask.any() for mask in masks.values())


def test_lesions_differ_in_colour_from_the_skin_round_them(root: Path) -> None:
    apart = []
    for row in rows(root / "HAM10000_metadata.csv"):
        image = cv2.imread(str(root / "HAM10000_images" / f"{row['image_id']}.jpg"))
        mask = (
            cv2.imread(str(root / "masks" / f"{row['image_id']}_segmentation.png"), cv2.IMREAD_UNCHANGED) > 0
        )
        inside, outside = np.median(image[mask], 0), np.median(image[~mask], 0)
        apart.append(float(np.abs(inside - outside).max()))
    assert np.mean(np.array(apart) > 8) > 0.85
    assert np.median(apart) > 20


def test_the_same_seed_gives_the_same_bytes_and_a_longer_set_begins_with_the_shorter(
    root: Path, tmp_path: Path
) -> None:
    whole = digests(root)
    part = digests(generate_dataset(tmp_path / "part", num_images=7, seed=3, size=SIZE))
    pixels = [name for name in part if "/" in name]
    assert len(pixels) >= 14
    # the last lesion may lose later photographs, never change the earlier ones
    assert {name: part[name] for name in pixels} == {name: whole[name] for name in pixels}
    long, short = root / "HAM10000_metadata.csv", tmp_path / "part" / "HAM10000_metadata.csv"
    assert long.read_text().splitlines()[:8] == short.read_text().splitlines()


def test_another_seed_gives_other_images(root: Path, tmp_path: Path) -> None:
    other = digests(generate_dataset(tmp_path / "other", num_images=3, seed=4, size=SIZE))
    name = "HAM10000_images/ISIC_9000001.jpg"
    assert other[name] != digests(root)[name]


@pytest.mark.slow
def test_two_workers_write_what_one_writes(root: Path, tmp_path: Path) -> None:
    twice = generate_dataset(tmp_path / "two", num_images=6, seed=3, size=SIZE, num_workers=2)
    once = digests(root)
    assert all(once[name] == digest for name, digest in digests(twice).items() if "/" in name)


def test_an_empty_folder_is_used_and_a_full_one_refused(tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    generate_dataset(target, num_images=1, size=(48, 64))
    before = digests(target)
    with pytest.raises(DataError, match=r"not empty.*Remove it or name a new folder"):
        generate_dataset(target, num_images=1, size=(48, 64))
    assert digests(target) == before


def test_a_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(dataset, "_write_tables", fail)
    with pytest.raises(OSError, match="disk full"):
        generate_dataset(tmp_path / "set", num_images=2, size=(48, 64))
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    generate_dataset(
        tmp_path / "set", num_images=5, size=(48, 64), progress=lambda done, whole: seen.append((done, whole))
    )
    assert seen[-1] == (5, 5)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_images": 0}, "one or more"),
        ({"num_images": 1, "difficulty": 1.5}, "difficulty"),
        ({"num_images": 1, "size": (10, 64)}, "32 pixels"),
        ({"num_images": 1, "class_weights": {"mell": 1.0}}, "did you mean 'mel'"),
        ({"num_images": 1, "class_weights": {"mel": -1.0}}, "zero or more"),
        ({"num_images": 1, "class_weights": {"mel": 0.0}}, "above zero"),
    ],
)
def test_options_outside_what_is_allowed_are_refused(tmp_path: Path, options: dict, says: str) -> None:
    with pytest.raises(DataError, match=says):
        generate_dataset(tmp_path / "set", **options)
    assert list(tmp_path.iterdir()) == []
