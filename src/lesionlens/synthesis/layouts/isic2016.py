"""ISBI 2016, part 3, with the lesion masks of part 1: benign or malignant, training and test."""

from lesionlens.synthesis.layouts.painted import GeneratedDataset

_ISIC2016_CLASS_WEIGHTS = {"mel": 0.25, "nv": 0.55, "bkl": 0.2}
_ISIC2016_LABELS = {"mel": "malignant", "nv": "benign", "bkl": "benign"}
_ISIC2016_SPLIT_FRACTIONS = {"Training": 0.7, "Test": 0.3}


def _write_isic2016(dataset: GeneratedDataset) -> None:
    """Name files as the organisers did; labels are words in training, numbers in the test part, without a header."""
    for part, rows in dataset.splits():
        dataset.move_images(rows, f"ISBI2016_ISIC_Part3_{part}_Data")
        dataset.move_masks(rows, f"ISBI2016_ISIC_Part1_{part}_GroundTruth", name_pattern="{}_Segmentation.png")
        words = rows["label"] if part == "Training" else (rows["label"] == "malignant").astype(float)
        dataset.write_csv(
            f"ISBI2016_ISIC_Part3_{part}_GroundTruth.csv", (), zip(rows["image_id"], words, strict=True)
        )
