"""Generated dataset: official layout, the same bytes for the same seed, written completely or not at all."""

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
HAM10000_HEADER = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def digests(root: Path) -> dict[str, str]:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return generate_dataset(tmp_path_factory.mktemp("synthesis") / "set", num_images=40, seed=3, size=SIZE)


def test_columns_are_those_of_ham10000(root: Path) -> None:
    header = (root / "HAM10000_metadata.csv").read_text().splitlines()[0]
    assert header.split(",") == HAM10000_HEADER


def test_every_row_has_image_and_mask_of_the_size(root: Path) -> None:
    table = read_rows(root / "HAM10000_metadata.csv")
    assert len(table) == 40
    assert {path.stem for path in (root / "HAM10000_images").iterdir()} == {row["image_id"] for row in table}
    for row in table:
        image = cv2.imread(str(root / "HAM10000_images" / f"{row['image_id']}.jpg"))
        mask = cv2.imread(str(root / "masks" / f"{row['image_id']}_segmentation.png"), cv2.IMREAD_UNCHANGED)
        assert image.shape == (*SIZE, 3)
        assert mask.shape == SIZE
        assert set(np.unique(mask)) <= {0, 255}
        assert 0.003 < (mask > 0).mean() < 1


def test_identifiers_are_outside_the_isic_archive(root: Path) -> None:
    numbers = [
        int(row["image_id"].removeprefix("ISIC_")) for row in read_rows(root / "HAM10000_metadata.csv")
    ]
    assert numbers == list(range(9_000_001, 9_000_041))


def test_small_dataset_has_all_classes_and_repeated_lesions(root: Path) -> None:
    table = read_rows(root / "HAM10000_metadata.csv")
    assert {row["dx"] for row in table} == {"mel", "nv", "bcc", "akiec", "bkl", "df", "vasc"}
    lesions: dict[str, set[str]] = {}
    for row in table:
        lesions.setdefault(row["lesion_id"], set()).add(row["dx"])
    assert len(lesions) < len(table)
    assert all(len(codes) == 1 for codes in lesions.values())


def test_artifact_table_has_each_image_once(root: Path) -> None:
    table = read_rows(root / "artifacts.csv")
    assert list(table[0]) == ["image_id", *ARTIFACTS, "skin_tone"]
    assert [row["image_id"] for row in table] == [
        row["image_id"] for row in read_rows(root / "HAM10000_metadata.csv")
    ]
    assert {row[name] for row in table for name in ARTIFACTS} <= {"0", "1"}
    assert {row["skin_tone"] for row in table} <= {"I", "II", "III", "IV", "V", "VI"}


def test_metadata_describes_the_synthetic_dataset(root: Path) -> None:
    metadata = json.loads((root / "synthesis.json").read_text())
    assert metadata["statement"].startswith("Synthetic images")
    expected = {"seed": 3, "images": 40, "size": [96, 128], "difficulty": 0.5}
    assert {key: metadata[key] for key in expected} == expected
    assert metadata["structure_bits"]["pigment_network"] == 1


def test_structure_masks_are_readable(root: Path) -> None:
    files = sorted((root / "structures").iterdir())
    assert files
    for path in files:
        masks = read_structures(path)
        assert set(masks) <= set(STRUCTURES)
        assert all(mask.shape == SIZE and mask.any() for mask in masks.values())


def test_lesions_differ_in_color_from_surrounding_skin(root: Path) -> None:
    contrast = []
    for row in read_rows(root / "HAM10000_metadata.csv"):
        image = cv2.imread(str(root / "HAM10000_images" / f"{row['image_id']}.jpg"))
        mask = (
            cv2.imread(str(root / "masks" / f"{row['image_id']}_segmentation.png"), cv2.IMREAD_UNCHANGED) > 0
        )
        inside, outside = np.median(image[mask], 0), np.median(image[~mask], 0)
        contrast.append(float(np.abs(inside - outside).max()))
    assert np.mean(np.array(contrast) > 8) > 0.85
    assert np.median(contrast) > 20


def test_longer_dataset_begins_with_the_bytes_of_a_shorter_one(root: Path, tmp_path: Path) -> None:
    long = digests(root)
    short = digests(generate_dataset(tmp_path / "short", num_images=7, seed=3, size=SIZE))
    pixels = [name for name in short if "/" in name]
    assert len(pixels) >= 14
    # the last lesion may have fewer images, never different ones
    assert {name: short[name] for name in pixels} == {name: long[name] for name in pixels}
    tables = root / "HAM10000_metadata.csv", tmp_path / "short" / "HAM10000_metadata.csv"
    assert tables[0].read_text().splitlines()[:8] == tables[1].read_text().splitlines()


def test_seed_changes_images(root: Path, tmp_path: Path) -> None:
    digests_of_other_seed = digests(generate_dataset(tmp_path / "other", num_images=3, seed=4, size=SIZE))
    name = "HAM10000_images/ISIC_9000001.jpg"
    assert digests_of_other_seed[name] != digests(root)[name]


@pytest.mark.slow
def test_number_of_workers_does_not_change_bytes(root: Path, tmp_path: Path) -> None:
    two_workers = generate_dataset(tmp_path / "two", num_images=6, seed=3, size=SIZE, num_workers=2)
    one_worker = digests(root)
    assert all(one_worker[name] == digest for name, digest in digests(two_workers).items() if "/" in name)


def test_nonempty_directory_raises(tmp_path: Path) -> None:
    target = tmp_path / "set"
    target.mkdir()
    generate_dataset(target, num_images=1, size=(48, 64))
    expected = digests(target)
    with pytest.raises(DataError, match=r"not empty.*Remove it or name a new folder"):
        generate_dataset(target, num_images=1, size=(48, 64))
    assert digests(target) == expected


def test_failure_leaves_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(dataset, "_write_tables", fail)
    with pytest.raises(OSError, match="disk full"):
        generate_dataset(tmp_path / "set", num_images=2, size=(48, 64))
    assert list(tmp_path.iterdir()) == []


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    generate_dataset(
        tmp_path / "set", num_images=5, size=(48, 64), progress=lambda *counts: progress.append(counts)
    )
    assert progress[-1] == (5, 5)
    assert progress == sorted(progress)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_images": 0}, "one or more"),
        ({"num_images": 1, "difficulty": 1.5}, "difficulty is 1.5"),
        ({"num_images": 1, "size": (10, 64)}, "32 pixels"),
        ({"num_images": 1, "class_weights": {"mell": 1.0}}, "did you mean 'mel'"),
        ({"num_images": 1, "class_weights": {"mel": -1.0}}, "zero or more"),
        ({"num_images": 1, "class_weights": {"mel": 0.0}}, "above zero"),
    ],
)
def test_options_out_of_range_raise(tmp_path: Path, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        generate_dataset(tmp_path / "set", **options)
    assert list(tmp_path.iterdir()) == []
