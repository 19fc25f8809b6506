"""Real images to try a model on: 24 of the validation part of ISIC 2017 (CC-0), see ``README.md`` in this folder."""

from pathlib import Path

SAMPLES_TABLE = Path(__file__).parent / "images.csv"
"""Table of the images with their diagnosis: ``load_table(SAMPLES_TABLE)``."""


def sample_files() -> list[Path]:
    """Return the files of the images, sorted: eight each of melanoma, nevus and seborrheic keratosis."""
    return sorted(SAMPLES_TABLE.parent.glob("*.jpg"))
