"""ISBI 2016, part 3, with the lesion masks of part 1: benign or malignant, training and test."""

from lesionlens.synthesis.layouts.painted import Painted

WEIGHTS = {"mel": 0.25, "nv": 0.55, "bkl": 0.2}
LABELS = {"mel": "malignant", "nv": "benign", "bkl": "benign"}
SHARES = {"Training": 0.7, "Test": 0.3}


def write(painted: Painted) -> None:
    """Name files as the organisers did; labels are words in training, numbers in the test part, without a header."""
    for part, rows in painted.parts():
        painted.move_images(rows, f"ISBI2016_ISIC_Part3_{part}_Data")
        painted.move_masks(rows, f"ISBI2016_ISIC_Part1_{part}_GroundTruth", name="{}_Segmentation.png")
        words = rows["label"] if part == "Training" else (rows["label"] == "malignant").astype(float)
        painted.write(
            f"ISBI2016_ISIC_Part3_{part}_GroundTruth.csv", (), zip(rows["image_id"], words, strict=True)
        )
