"""Sample images that ship with the package: files, diagnoses, source."""

from lesionlens.datasets.registry import load_table
from lesionlens.imaging.decode import read_rgb
from lesionlens.samples import SAMPLES_TABLE, sample_files

MAX_BYTES = 400_000


def test_samples_are_a_readable_table() -> None:
    table = load_table(f"table:{SAMPLES_TABLE}")
    assert sorted(table.paths) == sample_files()
    assert dict(table.frame["diagnosis"].value_counts()) == dict.fromkeys(
        ("melanoma", "nevus", "seborrheic_keratosis"), 8
    )
    assert {read_rgb(path).shape for path in sample_files()} == {(256, 256, 3)}


def test_samples_are_small_and_have_a_source() -> None:
    folder = SAMPLES_TABLE.parent
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < MAX_BYTES
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "CC-0" in text
    assert "ISIC Challenge 2017" in text
